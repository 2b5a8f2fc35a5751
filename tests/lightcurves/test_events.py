"""The matched search: what is found where it is, what is not found where nothing is, and what speaks against."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg.lightcurves.days import days_of
from dsa110_contimg.lightcurves.events import (
    Extremes,
    Verdict,
    calibrate,
    find_events,
    relative,
    search,
)
from dsa110_contimg.lightcurves.events_kernels import own_spread, slide
from dsa110_contimg.lightcurves.shapes import Shape, profile, templates
from dsa110_contimg.photometry.measurements import source_id

N_DAYS, ERROR = 90, 0.02
MJD = 60_000.5 + np.arange(N_DAYS)


def sources(n, spacing_deg=0.1):
    return np.sort(source_id(40.0 + spacing_deg * np.arange(n), np.full(n, 54.6)))


def light_curves(change, *, error=ERROR, seed=1, numbers=None):
    """Give days of sources of 1 Jy that change so, with noise."""
    n = change.shape[0]
    numbers = sources(n) if numbers is None else numbers
    flux = 1.0 + change + error * np.random.default_rng(seed).normal(size=change.shape)
    return days_of(np.repeat(numbers, N_DAYS), np.tile(MJD, n), flux.ravel(), np.full(flux.size, error))


def dip(n, which, depth=0.4, middle=45.0, width=8.0):
    change = np.zeros((n, N_DAYS))
    change[which] = depth * profile(Shape.DIP, (np.arange(N_DAYS) - middle) / (width / 2))
    return change


def three_bands(full, lower, upper):
    full, lower, upper = (
        light_curves(each, seed=k, error=ERROR * (1.0 if k == 0 else 1.4))
        for k, each in enumerate((full, lower, upper))
    )
    return full, lambda _: (lower, upper)


@given(st.sampled_from(list(Shape)), st.integers(25, 65), st.sampled_from([5.0, 8.0, 13.0]), st.integers(0, 99))
@settings(max_examples=15)
def test_every_shape_is_found_when_it_is(shape, middle, width, seed):
    change = 0.5 * profile(shape, (np.arange(N_DAYS) - middle) / (width / 2))[None]
    weight, weighted = relative(light_curves(change, seed=seed, error=0.01))
    found = search(weight, weighted, 1.0)
    assert abs(found.centre[0] - middle) <= width
    assert found.snr[0] > 8.0


@pytest.mark.kernel
def test_the_size_is_that_of_the_template():
    for template in templates(N_DAYS, 1.0):
        change = np.zeros((1, N_DAYS + 40))
        half = template.values.size // 2
        change[0, 60 - half : 60 + half + 1] = 0.3 * template.values
        size, snr = np.empty((2, 1, 3))
        slide(np.full(change.shape, 1e4), 1e4 * (change + 0.05), template.values, np.array([0, 60, 129]), 2, size, snr)
        assert size[0, 1] == pytest.approx(0.3)
        assert 0.3 / snr[0, 1] == pytest.approx(0.01 / np.sqrt(((template.values - template.values.mean()) ** 2).sum()))


def test_a_dip_in_both_halves_of_the_band_is_a_candidate():
    n = 60
    events = find_events(*three_bands(dip(n, 7), dip(n, 7, 0.5), dip(n, 7, 0.3)))
    assert len(events) == 1
    (event,) = events
    assert event.source_id == sources(n)[7]
    assert event.verdict is Verdict.CANDIDATE
    assert event.is_lens
    assert event.reasons == ()
    assert event.shape in {Shape.DIP, Shape.CAUSTICS}
    assert event.mjd == pytest.approx(MJD[45], abs=2.0)
    assert event.size == pytest.approx(0.4, abs=0.1)
    assert event.lower / event.upper == pytest.approx(5 / 3, abs=0.4)
    assert event.false_alarms < 1e-3
    assert abs(event.neighbours) < 5 * event.e_neighbours


def test_what_is_in_one_half_only_is_none():
    n = 60
    (event,) = find_events(*three_bands(dip(n, 7, 0.25), dip(n, 7, 0.5), dip(n, 7, 0.0)))
    assert event.verdict is Verdict.ONE_HALF
    assert event.reasons == ("it is not in the upper half of the band",)
    assert not event.is_lens


def test_what_the_neighbours_do_too_is_none():
    n = 60
    change = dip(n, slice(5, 15), 0.3)
    events = find_events(*three_bands(change, change, change))
    assert {event.source_id for event in events} <= set(sources(n)[5:15])
    middle = [event for event in events if event.source_id in sources(n)[8:12]]
    assert middle
    assert all(event.verdict is Verdict.SHARED for event in middle)
    assert "its neighbours do it, too" in middle[0].reasons[0]


def test_what_rests_on_one_day_is_none():
    n = 60
    change = np.zeros((n, N_DAYS))
    change[7, 40] = 0.6
    events = find_events(*three_bands(change, change, change))
    assert all(event.verdict is Verdict.ONE_DAY for event in events if event.source_id == sources(n)[7])


@pytest.mark.kernel
def test_the_spread_of_a_source_is_that_of_most_places():
    snr = np.random.default_rng(2).normal(size=(3, 400)) * np.array([[0.2], [1.0], [3.0]])
    snr[:, :20] = 50.0
    snr[:, 20:40] = 0.0
    spread = np.empty(3)
    own_spread(snr, spread)
    np.testing.assert_allclose(spread, [1.0, 1.0, 3.2], rtol=0.2)
    own_spread(snr[:, :5], spread)
    assert spread.tolist() == [1.0, 1.0, 1.0]


def test_without_halves_and_neighbours_it_is_said():
    far = np.sort(source_id(np.linspace(0.0, 300.0, 60), np.full(60, 54.6)))
    (event,) = find_events(light_curves(dip(60, 7), numbers=far))
    assert event.verdict is Verdict.UNCONFIRMED
    assert event.is_lens
    assert len(event.reasons) == 3
    lower = light_curves(dip(60, 7))  # of other sources
    (event,) = find_events(light_curves(dip(60, 7), numbers=far), lambda _: (lower, lower))
    assert "the lower half of the band has no light curve" in event.reasons


def test_half_bands_and_neighbours_that_are_too_noisy_do_not_decide():
    full, half = light_curves(dip(60, 7, 0.2)), light_curves(dip(60, 7, 0.2), error=0.3, seed=3)
    (event,) = find_events(full, lambda _: (half, half))
    assert event.verdict in {Verdict.UNCONFIRMED, Verdict.CANDIDATE}
    noisy = np.full((60, 1), 0.9)
    noisy[7] = ERROR
    rng = np.random.default_rng(1)
    flux = 1.0 + dip(60, 7, 0.4) + noisy * rng.normal(size=(60, N_DAYS))
    errors = np.broadcast_to(noisy, flux.shape)
    days = days_of(np.repeat(sources(60), N_DAYS), np.tile(MJD, 60), flux.ravel(), errors.ravel())
    (event,) = find_events(days)
    assert "there are no neighbours that could tell" in event.reasons


def test_half_bands_may_begin_on_another_day():
    late = light_curves(dip(60, 7))
    keep = slice(10, None)
    late = late._replace(mjd=late.mjd[keep], **{name: getattr(late, name)[:, keep] for name in late._fields[2:]})
    event = find_events(light_curves(dip(60, 7), seed=4), lambda _: (late, late))[0]
    assert event.lower == pytest.approx(0.4, abs=0.1)


def test_half_bands_may_have_ended_before():
    early = light_curves(dip(60, 7))
    keep = slice(0, 12)
    early = early._replace(mjd=early.mjd[keep], **{name: getattr(early, name)[:, keep] for name in early._fields[2:]})
    full = light_curves(dip(60, 7), seed=4)
    event = find_events(full, lambda _: (early, early))[0]
    assert np.isnan([event.lower, event.upper]).all()
    assert "the lower half of the band has no light curve" in event.reasons
    size, snr = np.full((1, 1), np.nan), np.full((1, 1), np.nan)
    some = np.ones((1, 12))
    slide(some, some, np.hanning(9), np.array([40]), 2, size, snr)
    assert size[0, 0] == snr[0, 0] == 0.0


def test_one_that_flickers_all_the_time_has_no_event():
    rng = np.random.default_rng(8)
    change = np.zeros((60, N_DAYS))
    for day in range(1, N_DAYS):
        change[7, day] = 0.8 * change[7, day - 1] + 0.6 * 0.2 * rng.normal()
    assert not [event for event in find_events(light_curves(change)) if event.is_lens]


def test_few_sources_are_compared_with_noise():
    days = light_curves(dip(3, 1))
    weight, weighted = relative(days)
    few = calibrate(search(weight, weighted, 1.0), weight, 1.0)
    weight, weighted = relative(light_curves(np.zeros((300, N_DAYS))))
    many = calibrate(search(weight, weighted, 1.0), weight, 1.0)
    assert few.n_sources == 3
    assert many.n_sources == 300
    assert few.trials == pytest.approx(many.trials, rel=0.5)
    (event,) = find_events(days)
    assert event.source_id == sources(3)[1]
    (alone,) = find_events(days.choose([1]))
    assert alone.snr == event.snr
    assert alone.false_alarms < 1e-6


def test_what_errors_do_not_tell_of_is_allowed_for():
    def of(noise):
        weight, weighted = relative(light_curves(np.zeros((300, N_DAYS))))
        return calibrate(search(weight, weighted * noise, 1.0), weight, 1.0)

    assert of(1.5).spread / of(1.0).spread > 1.1


def test_stated_chances_are_the_real_ones():
    weight, weighted = relative(light_curves(np.zeros((1500, N_DAYS)), seed=5))
    found = search(weight, weighted, 1.0)
    extremes = calibrate(found, weight, 1.0)
    best = np.sort(found.snr)[::-1]
    for rank in (150, 40, 10):
        assert extremes.false_alarms(best[rank - 1]) == pytest.approx(rank, rel=0.6)


def test_nothing_to_search_gives_nothing():
    assert find_events(light_curves(dip(3, 1)).choose(np.zeros(3, bool))) == []
    empty = days_of([], [], [], [])
    assert find_events(empty) == []
    faint = light_curves(np.full((3, N_DAYS), -1.0))
    assert find_events(faint) == []
    assert Extremes(1.0, 1.0, 0).false_alarms(9.0) == 0.0
