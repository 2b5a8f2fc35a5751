"""The frequency grid, against the figures that are known of the telescope."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.telescope import band
from dsa110_contimg.telescope.band import band_frequencies_hz, subband_frequencies_hz, subband_of


def test_ends_of_the_band():
    assert subband_frequencies_hz(0)[0] == pytest.approx(1498.643188e6, abs=0.5)
    assert subband_frequencies_hz(15)[-1] == pytest.approx(1311.387329e6, abs=0.5)


def test_grid_is_contiguous():
    freq_hz = band_frequencies_hz()
    assert freq_hz.shape == (768,)
    assert (np.diff(freq_hz) == 244140.625).all()
    assert np.array_equal(np.concatenate([subband_frequencies_hz(sb) for sb in range(16)])[::-1], freq_hz)


def test_subbands_descend_as_in_files():
    for sb in range(16):
        assert (np.diff(subband_frequencies_hz(sb)) == -band.CHANNEL_WIDTH_HZ).all()


@given(subband=st.integers(0, 15), error_hz=st.floats(-999, 999))
def test_a_subband_is_known_by_its_first_channel(subband, error_hz):
    assert subband_of(subband_frequencies_hz(subband)[0] + error_hz) == subband


# The last is the first channel of a host that is not of the array.
@pytest.mark.parametrize("freq_hz", [1498.643188e6 + 2e3, 1498.643188e6 + 11.71875e6, 1311e6, 0.0, 1426.1e6])
def test_off_the_grid(freq_hz):
    with pytest.raises(ValueError, match="not the highest channel of any subband"):
        subband_of(freq_hz)


def test_a_group_lasts_309_s():
    length_s = band.INTEGRATIONS_PER_GROUP * band.INTEGRATION_S
    assert length_s == pytest.approx(309.2, abs=0.1)
