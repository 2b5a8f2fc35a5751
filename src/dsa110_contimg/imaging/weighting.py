"""Weighting of the uv plane: natural, uniform, Briggs; a Gaussian taper.

With W_k the sum of the weights w_i of the samples in cell k of the uv plane, uniform weighting divides w_i by W_k, and
Briggs weighting by 1 + W_k f^2, where f^2 = (5 10^-R)^2 / (sum W_k^2 / sum w_i) (Briggs 1995, PhD thesis, New Mexico
Institute of Mining and Technology, section 3). Cells and robustness are as in WSClean and CASA, so that the same
settings give the same PSF; what was averaged counts where it was before, so that averaging does not change it. As
WSClean does unless it is told otherwise, the factor of a lone cell is held down to three times the mean of the cells
around it, lest a few samples count for too much.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.imaging.samples import Extent, Samples
from dsa110_contimg.imaging.weighting_kernels import count, hold_down, weigh
from dsa110_contimg.telescope.geometry import SIDEREAL_RAD_S, SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.observation import Observation

#: A cell of the uv plane is the inverse of the image's width as WSClean pads it: by this, to a multiple of 4 pixels.
PADDING = 1.2
_MULTIPLE = 4

# What the factor of a cell may be over the mean of those within a window of so many cells.
_RANK_LIMIT, _RANK_WINDOW = 3.0, 16
# Each thread counts in cells of its own: more threads would take more memory than time.
_MOST_THREADS = 4
# FWHM of a Gaussian of standard deviation 1.
_FWHM = float(np.sqrt(8 * np.log(2)))
_ARCSEC = float(np.pi / 180 / 3600)
# Of the expected weights: cells that the longest baseline crosses from one moment or channel to the next.
_CELLS_A_STEP = 2.0
_DAYS = 86400.0


class Weighting(NamedTuple):
    """What `apply_weighting` makes.

    Attributes
    ----------
    weights : (N, C) float32
        Imaging weights; only their ratios count. 0 where the samples' weights are, and where the pixels are too large
        for a sample (beyond half a wavelength in a pixel).
    facts : dict
        Figures for records: the noise of the image that the weights tell (``thermal_jy``, Jy/beam, if they are inverse
        variances in Jy), what it would be at natural weighting, and how.
    """

    weights: NDArray[np.float32]
    facts: dict[str, Any]


def apply_weighting(samples: Samples, grid: Grid, settings: ImageSettings) -> Weighting:
    """Weigh the samples as ``weighting``, ``robust`` and ``taper_arcsec`` say, all channels in one uv plane.

    Parameters
    ----------
    samples : Samples
        With their inverse variances.
    grid : Grid
        Its size tells that of the cells in which weights are counted.
    settings : ImageSettings
        What is wanted; ``threads``.
    """
    pixel_rad = grid.cell_rad * grid.magnification
    n_cells = _MULTIPLE * int(np.ceil(round(PADDING * grid.n_pixels, 6) / _MULTIPLE))
    threads = min(settings.n_threads, _MOST_THREADS)
    out = np.empty(samples.weights.shape, np.float32)
    factors, sums = _weigh(samples, n_cells, n_cells * pixel_rad, settings, threads, out)
    total, squares, natural = sums
    facts: dict[str, Any] = {
        "weighting": settings.weighting,
        "robust": settings.robust if settings.weighting == "briggs" else None,
        "taper_arcsec": settings.taper_arcsec,
        "cell_wavelengths": float(1 / (n_cells * pixel_rad)),
        "cells": int(np.count_nonzero(factors)),
        "samples": int(np.count_nonzero(out)),
        "thermal_jy": float(np.sqrt(squares) / total) if total > 0 else None,
        "thermal_natural_jy": float(1 / np.sqrt(natural)) if natural > 0 else None,
    }
    return Weighting(out, facts)


def expected_weights(observation: Observation, radius_rad: float, settings: ImageSettings) -> NDArray[np.float64]:
    """Tell what weight baselines are going to have in an image, if all samples are equally good.

    Parameters
    ----------
    observation : Observation
        Its baselines, channels and times, of which some stand for all.
    radius_rad : float
        Half the width of the image [rad].
    settings : ImageSettings
        The weighting, and the range of baselines.

    Returns
    -------
    (P,) float64
        Of `Observation.pairs`; their sum is 1, or 0 if no baseline is within the range.
    """
    width_rad = 2 * PADDING * radius_rad
    freq_hz, times_mjd = observation.freq_hz, observation.times_mjd
    # The longest baseline crosses so many cells over the band, and, as the sky turns, in time.
    cells = observation.longest_baseline_m * freq_hz.max() / SPEED_OF_LIGHT * width_rad
    over_band = cells * (freq_hz.max() / freq_hz.min() - 1)
    over_time = cells * SIDEREAL_RAD_S * (times_mjd[-1] - times_mjd[0]) * _DAYS
    some_hz = np.ascontiguousarray(_some(freq_hz, over_band / _CELLS_A_STEP))
    rows_m = observation.uvw_m(_some(times_mjd, over_time / _CELLS_A_STEP))
    n_moments, n_baselines = rows_m.shape[:2]
    rows_m = np.ascontiguousarray(rows_m.reshape(-1, 3))
    used = in_range(rows_m, settings)
    weights = np.repeat(used[:, None].astype(np.float32), some_hz.size, axis=1)
    out = np.empty_like(weights)
    nothing = np.zeros(used.size, np.int32)
    samples = Samples(rows_m, some_hz, 0.0, np.empty(0, np.complex64), weights, np.zeros(used.size), nothing, nothing)
    _weigh(samples, 2 * (int(cells) + 2), width_rad, settings, min(settings.n_threads, _MOST_THREADS), out)
    sums = out.sum(axis=1, dtype=np.float64).reshape(n_moments, n_baselines).sum(axis=0)
    total = float(sums.sum())
    return np.asarray(sums / total) if total > 0 else sums


def in_range(uvw_m: NDArray[np.float64], settings: ImageSettings) -> NDArray[np.bool_]:
    """Tell which rows (N, 3) are of baselines, projected, within ``min_uv_m`` and ``max_uv_m``: (N,)."""
    uv_m = np.hypot(uvw_m[:, 0], uvw_m[:, 1])
    within = uv_m >= settings.min_uv_m
    if settings.max_uv_m is not None:
        within &= uv_m <= settings.max_uv_m
    return within


def _some(values: NDArray[np.float64], count: float) -> NDArray[np.float64]:
    """Take about so many, evenly spaced, from the middle of the steps between them."""
    step = max(1, int(values.size / max(count, 1.0)))
    return values[step // 2 :: step]


def _weigh(
    samples: Samples,
    n_cells: int,
    per_wavelength: float,
    settings: ImageSettings,
    threads: int,
    out: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fill `out` with imaging weights; return the factors of the cells and the sums of `weighting_kernels.weigh`."""
    n_rows = samples.uvw_m.shape[0]
    extent = samples.extent or Extent(1, np.ones(n_rows, np.int64), np.zeros((n_rows, 2)))
    cuts = np.linspace(0, n_rows, threads + 1).astype(np.int64)
    parts = [slice(first, last) for first, last in itertools.pairwise(cuts)]

    def rows(part: slice) -> tuple[Any, ...]:
        averaged = (extent.channels, samples.channel_width_hz, extent.times[part], extent.span_m[part])
        return samples.uvw_m[part], samples.freq_hz, samples.weights[part], per_wavelength, *averaged

    def counted(part: slice) -> NDArray[np.float64]:
        cells = np.zeros((n_cells // 2, n_cells))
        count(*rows(part), cells)
        return cells

    with ThreadPoolExecutor(threads) as pool:
        if settings.weighting == "natural":
            factors = np.ones((n_cells // 2, n_cells))
        else:
            first, *others = pool.map(counted, parts)
            for cells in others:
                first += cells
            factors = _factors(first, settings)
        taper = _taper(settings)

        def weighed(part: slice) -> tuple[float, float, float]:
            return weigh(*rows(part), factors, taper, out[part])

        return factors, np.sum(list(pool.map(weighed, parts)), axis=0)


def _factors(cells: NDArray[np.float64], settings: ImageSettings) -> NDArray[np.float64]:
    """Turn sums of weights into what weights are multiplied by."""
    used = cells > 0
    if settings.weighting == "uniform":
        factors = np.divide(1.0, cells, out=np.zeros_like(cells), where=used)
    else:
        total, squares = cells.sum(), np.vdot(cells, cells)
        f_squared = (5 * 10**-settings.robust) ** 2 * total / squares if squares > 0 else 0.0
        factors = np.where(used, 1 / (1 + cells * f_squared), 0.0)
    return hold_down(factors, _RANK_WINDOW, _RANK_LIMIT)


def _taper(settings: ImageSettings) -> float:
    """Return the factor of (u^2 + v^2), in wavelengths, in the exponent of the transform of the Gaussian beam."""
    if settings.taper_arcsec is None:
        return 0.0
    sigma_rad = settings.taper_arcsec * _ARCSEC / _FWHM
    return 2 * (np.pi * sigma_rad) ** 2
