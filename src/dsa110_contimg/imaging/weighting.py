"""Weighting of the uv plane: natural, uniform, Briggs; a Gaussian taper.

With W_k the sum of the weights w_i of the samples in cell k of the uv plane, uniform weighting divides w_i by W_k, and
Briggs weighting by 1 + W_k f^2, where f^2 = (5 10^-R)^2 / (sum W_k^2 / sum w_i) (Briggs 1995, PhD thesis, New Mexico
Institute of Mining and Technology, section 3). Cells and robustness are as in WSClean and CASA, so that the same
settings give the same PSF.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.imaging.weighting_kernels import count, weigh
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.samples import Samples

#: A cell of the uv plane is the inverse of the image's width times this, as WSClean's padded image is wider.
PADDING = 1.2

# Each thread counts in cells of its own: more threads would take more memory than time.
_MOST_THREADS = 4
# FWHM of a Gaussian of standard deviation 1.
_FWHM = float(np.sqrt(8 * np.log(2)))
_ARCSEC = float(np.pi / 180 / 3600)
# Of the expected weights: channels and pixels that stand for all.
_SOME_CHANNELS = 8
_SOME_CELLS = 4096


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
    n_cells = 2 * -(-round(PADDING * grid.n_pixels) // 2)
    threads = min(settings.n_threads, _MOST_THREADS)
    out = np.empty(samples.weights.shape, np.float32)
    args = (samples.uvw_m, samples.freq_hz, samples.weights)
    factors, sums = _weigh(*args, n_cells, n_cells * pixel_rad, settings, threads, out)
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


def expected_weights(
    uvw_m: NDArray[np.float64], freq_hz: NDArray[np.float64], radius_rad: float, settings: ImageSettings
) -> NDArray[np.float64]:
    """Tell what weight baselines are going to have in an image, if all samples are equally good.

    Parameters
    ----------
    uvw_m : (M, P, 3) float64
        Baselines at some moments [m].
    freq_hz : (C,) float64
        The channels, of which a few stand for all [Hz].
    radius_rad : float
        Half the width of the image [rad].
    settings : ImageSettings
        The weighting.

    Returns
    -------
    (M, P) float64
        Sums over the channels, in proportion.
    """
    some_hz = freq_hz[:: -(-freq_hz.size // _SOME_CHANNELS)]
    rows_m = np.ascontiguousarray(uvw_m.reshape(-1, 3))
    if rows_m.size == 0:
        return np.ones(uvw_m.shape[:2])
    width_rad = 2 * PADDING * radius_rad
    farthest = np.hypot(rows_m[:, 0], rows_m[:, 1]).max() * some_hz.max() / SPEED_OF_LIGHT
    n_cells = min(2 * (int(farthest * width_rad) + 2), _SOME_CELLS)
    weights = np.ones((rows_m.shape[0], some_hz.size), np.float32)
    out = np.empty_like(weights)
    _weigh(rows_m, some_hz, weights, n_cells, width_rad, settings, 1, out)
    return out.sum(axis=1, dtype=np.float64).reshape(uvw_m.shape[:2])


def _weigh(
    uvw_m: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    weights: NDArray[np.float32],
    n_cells: int,
    per_wavelength: float,
    settings: ImageSettings,
    threads: int,
    out: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fill `out` with imaging weights; return the factors of the cells and the sums of `weighting_kernels.weigh`."""
    cuts = np.linspace(0, uvw_m.shape[0], threads + 1).astype(np.int64)
    parts = [slice(first, last) for first, last in itertools.pairwise(cuts)]
    with ThreadPoolExecutor(threads) as pool:

        def counted(part: slice) -> NDArray[np.float64]:
            cells = np.zeros((n_cells // 2, n_cells))
            count(uvw_m[part], freq_hz, weights[part], per_wavelength, cells)
            return cells

        if settings.weighting == "natural":
            factors = np.ones((n_cells // 2, n_cells))
        else:
            first, *others = pool.map(counted, parts)
            for cells in others:
                first += cells
            factors = _factors(first, settings)
        taper = _taper(settings)

        def weighed(part: slice) -> tuple[float, float, float]:
            return weigh(uvw_m[part], freq_hz, weights[part], per_wavelength, factors, taper, out[part])

        return factors, np.sum(list(pool.map(weighed, parts)), axis=0)


def _factors(cells: NDArray[np.float64], settings: ImageSettings) -> NDArray[np.float64]:
    """Turn sums of weights into what weights are multiplied by."""
    used = cells > 0
    factors = np.zeros_like(cells)
    if settings.weighting == "uniform":
        factors[used] = 1 / cells[used]
        return factors
    total, squares = cells.sum(), np.vdot(cells, cells)
    f_squared = (5 * 10**-settings.robust) ** 2 * total / squares if squares > 0 else 0.0
    factors[used] = 1 / (1 + cells[used] * f_squared)
    return factors


def _taper(settings: ImageSettings) -> float:
    """Return the factor of (u^2 + v^2), in wavelengths, in the exponent of the transform of the Gaussian beam."""
    if settings.taper_arcsec is None:
        return 0.0
    sigma_rad = settings.taper_arcsec * _ARCSEC / _FWHM
    return 2 * (np.pi * sigma_rad) ** 2
