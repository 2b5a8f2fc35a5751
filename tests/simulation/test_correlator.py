"""What the simulated correlator makes of a sky, against formulae written out with astropy and float64."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation, HADec, SkyCoord
from astropy.time import Time
from astropy.utils import iers
from scipy.special import j1

from dsa110_contimg.simulation.array import Health, correlator_baselines, observing_array
from dsa110_contimg.simulation.correlator import Pointing, Receivers, group_sky, observe_subband
from dsa110_contimg.simulation.gains import random_gains, unit_gains
from dsa110_contimg.simulation.noise import SAMPLES
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S, SEFD_JY, subband_frequencies_hz
from dsa110_contimg.telescope.beams import AiryBeam, GaussianBeam
from dsa110_contimg.telescope.geometry import meridian_icrs
from dsa110_contimg.telescope.prediction import PointSources
from dsa110_contimg.telescope.stations import load_stations

C_M_S = 299792458.0
DEC_RAD = np.radians(54.5734)
MJD = np.array([60953.5215, 60953.5230])
FREQ_HZ = subband_frequencies_hz(5)
STATIONS = [24, 103, 11, 116]
SOURCES = PointSources(np.array([83.7, 84.6]), np.array([54.56, 54.76]), np.array([5.0, 2.0]), np.array([-0.7, 0.2]))
POINTING = Pointing(DEC_RAD, AiryBeam())
MERIDIAN = np.array([np.cos(DEC_RAD), 0.0, np.sin(DEC_RAD)])


def places(sources, mjd):
    """Apparent places (T, S, 3) in the meridian frame, from astropy."""
    site = EarthLocation.from_geodetic(HEADER_SITE.longitude_deg, HEADER_SITE.latitude_deg, HEADER_SITE.height_m * u.m)
    sky = SkyCoord(sources.ra_deg, sources.dec_deg, unit="deg", frame="icrs")[None, :]
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        times = Time(np.atleast_1d(mjd)[:, None], format="mjd", scale="utc")
        place = sky.transform_to(HADec(obstime=times, location=site))
    ha, dec = place.ha.rad, place.dec.rad
    return np.stack([np.cos(dec) * np.cos(ha), -np.cos(dec) * np.sin(ha), np.sin(dec)], -1)


def positions_m(stations=STATIONS):
    itrf_m = load_stations().itrf_m[np.array(stations) - 1]
    c, s = np.cos(np.radians(HEADER_SITE.longitude_deg)), np.sin(np.radians(HEADER_SITE.longitude_deg))
    return itrf_m @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]]).T


def expected(stations=STATIONS):
    """<E1* E2> (T, B, C) of the sources: sum S B exp(2 pi i nu/c (r2 - r1).(s - s0))."""
    r = positions_m(stations)
    first, second = correlator_baselines(len(stations))
    directions = places(SOURCES, MJD)
    a = np.pi * 4.65 * np.sqrt(1 - (directions @ MERIDIAN) ** 2)[..., None] * FREQ_HZ / C_M_S
    flux = SOURCES.flux_jy[:, None] * (FREQ_HZ / 1.4e9) ** SOURCES.alpha[:, None] * (2 * j1(a) / a) ** 2
    path_m = np.einsum("bi,tsi->tbs", r[second] - r[first], directions - MERIDIAN)
    return np.einsum("tsc,tbsc->tbc", flux, np.exp(2j * np.pi * path_m[..., None] * FREQ_HZ / C_M_S))


def observe(
    sources=SOURCES, gains=None, noise_jy=0.0, health=Health(), oversample=1, mjd=MJD, pointing=POINTING, seed=1
):
    array = observing_array(STATIONS, HEADER_SITE, health)
    receivers = Receivers(array, gains or unit_gains(len(STATIONS)), noise_jy)
    sky = group_sky(sources, mjd, DEC_RAD, HEADER_SITE, oversample)
    counts = np.empty((2, mjd.size, 10, FREQ_HZ.size), dtype=np.complex64)
    observe_subband(sky, pointing, receivers, None, FREQ_HZ, np.random.default_rng(seed), counts)
    return counts


NO_SOURCES = PointSources(*np.zeros((4, 0)))
FIRST, SECOND = correlator_baselines(len(STATIONS))
AUTO = FIRST == SECOND


@pytest.mark.kernel
def test_a_sky_of_point_sources():
    counts = observe()
    exact = expected()
    assert np.abs(counts[0] - exact).max() < 5e-5 * np.abs(exact).max()
    assert np.array_equal(counts[0], counts[1])


@pytest.mark.kernel
def test_noise_gains_and_health_together():
    counts = observe(gains=random_gains(1, STATIONS), noise_jy=2.59, health=Health(dead=[11], deaf=[116]))
    assert np.isfinite(counts).all()
    assert (counts[:, :, AUTO].imag == 0).all()
    assert (counts[:, :, AUTO].real > 0).all()


def test_a_beam_that_is_not_where_the_header_says():
    ra_deg, dec_deg = meridian_icrs(DEC_RAD, MJD[:1], HEADER_SITE)
    centre = PointSources(ra_deg, dec_deg, np.array([1.0]), np.array([0.0]))
    beam = GaussianBeam(2.0 * FREQ_HZ[0] / 1.4e9)  # of 2 deg in the first channel
    moved = Pointing(DEC_RAD, beam, (0.0, float(np.sin(np.radians(1.0)))))
    assert observe(centre, mjd=MJD[:1], pointing=moved)[0, 0, 1, 0] == pytest.approx(0.5, abs=1e-4)
    # The phase is still the header's.
    assert np.abs(np.angle(observe(centre, mjd=MJD[:1], pointing=moved)[0, 0])).max() < 1e-3


def test_gains_multiply_as_conj_first_times_second():
    gains = random_gains(4, STATIONS)
    counts, sky = observe(gains=gains), observe()
    for t, mjd in enumerate(MJD):
        g = gains.at(mjd, FREQ_HZ)
        assert np.abs(counts[:, t] - np.conj(g[:, FIRST]) * g[:, SECOND] * sky[:, t]).max() < 1e-5


def test_smearing_follows_the_sinc_of_the_fringe_rate():
    ra_deg, dec_deg = meridian_icrs(DEC_RAD, MJD[:1], HEADER_SITE)
    source = PointSources(ra_deg + 5.0, dec_deg + 2.0, np.array([1.0]), np.array([0.0]))
    smeared = observe(source, oversample=32, mjd=MJD[:1], pointing=Pointing(DEC_RAD, GaussianBeam(90.0)))[0, 0]
    sharp = observe(source, mjd=MJD[:1], pointing=Pointing(DEC_RAD, GaussianBeam(90.0)))[0, 0]
    # How fast the path difference to the followed centre changes, from two places of the source and of the centre.
    half_s = 1.0
    before, after = places(source, MJD[0] + np.array([-half_s, half_s]) / 86400)[:, 0]
    turn = 7.292115e-5 * half_s
    centre_change = np.array([0.0, -2 * np.cos(DEC_RAD) * np.sin(turn), 0.0])
    r = positions_m()
    rate_m_s = (r[SECOND] - r[FIRST]) @ (after - before - centre_change) / (2 * half_s)
    loss = np.sinc(rate_m_s[:, None] * INTEGRATION_S * FREQ_HZ / C_M_S)
    assert loss.min() < 0.95  # the longest baseline, 3.5 deg off
    assert np.abs(smeared / sharp) == pytest.approx(loss, abs=3e-4)
    assert np.abs(np.angle(smeared / sharp)).max() < 3e-3


def test_noise_of_crosses_and_autos():
    mjd = MJD[0] + np.arange(60) * INTEGRATION_S / 86400
    counts = observe(NO_SOURCES, noise_jy=2.59, mjd=mjd)
    crosses, autos = counts[:, :, ~AUTO], counts[:, :, AUTO]
    n = crosses.size
    assert crosses.real.std() == pytest.approx(2.59, rel=5 / np.sqrt(2 * n))
    assert crosses.imag.std() == pytest.approx(2.59, rel=5 / np.sqrt(2 * n))
    assert abs(np.mean(crosses[0] * np.conj(crosses[1]))) < 5 * 2 * 2.59**2 / np.sqrt(n / 2)
    sefd_jy = 2.59 * np.sqrt(2 * SAMPLES)
    assert sefd_jy == pytest.approx(SEFD_JY, rel=1e-3)
    assert autos.real.mean() == pytest.approx(sefd_jy, rel=5 / np.sqrt(SAMPLES * autos.size))
    assert autos.real.std() == pytest.approx(sefd_jy / np.sqrt(SAMPLES), rel=5 / np.sqrt(2 * autos.size))
    assert (autos.imag == 0).all()


def test_noise_repeats_with_its_seed_and_goes_through_the_gains():
    assert np.array_equal(observe(noise_jy=1.0), observe(noise_jy=1.0))
    assert not np.array_equal(observe(noise_jy=1.0), observe(noise_jy=1.0, seed=2))
    gains = random_gains(4, STATIONS)
    g = gains.at(MJD[0], FREQ_HZ)
    through = observe(NO_SOURCES, gains=gains, noise_jy=1.0)[:, 0]
    assert through == pytest.approx(
        np.conj(g[:, FIRST]) * g[:, SECOND] * observe(NO_SOURCES, noise_jy=1.0)[:, 0], rel=1e-4
    )


def test_dead_deaf_and_half_dead_antennas():
    well = observe(noise_jy=2.59)
    ill = observe(noise_jy=2.59, health=Health(dead=[103], one_pol_dead=[24], deaf=[11]))
    station = np.array(STATIONS)
    dead = (station[FIRST] == 103) | (station[SECOND] == 103)
    deaf = (station[FIRST] == 11) | (station[SECOND] == 11)
    half = (station[FIRST] == 24) | (station[SECOND] == 24)
    # Dead: its power is a ten-thousandth. Deaf: a receiver's power, but nothing of the sky.
    auto = [np.nonzero(AUTO & one)[0][0] for one in (dead, deaf, half)]
    power = ill[:, :, auto].mean(axis=(1, 3)).real / 6500.0
    assert power[0] == pytest.approx([1e-4, 1.0, 1e-4], rel=0.01)
    assert power[1] == pytest.approx([1e-4, 1.0, 1.0], rel=0.01)
    silent = observe(health=Health(deaf=[11], dead=[103]))
    assert (silent[:, :, deaf | dead] == 0).all()
    assert np.array_equal(silent[:, :, ~(deaf | dead)], observe()[:, :, ~(deaf | dead)])
    assert np.array_equal(ill[1][:, half & ~dead & ~deaf], well[1][:, half & ~dead & ~deaf])


def test_swapped_cables_put_one_station_in_the_place_of_the_other():
    swapped, right = observe(health=Health(swapped=(24, 103))), observe()
    b13, b23 = [int(np.nonzero((i == FIRST) & (SECOND == 2))[0][0]) for i in (0, 1)]
    assert np.abs(swapped[:, :, b13]) == pytest.approx(np.abs(right[:, :, b23]), rel=1e-5)
    # The correlator took the delay of one for that of the other.
    r = positions_m()
    turns = ((r[1] - r[0]) @ MERIDIAN) * FREQ_HZ / C_M_S
    assert np.abs(swapped[0, 0, b13] / right[0, 0, b23] - np.exp(-2j * np.pi * turns)).max() < 1e-3
    untouched = int(np.nonzero((FIRST == 2) & (SECOND == 3))[0][0])
    assert np.array_equal(swapped[:, :, untouched], right[:, :, untouched])
