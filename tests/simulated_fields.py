"""Fields of many sources as small Measurement Sets, and what an image of them should show."""

import numpy as np

from dsa110_contimg.telescope.beams import AiryBeam
from point_source_truth import airy_power
from predicted_ms import PredictedMs
from sky_truth import hour_angle_and_dec

STATIONS = (*range(1, 48, 3), 49, 51, 68, 72, 76, 80, 84, 88, 92, 96, 99, 100, 103, 104, 105)
"""Tee and inner outriggers."""
CORE = tuple(n for n in (*range(1, 52), *range(68, 100)) if n not in {10, 21, 22, 23})
"""The tee alone: baselines up to 485 m."""
SAMPLE_NOISE_JY = 2.59
"""Rms of the real part of a sample of one channel, integration and polarization."""


def scatter(number, rng, radius_deg, apart_deg):
    """Offsets (east, north) [deg] within a radius, none nearer than `apart_deg` to another."""
    found = np.empty((0, 2))
    while len(found) < number:
        offset = rng.uniform(-radius_deg, radius_deg, 2)
        if np.hypot(*offset) < radius_deg and (np.hypot(*(found - offset).T) > apart_deg).all():
            found = np.concatenate([found, [offset]])
    return found


def make_field(path, offsets_deg, flux_jy, *, every=32, noise=False, beam="drifts", **options):
    """A group of the array's core through the drifting beam; `noise` is that of the receivers."""
    noise_jy = SAMPLE_NOISE_JY / np.sqrt(every) if noise else 0.0
    seen = {"drifts": AiryBeam(), "flat": None}[beam]
    options = {"stations": STATIONS, "n_times": 24, "step": 1} | options
    return PredictedMs(path, offsets_deg, flux_jy, beam=seen, every=every, noise_jy=noise_jy, **options)


def mean_power(ms, site):
    """Power of the Airy beam at each source, averaged over integrations and channels, by astropy and scipy."""
    pointing = ms.dec_rad
    powers = []
    for ra, dec in zip(ms.sources.ra_deg, ms.sources.dec_deg, strict=True):
        hour_angle, apparent = np.radians(hour_angle_and_dec(ra, dec, ms.mjd, site))
        cosine = np.sin(pointing) * np.sin(apparent) + np.cos(pointing) * np.cos(apparent) * np.cos(hour_angle)
        powers.append(airy_power(np.sqrt(1 - cosine**2)[:, None], ms.freq_hz).mean())
    return np.array(powers)
