import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.imaging.smearing import POSITION_ANGLES, kept, kept_by_samples, turns
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT
from made_integrations import direction, make_blocks, make_observation


@given(st.floats(-0.3, 0.3), st.integers(1, 24))
def test_a_mean_of_turning_phases(turn, count):
    mean = np.exp(2j * np.pi * turn * np.arange(count)).mean()
    assert kept(np.array([turn]), count)[0] == pytest.approx(abs(mean), abs=1e-9)


@given(st.floats(-0.9, 0.9))
def test_many_narrow_channels_are_one_wide_one(turn):
    assert kept(np.array([turn / 500]), 500)[0] == pytest.approx(kept_by_samples(np.array([turn]))[0], abs=1e-4)


def test_turns_are_those_of_the_visibilities():
    seen = make_observation(n_times=3, n_channels=4)
    found = turns(seen, np.radians(1.5))
    angle = 5
    lm = direction(1.5, 360 / POSITION_ANGLES * angle)
    blocks = list(make_blocks(seen, lm))
    cross = blocks[0].antenna1 != blocks[0].antenna2
    seen_v = [block.visibilities[cross, :, 0] for block in blocks]
    by_channel = np.angle(seen_v[1][:, 1] / seen_v[1][:, 0]) / (2 * np.pi)
    # Both count modulo a turn, and here no baseline makes half of one.
    np.testing.assert_allclose(by_channel, found.by_channel[1, :, angle], atol=1e-5)
    by_time = np.angle((seen_v[2] / seen_v[1])[:, 2]) / (2 * np.pi)
    np.testing.assert_allclose(by_time, found.by_time[1, :, angle], atol=2e-3)
    assert np.abs(by_time).max() > 0.1


def test_delay_of_an_east_west_baseline():
    """A source at the zenith angle of 1.5 deg is 26 m away in path for each km of baseline in its direction."""
    seen = make_observation(n_times=1, n_channels=2)
    found = turns(seen, np.radians(1.5))
    path_m = found.by_channel[1] * SPEED_OF_LIGHT / seen.channel_width_hz
    assert np.abs(path_m).max() == pytest.approx(np.radians(1.5) * seen.longest_baseline_m, rel=0.1)
