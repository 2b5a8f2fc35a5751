"""The brightest sources: flux densities that everybody knows, places, and fading."""

import numpy as np
import pytest

from dsa110_contimg.catalogue.bright import load_bright_sources

SOURCES = {source.name: source for source in load_bright_sources()}
MJD_2015 = 57023.0


@pytest.mark.parametrize(
    ("name", "flux_jy"),
    [
        # 20 cm flux densities as older lists have them (3C, Baars et al. 1977), to 5%.
        ("Cygnus A", 1590.0),
        ("Cassiopeia A", 1750.0),
        ("Taurus A", 835.0),
        ("Virgo A", 213.0),
        ("Hydra A", 43.0),
        ("Hercules A", 47.5),
        ("3C353", 57.0),
        ("3C123", 47.5),
    ],
)
def test_flux_densities_at_1p4_ghz(name, flux_jy):
    assert SOURCES[name].flux_jy(1.4e9, MJD_2015) == pytest.approx(flux_jy, rel=0.05)


def test_cassiopeia_a_fades_and_cygnus_a_does_not():
    later = MJD_2015 + 10 * 365.25
    assert SOURCES["Cassiopeia A"].flux_jy(1.4e9, later) / SOURCES["Cassiopeia A"].flux_jy(1.4e9, MJD_2015) == (
        pytest.approx(1 - 0.067, abs=0.003)
    )
    assert SOURCES["Cygnus A"].flux_jy(1.4e9, later) == SOURCES["Cygnus A"].flux_jy(1.4e9, MJD_2015)


def test_spectra_are_steep_but_for_the_crab():
    freq_hz = np.array([1.31e9, 1.5e9])
    for source in SOURCES.values():
        low, high = source.flux_jy(freq_hz, MJD_2015)
        index = np.log(high / low) / np.log(freq_hz[1] / freq_hz[0])
        assert (-0.4 if source.name == "Taurus A" else -1.3) < index < (-0.2 if source.name == "Taurus A" else -0.6)


def test_they_are_in_order_and_have_a_sky():
    ra_deg = [source.ra_deg for source in SOURCES.values()]
    assert ra_deg == sorted(ra_deg)
    assert len(SOURCES) == 12
    for source in SOURCES.values():
        assert -90 < source.dec_deg < 90
        assert 0 <= source.extent_arcmin < 60
    # J2000 names of 1950 positions: 3C461 is at 23h23.4m +58d49'.
    assert (SOURCES["Cassiopeia A"].ra_deg / 15, SOURCES["Cassiopeia A"].dec_deg) == pytest.approx((23.39, 58.815))
