"""Spectra: Perley and Butler's own table of flux densities, and power laws."""

import numpy as np
import pytest

from dsa110_contimg.catalogue.calibrators import find_calibrator, load_calibrators
from dsa110_contimg.catalogue.spectra import power_law, standard_spectrum


@pytest.mark.parametrize(
    ("source", "jy"),
    # At 1.465 GHz, as the sources are known there to 1% since Perley & Butler 2013.
    [("3C48", 15.56), ("3C138", 8.26), ("3C147", 21.1), ("3C196", 13.8), ("3C286", 14.65), ("3C295", 21.5)],
)
def test_well_known_flux_densities(source, jy):
    assert standard_spectrum(source).flux_jy(1.465e9) == pytest.approx(jy, rel=0.02)


def test_the_list_agrees_with_the_standards_to_a_tenth():
    """The list's 20 cm flux densities are of other years and bandwidths, but not of other sources."""
    standards = [s for s in load_calibrators() if standard_spectrum(s.alt_name)]
    assert len(standards) == 7
    for source in standards:
        assert source.spectrum.flux_jy(1.425e9) == pytest.approx(source.flux_20cm_jy, rel=0.1), source.alt_name


def test_spectral_index_of_3c286_in_the_band():
    low, high = find_calibrator("3C286").spectrum.flux_jy([1.311e9, 1.499e9])
    assert np.log(high / low) / np.log(1.499 / 1.311) == pytest.approx(-0.50, abs=0.01)


def test_power_law_is_its_flux_density_at_1p4_ghz():
    spectrum = power_law(2.7, alpha=0.4)
    assert spectrum.flux_jy(1.4e9) == pytest.approx(2.7)
    assert spectrum.flux_jy([[2.8e9]]) == pytest.approx(np.array([[2.7 * 2**0.4]]))
    assert "2.7 Jy at 1.4 GHz, spectral index 0.4" in spectrum.origin


def test_others_fall_with_index_0p7():
    source = find_calibrator("0834+555")
    assert source.spectrum.flux_jy([1.4e9, 2.8e9]) == pytest.approx([8.8, 8.8 * 2**-0.7])
    assert "VLA" in source.spectrum.origin
