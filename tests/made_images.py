"""An image as if it had been made: noise, two sources, a round beam; no gridding."""

import numpy as np

from dsa110_contimg.images.fits import RestoringBeam
from dsa110_contimg.imaging.cycle import BandImage, Cycle, Imaged
from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.observation import Observation
from dsa110_contimg.imaging.products import Provenance
from dsa110_contimg.telescope.band import CHANNEL_WIDTH_HZ, HEADER_SITE, INTEGRATION_S, band_frequencies_hz
from dsa110_contimg.telescope.stations import load_stations

GROUP = "2025-10-05T12:28:48"
CALIBRATION = {
    "tie": None,
    "sets": ["20251005T110000_3C147_1.cal", "20251005T140000_3C286_2.cal"],
    "rung": "between",
    "stale": False,
    "why": "3C147 and 3C286, interpolated",
    "scale_error": 0.03,
}
PROVENANCE = Provenance(GROUP, "20251005T122848.ms", CALIBRATION, "dsa110-contimg image a.ms out", "3C147")
N_PIXELS = 96
CELL_RAD = np.radians(20.0 / 3600.0)
SIGMA_JY = 0.001
SOURCES = ((48, 48, 1.0), (70, 30, 0.2))


def observed(n_times=24):
    """Describe a group at declination 54.57."""
    start = 60953.52
    mjd = start + (np.arange(n_times) + 0.5) * INTEGRATION_S / 86400.0
    end = start + n_times * INTEGRATION_S / 86400.0
    itrf_m = load_stations().itrf_m
    return Observation(
        ra_deg=83.7,
        dec_deg=54.55,
        freq_hz=band_frequencies_hz(),
        channel_width_hz=CHANNEL_WIDTH_HZ,
        start_mjd=start,
        middle_mjd=(start + end) / 2,
        end_mjd=end,
        aberration_scale=0.99992,
        telescope="OVRO_MMA",
        site=HEADER_SITE,
        pointing_dec_rad=np.radians(54.57),
        times_mjd=mjd,
        interval_s=INTEGRATION_S,
        antenna_itrf_m=itrf_m,
        diameters_m=np.full(len(itrf_m), 4.65),
        working=np.arange(20),
    )


def imaged(n_bands=1):
    """Make the image."""
    rng = np.random.default_rng(3)
    north, west = np.indices((N_PIXELS, N_PIXELS)) - N_PIXELS // 2
    beam = RestoringBeam(80 / 3600, 60 / 3600, 0.0)
    sigma_north, sigma_west = (axis / 2.3548 / np.degrees(CELL_RAD) for axis in (beam.major_deg, beam.minor_deg))
    psf = np.exp(-(north**2) / (2 * sigma_north**2) - west**2 / (2 * sigma_west**2))
    residual = rng.normal(0, SIGMA_JY, psf.shape)
    model, image = np.zeros_like(psf), residual.copy()
    for row, column, flux in SOURCES:
        model[row, column] = flux
        image += flux * np.roll(psf, (row - N_PIXELS // 2, column - N_PIXELS // 2), (0, 1))
    pb = np.exp(-(north**2 + west**2) / (2 * 20.0**2))
    planes = [plane.astype(np.float32) for plane in (image, residual, model, psf)]
    bands = tuple(BandImage(1.36e9 + k * 9e7, 9e7, *planes, beam) for k in range(n_bands)) if n_bands > 1 else ()
    return Imaged(
        *planes,
        pb=pb.astype(np.float32),
        bands=bands,
        beam=beam,
        grid=Grid(N_PIXELS, CELL_RAD, 0.99992),
        observation=observed(),
        freq_hz=1.405e9,
        bandwidth_hz=187.5e6,
        sum_weights=1234.5,
        thermal_jy=0.0009,
        n_visibilities=5678,
        cycles=(Cycle(0.1, 0.002, 1.1, 50, 1, 0, 2.0), Cycle(0.005, SIGMA_JY, 1.2, 120, 8, 3, 3.0)),
        diverged=False,
        weighting={"weighting": "briggs", "robust": 0.5},
        seconds=9.0,
    )
