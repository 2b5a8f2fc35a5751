"""Sums over point sources, against the formula written out in float64."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation, HADec, SkyCoord
from astropy.time import Time
from astropy.utils import iers
from scipy.special import j1

from dsa110_contimg.telescope.band import HEADER_SITE, band_frequencies_hz, subband_frequencies_hz
from dsa110_contimg.telescope.beams import AiryBeam, GaussianBeam
from dsa110_contimg.telescope.prediction import PointSources, antenna_phasors, apparent_flux, predict, sum_sources
from dsa110_contimg.telescope.stations import load_stations

C_M_S = 299792458.0
DEC_RAD = np.radians(54.5734)
STATIONS = np.array([24, 103, 11, 116]) - 1
SOURCES = PointSources(
    ra_deg=np.array([83.7, 84.6, 82.9]),
    dec_deg=np.array([54.56, 54.76, 53.6]),
    flux_jy=np.array([5.0, 2.0, 0.7]),
    alpha=np.array([-0.7, 0.0, -1.2]),
)
MJD = np.array([60953.5215, 60953.5230])
pytestmark = pytest.mark.kernel


def written_out(antenna_m, offsets, freq_hz, apparent_jy, ant_a, ant_b):
    turns = np.einsum("ac,sc->sa", antenna_m, offsets)[..., None] * freq_hz / C_M_S
    phasors = np.exp(2j * np.pi * turns)
    return np.einsum("sc,sbc,sbc->bc", apparent_jy, phasors[:, ant_a], np.conj(phasors[:, ant_b]))


def by_astropy(mjd):
    """Apparent places in the meridian frame, by a way of its own."""
    site = EarthLocation.from_geodetic(HEADER_SITE.longitude_deg, HEADER_SITE.latitude_deg, HEADER_SITE.height_m * u.m)
    sky = SkyCoord(SOURCES.ra_deg, SOURCES.dec_deg, unit="deg", frame="icrs")
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        place = sky.transform_to(HADec(obstime=Time(mjd, format="mjd", scale="utc"), location=site))
    ha, dec = place.ha.rad, place.dec.rad
    return np.stack([np.cos(dec) * np.cos(ha), -np.cos(dec) * np.sin(ha), np.sin(dec)], -1)


@pytest.mark.parametrize(
    "freq_hz", [subband_frequencies_hz(3), subband_frequencies_hz(3)[::-1], band_frequencies_hz()[::7]]
)
def test_phasors_are_exact_to_float32(freq_hz):
    rng = np.random.default_rng(5)
    antenna_m, offsets = rng.normal(0, 1500, (3, 3)), rng.normal(0, 0.02, (2, 3))
    exact = np.exp(2j * np.pi * np.einsum("ac,sc->sa", antenna_m, offsets)[..., None] * freq_hz / C_M_S)
    phasors = antenna_phasors(antenna_m, offsets, freq_hz)
    assert phasors.dtype == np.complex64
    assert phasors.shape == (2, 3, freq_hz.size)
    assert np.abs(phasors - exact).max() < 2e-7


def test_one_channel():
    phasors = antenna_phasors(np.array([[1.0, 0, 0]]), np.array([[C_M_S / 1.4e9 / 4, 0, 0]]), np.array([1.4e9]))
    assert phasors[0, 0, 0] == pytest.approx(1j, abs=1e-6)


def test_uneven_channels_are_refused():
    with pytest.raises(ValueError, match="uniform"):
        antenna_phasors(np.zeros((1, 3)), np.zeros((1, 3)), np.array([1.0e9, 1.1e9, 1.3e9]))


def test_sum_over_sources():
    rng = np.random.default_rng(6)
    antenna_m, offsets = rng.normal(0, 800, (4, 3)), rng.normal(0, 0.01, (5, 3))
    freq_hz = subband_frequencies_hz(9)
    apparent_jy = rng.uniform(0.1, 3.0, (5, 48)).astype(np.float32)
    ant_a, ant_b = np.array([0, 2, 1, 3, 3]), np.array([1, 1, 1, 0, 2])
    visibilities = sum_sources(antenna_phasors(antenna_m, offsets, freq_hz), apparent_jy, ant_a, ant_b)
    exact = written_out(antenna_m, offsets, freq_hz, apparent_jy, ant_a, ant_b)
    assert visibilities.dtype == np.complex64
    assert np.abs(visibilities - exact).max() < 2e-6 * apparent_jy.sum(axis=0).max()
    assert visibilities[2].real == pytest.approx(apparent_jy.sum(axis=0), rel=1e-6)  # an autocorrelation


def test_no_sources_give_nothing():
    phasors = antenna_phasors(np.zeros((2, 3)), np.zeros((0, 3)), subband_frequencies_hz(0))
    assert not sum_sources(phasors, np.zeros((0, 48), np.float32), np.array([0]), np.array([1])).any()


def test_apparent_flux_is_spectrum_times_beam():
    freq_hz = np.array([1.32e9, 1.4e9, 1.48e9])
    directions = by_astropy(MJD[0])
    apparent = apparent_flux(SOURCES, directions, DEC_RAD, freq_hz, AiryBeam())
    centre = np.array([np.cos(DEC_RAD), 0, np.sin(DEC_RAD)])
    a = np.pi * 4.65 * np.sqrt(1 - (directions @ centre) ** 2)[:, None] * freq_hz / C_M_S
    exact = SOURCES.flux_jy[:, None] * (freq_hz / 1.4e9) ** SOURCES.alpha[:, None] * (2 * j1(a) / a) ** 2
    assert apparent == pytest.approx(exact, rel=1e-6)


def test_beam_axis_off_the_pointing():
    freq_hz = np.array([1.4e9])
    offset = np.radians(0.5)
    north = np.array([[np.cos(DEC_RAD + offset), 0.0, np.sin(DEC_RAD + offset)]])
    source = PointSources(*np.array([[0.0], [0.0], [3.0], [0.0]]))
    on_axis = apparent_flux(source, north, DEC_RAD, freq_hz, GaussianBeam(1.0), (0.0, np.sin(offset)))
    off_axis = apparent_flux(source, north, DEC_RAD, freq_hz, GaussianBeam(1.0))
    assert on_axis[0, 0] == pytest.approx(3.0)
    assert off_axis[0, 0] == pytest.approx(1.5)  # at half the width of the beam


def test_nothing_from_behind():
    behind = -np.array([[np.cos(DEC_RAD), 0.0, np.sin(DEC_RAD)]])
    source = PointSources(*np.array([[0.0], [0.0], [3.0], [0.0]]))
    assert apparent_flux(source, behind, DEC_RAD, np.array([1.4e9]), AiryBeam())[0, 0] == 0.0


@pytest.mark.parametrize("given_centre", [False, True])
def test_predict_against_astropy(given_centre):
    freq_hz = subband_frequencies_hz(12)[:6]
    itrf_m = load_stations().itrf_m[STATIONS]
    longitude = np.radians(HEADER_SITE.longitude_deg)
    turn = np.array(
        [[np.cos(longitude), np.sin(longitude), 0], [-np.sin(longitude), np.cos(longitude), 0], [0, 0, 1.0]]
    )
    ant_a, ant_b = np.array([0, 0, 1, 3]), np.array([1, 2, 3, 3])
    meridian = np.array([np.cos(DEC_RAD), 0, np.sin(DEC_RAD)])
    centres = np.stack([by_astropy(mjd)[0] for mjd in MJD])
    models = predict(
        SOURCES,
        itrf_m,
        (ant_a, ant_b),
        MJD,
        DEC_RAD,
        HEADER_SITE,
        freq_hz,
        AiryBeam(),
        centres if given_centre else None,
    )
    for model, mjd, centre in zip(models, MJD, centres if given_centre else [meridian, meridian], strict=True):
        places = by_astropy(mjd)
        a = np.pi * 4.65 * np.sqrt(1 - (places @ meridian) ** 2)[:, None] * freq_hz / C_M_S
        apparent = SOURCES.flux_jy[:, None] * (freq_hz / 1.4e9) ** SOURCES.alpha[:, None] * (2 * j1(a) / a) ** 2
        exact = written_out(itrf_m @ turn.T, places - centre, freq_hz, apparent, ant_a, ant_b)
        assert np.abs(model - exact).max() < 5e-5 * np.abs(exact).max()
