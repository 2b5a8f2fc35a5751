import numpy as np
import pytest

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.imaging.averaging_plan import plan_averaging
from made_integrations import make_observation

EDGE = np.radians(1.5)


@pytest.mark.parametrize("weighting", ["natural", "briggs", "uniform"])
@pytest.mark.parametrize("limit", [1e-4, 0.003, 0.01, 0.1])
def test_the_limit_is_kept(weighting, limit):
    plan = plan_averaging(make_observation(24, 48), ImageSettings(weighting=weighting, smearing=limit), EDGE)
    assert plan.mean_loss <= plan.loss <= limit
    assert plan.longest_loss >= plan.mean_loss
    assert plan.own_loss > 0


def test_more_is_averaged_nearer_and_where_more_may_be_lost():
    seen = make_observation(24, 48)

    def left(radius_deg, limit):
        return plan_averaging(seen, ImageSettings(smearing=limit), np.radians(radius_deg)).n_samples_out

    assert left(0.3, 0.01) < left(1.5, 0.01) < left(3.0, 0.01)
    assert left(1.5, 0.05) < left(1.5, 0.01) < left(1.5, 0.001)


def test_short_baselines_are_averaged_longer():
    seen = make_observation(24, 48)
    plan = plan_averaging(seen, ImageSettings(drift=False), EDGE)
    places_m = seen.antenna_itrf_m
    length_m = np.linalg.norm(places_m[plan.antenna1] - places_m[plan.antenna2], axis=1)
    assert plan.times[np.argmin(length_m)] == 24
    assert plan.times[np.argmax(length_m)] == 1
    assert plan.channels in {1, 2, 3, 4, 6, 8}


def test_baselines_that_are_not_imaged_do_not_count():
    seen = make_observation(24, 48)
    every, short = (plan_averaging(seen, ImageSettings(max_uv_m=longest_m), EDGE) for longest_m in (None, 500.0))
    assert short.n_samples_out < every.n_samples_out / 2
    assert short.loss <= 0.01
    none = plan_averaging(seen, ImageSettings(min_uv_m=5000.0), EDGE)
    assert none.n_samples_out == 0


def test_averaging_stays_within_a_chunk_of_the_beam():
    seen = make_observation(24, 48)
    plan = plan_averaging(seen, ImageSettings(chunks=8), EDGE)
    assert [(piece.start, piece.stop) for piece in plan.pieces] == [(k, k + 3) for k in range(0, 24, 3)]
    assert plan.times.max() == 3


def test_averaging_does_not_bridge_a_gap():
    plan = plan_averaging(make_observation(4, 8, step=6), ImageSettings(drift=False, smearing=0.4), EDGE)
    assert len(plan.pieces) == 4
    assert plan.times.max() == 1


def test_each_sub_band_keeps_a_channel():
    seen = make_observation(6, 16)
    plan = plan_averaging(seen, ImageSettings(channels_out=8), np.radians(0.05))
    assert plan.channels == 2


def test_a_prime_number_of_channels():
    plan = plan_averaging(make_observation(3, 13), ImageSettings(), np.radians(0.3))
    assert plan.channels > 1


def test_figures():
    figures = plan_averaging(make_observation(6, 16), ImageSettings(), EDGE).as_json()
    assert figures["radius_deg"] == 1.5
    assert 0 < figures["loss"] <= figures["limit"] == 0.01
    assert figures["samples_before"] == 66 * 6 * 16 > figures["samples_after"]
    assert sum(figures["baselines_by_times_averaged"].values()) == 66
