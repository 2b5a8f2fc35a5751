"""Integrations of point sources made in memory, with the telescope's geometry: for tests of what averages them."""

import numpy as np

from dsa110_contimg.imaging.observation import Observation
from dsa110_contimg.ms.blocks import VisibilityBlock
from dsa110_contimg.telescope.band import CHANNEL_WIDTH_HZ, HEADER_SITE, INTEGRATION_S
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT, meridian_frame, meridian_icrs, uvw_basis
from dsa110_contimg.telescope.stations import load_stations

# Core and outriggers.
STATIONS = (1, 5, 14, 27, 40, 51, 76, 90, 103, 108, 113, 116)
DEC_DEG = 54.57


def make_observation(n_times=6, n_channels=16, stations=STATIONS, step=1, start_mjd=60953.52):
    """Describe an observation on the meridian; only every step-th integration is there."""
    dec_rad = np.radians(DEC_DEG)
    times_mjd = start_mjd + (np.arange(n_times) * step + 0.5) * INTEGRATION_S / 86400
    half = INTEGRATION_S / 2 / 86400
    ra_deg, dec_deg = meridian_icrs(dec_rad, [times_mjd.mean()], HEADER_SITE)
    places = load_stations()
    return Observation(
        ra_deg=float(ra_deg[0]),
        dec_deg=float(dec_deg[0]),
        freq_hz=1.4e9 + CHANNEL_WIDTH_HZ * np.arange(n_channels),
        channel_width_hz=CHANNEL_WIDTH_HZ,
        start_mjd=times_mjd[0] - half,
        middle_mjd=(times_mjd[0] + times_mjd[-1]) / 2,
        end_mjd=times_mjd[-1] + half,
        aberration_scale=1.0,
        telescope="OVRO_MMA",
        site=HEADER_SITE,
        pointing_dec_rad=dec_rad,
        times_mjd=times_mjd,
        interval_s=INTEGRATION_S,
        antenna_itrf_m=places.itrf_m,
        diameters_m=np.full(places.numbers.size, 4.65),
        working=np.array(stations) - 1,
    )


def direction(radius_deg, angle_deg):
    """Return (l, m) at a distance and a position angle from the phase centre."""
    radius, angle = np.sin(np.radians(radius_deg)), np.radians(angle_deg)
    return float(radius * np.sin(angle)), float(radius * np.cos(angle))


def phases(uvw_m, freq_hz, lm):
    """Visibilities (B, C) of 1 Jy at (l, m)."""
    away = np.array([*lm, np.sqrt(1 - lm[0] ** 2 - lm[1] ** 2) - 1])
    return np.exp(2j * np.pi / SPEED_OF_LIGHT * np.outer(uvw_m @ away, freq_hz))


def make_blocks(observation, lm, flux_jy=1.0, difference_jy=0.0):
    """Yield integrations of one source: XX has `difference_jy` more than I, YY as much less."""
    index = observation.working
    first, second = np.triu_indices(index.size)
    places_m = meridian_frame(observation.antenna_itrf_m[index] - observation.site.itrf_m, observation.site)
    basis = uvw_basis(observation.ra_deg, observation.dec_deg, observation.times_mjd, observation.site)
    for mjd, axes in zip(observation.times_mjd, basis, strict=True):
        uvw_m = (places_m[first] - places_m[second]) @ axes.T
        phase = phases(uvw_m, observation.freq_hz, lm)[..., None]
        visibilities = (phase * (flux_jy + difference_jy * np.array([1, -1]))).astype(np.complex64)
        visibilities[first == second] = 6500.0
        yield VisibilityBlock(
            float(mjd),
            index[first].astype(np.int32),
            index[second].astype(np.int32),
            uvw_m,
            observation.freq_hz,
            visibilities,
            np.zeros(visibilities.shape, np.bool_),
            np.full(visibilities.shape, 4.0, np.float32),
        )


def dirty_flux(samples, lm, weights=None):
    """Brightness at (l, m) of the dirty image of `Samples` [Jy/beam]."""
    weights = samples.weights if weights is None else weights
    conjugate = np.conj(phases(samples.uvw_m, samples.freq_hz, lm))
    return float((weights * (samples.visibilities * conjugate).real).sum() / weights.sum())
