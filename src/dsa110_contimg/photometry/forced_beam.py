"""The error of fluxes by the primary beam, at many places at once: it is smooth, and is interpolated between a few."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from dsa110_contimg.images.fits import celestial_wcs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dsa110_contimg.images.fits import ImageHeader

#: Relative error of fluxes at right ascensions and declinations (S,) [deg] by that of the primary beam.
BeamError: TypeAlias = "Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]"

# Between places so far apart it is linear, to a few per cent of itself [deg].
_STEP_DEG = 0.4


def error_at(
    beam_error: BeamError, header: ImageHeader, shape: tuple[int, int], place: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Work out the relative error of fluxes at places of an image.

    Parameters
    ----------
    beam_error : callable
        What is to be asked: for each place, or for a grid if that has fewer.
    header : ImageHeader
        Of the image.
    shape : (int, int)
        Its pixels, (n_dec, n_ra).
    place : (S, 2) ndarray
        Columns and rows.
    """
    wcs = celestial_wcs(header, shape)
    if not len(place):
        return np.zeros(0)
    low, high = place.min(axis=0), place.max(axis=0)
    counts = np.ceil((high - low) * header.cell_deg / _STEP_DEG).astype(int) + 2
    if counts.prod() >= len(place):
        return np.asarray(beam_error(*wcs.all_pix2world(place[:, 0], place[:, 1], 0)), np.float64)
    axes = [np.linspace(a - 1e-6, b + 1e-6, n) for a, b, n in zip(low, high, counts, strict=True)]
    x, y = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    known = np.asarray(beam_error(*wcs.all_pix2world(x, y, 0)), np.float64).reshape(counts)
    return np.asarray(RegularGridInterpolator(axes, known)(place), np.float64)
