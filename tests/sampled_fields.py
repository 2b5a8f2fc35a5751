"""Samples of point sources that drift through the beam, in memory: for tests of the imager."""

from typing import NamedTuple

import numpy as np

from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.observation import Observation
from dsa110_contimg.imaging.samples import Samples
from dsa110_contimg.telescope.band import CHANNEL_WIDTH_HZ, HEADER_SITE, INTEGRATION_S, band_frequencies_hz
from dsa110_contimg.telescope.beams import AiryBeam
from dsa110_contimg.telescope.geometry import (
    aberration_scale,
    apparent_directions,
    meridian_frame,
    meridian_icrs,
    uvw_basis,
)
from dsa110_contimg.telescope.prediction import PointSources, predict
from dsa110_contimg.telescope.stations import WORKING_STATIONS, load_stations

START_MJD = 60953.52083
# The antennas of the tee's core: baselines of 450 m, so that 30 arcsec are fine pixels.
CORE = tuple(n for n in WORKING_STATIONS if n < 100)


class SampledField(NamedTuple):
    """What a test needs of a field: its samples, their origin, pixels, and where the sources are in the image."""

    samples: Samples
    observation: Observation
    grid: Grid
    columns: tuple[int, ...]
    rows: tuple[int, ...]


def sampled_field(
    offsets,
    flux_jy,
    *,
    dec_deg=54.57,
    n_pixels=256,
    cell_arcsec=40.0,
    stations=CORE[::3],
    n_times=24,
    every=96,
    alpha=0.0,
    beam=None,
    noise_jy=0.0,
):
    """Sources in the middle of pixels, so many to the east and north of the phase centre; seen by some antennas.

    The times are spread over the 309 s of a group, and each channel stands for `every` of the band.
    """
    table = load_stations()
    places = table.itrf_m[np.isin(table.numbers, stations)]
    length_days = 24 * INTEGRATION_S / 86400
    mjd = START_MJD + (np.arange(n_times) + 0.5) / n_times * length_days
    middle, dec_rad = START_MJD + length_days / 2, np.radians(dec_deg)
    ra_deg, centre_dec_deg = (float(v[0]) for v in meridian_icrs(dec_rad, middle, HEADER_SITE))
    freq_hz = band_frequencies_hz().reshape(-1, every).mean(axis=1)
    scale = aberration_scale(ra_deg, centre_dec_deg, middle, HEADER_SITE)
    grid = Grid(n_pixels, np.radians(cell_arcsec / 3600), scale)
    antenna1, antenna2 = np.triu_indices(len(places), 1)
    meridian_m = meridian_frame(places - places.mean(axis=0), HEADER_SITE)
    baselines = meridian_m[antenna1] - meridian_m[antenna2]
    bases = uvw_basis(ra_deg, centre_dec_deg, mjd, HEADER_SITE)
    sources = _sources(np.array(offsets, dtype=float), flux_jy, alpha, grid, (ra_deg, centre_dec_deg))
    centres = apparent_directions(ra_deg, centre_dec_deg, mjd, HEADER_SITE)[:, 0]
    predicted = predict(
        sources, places, (antenna1, antenna2), mjd, dec_rad, HEADER_SITE, freq_hz, beam or AiryBeam(), centres
    )
    visibilities = np.concatenate(list(predicted))
    noise = np.random.default_rng(7).standard_normal((2, *visibilities.shape)) * noise_jy
    samples = Samples(
        np.concatenate([baselines @ basis.T for basis in bases]),
        freq_hz,
        CHANNEL_WIDTH_HZ * every,
        (visibilities + noise[0] + 1j * noise[1]).astype(np.complex64),
        np.full(visibilities.shape, 1.0 / noise_jy**2 if noise_jy else 1.0, dtype=np.float32),
        np.repeat(mjd, antenna1.size),
        np.tile(antenna1, n_times).astype(np.int32),
        np.tile(antenna2, n_times).astype(np.int32),
    )
    observation = Observation(
        ra_deg=ra_deg,
        dec_deg=centre_dec_deg,
        freq_hz=freq_hz,
        channel_width_hz=CHANNEL_WIDTH_HZ * every,
        start_mjd=START_MJD,
        middle_mjd=middle,
        end_mjd=START_MJD + length_days,
        aberration_scale=scale,
        telescope="OVRO_MMA",
        site=HEADER_SITE,
        pointing_dec_rad=dec_rad,
        times_mjd=mjd,
        interval_s=length_days / n_times * 86400,
        antenna_itrf_m=places,
        diameters_m=np.full(len(places), 4.65),
        working=np.arange(len(places)),
    )
    columns, rows = (tuple(n_pixels // 2 + sign * int(p[axis]) for p in offsets) for axis, sign in ((0, -1), (1, 1)))
    return SampledField(samples, observation, grid, columns, rows)


def _sources(offsets, flux_jy, alpha, grid, centre_deg):
    """Sources at offsets in pixels; pixels are those of ICRS."""
    east, north = (offsets * grid.cell_rad).T
    forward = np.sqrt(1.0 - east**2 - north**2)
    ra, dec = np.radians(centre_deg)
    ra_rad = ra + np.arctan2(east, forward * np.cos(dec) - north * np.sin(dec))
    dec_rad = np.arcsin(north * np.cos(dec) + forward * np.sin(dec))
    flux = np.array(flux_jy, dtype=float)
    return PointSources(np.degrees(ra_rad), np.degrees(dec_rad), flux, np.full(flux.size, alpha))
