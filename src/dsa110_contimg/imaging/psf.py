"""The point spread function as a Gaussian beam, and the peaks that point sources make."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage
from scipy.optimize import least_squares, minimize

from dsa110_contimg.errors import UsageError
from dsa110_contimg.images.fits import RestoringBeam

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How far from a place the peak is sought [pixels].
SEARCH = 8
# The Gaussian beam is fitted to the part of the main lobe above this level.
_LOBE = 0.4
_SPLINE = 5
_FINELY = {"xatol": 1e-5, "fatol": 1e-9}
# A spline is exact so many pixels from the edge of what it was made of.
_MARGIN = 8


class Peak(NamedTuple):
    """A maximum of an image: its brightness, and its pixel, counted from 0, x to the west and y to the north."""

    value: float
    x: float
    y: float


def fit_beam(psf: NDArray[np.floating], cell_rad: float) -> RestoringBeam:
    """Fit an elliptical Gaussian of height 1 to the main lobe of a PSF.

    Parameters
    ----------
    psf : (N, N) ndarray
        1 at pixel (N // 2, N // 2); right ascension falls along the second axis.
    cell_rad : float
        Pixel size [rad].

    Raises
    ------
    UsageError
        The main lobe is too few pixels wide to be fitted.
    """
    centre = psf.shape[0] // 2
    y, x = np.nonzero(_main_lobe(psf, _LOBE))
    if y.size < 6:
        raise UsageError(f"the beam covers only {y.size} pixels", remedy="make the pixels smaller")
    east, north = float(centre) - x, y - float(centre)
    measured = psf[y, x]
    # exp(-q) with q = a east^2 + 2 b east north + c north^2; -ln of the PSF is about that form, and a first guess.
    terms = np.stack([east**2, 2 * east * north, north**2], axis=1)
    guess, *_ = np.linalg.lstsq(terms, -np.log(measured), rcond=None)
    fit = least_squares(lambda form: np.exp(-terms @ form) - measured, guess)
    a, b, c = fit.x
    curvatures, axes = np.linalg.eigh([[a, b], [b, c]])
    if curvatures[0] <= 0.0:
        raise UsageError("the PSF has no peak in the middle", remedy="make the image larger")
    major, minor = np.degrees(2 * np.sqrt(np.log(2.0) / curvatures) * cell_rad)
    pa_deg = np.degrees(np.arctan2(axes[0, 0], axes[1, 0]))
    return RestoringBeam(float(major), float(minor), float((pa_deg + 90.0) % 180.0 - 90.0))


def find_peak(image: NDArray[np.floating], x: float, y: float) -> Peak:
    """Find the maximum of a dirty image near a place, between the pixels.

    In a naturally weighted dirty image that is the most likely position and flux density of a lone source: the image
    is the correlation of the visibilities with those of a source at each place. Near the phase centre or far from it,
    all visibilities of the source are in phase there, though the PSF around it changes with w. Pixels must be as small
    as half a fringe of the longest baselines, and better smaller.

    Parameters
    ----------
    image : (N, N) ndarray
        Brightness.
    x, y : float
        Where to look [pixels from 0]: the brightest pixel within `SEARCH` pixels is refined.

    Raises
    ------
    UsageError
        The place is too near the edge.
    """
    column, row = round(x), round(y)
    half = SEARCH + _MARGIN
    if not (half <= min(row, column) and max(row, column) < image.shape[0] - half):
        raise UsageError(f"pixel ({x:.1f}, {y:.1f}) is too near the edge for a fit")
    stamp = image[row - half : row + half + 1, column - half : column + half + 1]
    spline = ndimage.spline_filter(stamp.astype(np.float64), _SPLINE)
    within = stamp[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    brightest = np.array(np.unravel_index(np.argmax(within), within.shape)) + _MARGIN
    scale = abs(float(stamp[tuple(brightest)])) or 1.0

    def depth(place: NDArray[np.float64]) -> float:
        return -float(ndimage.map_coordinates(spline, place[:, None], order=_SPLINE, prefilter=False)[0]) / scale

    top = minimize(depth, brightest.astype(np.float64), method="Nelder-Mead", options=_FINELY)
    return Peak(-scale * float(top.fun), column - half + float(top.x[1]), row - half + float(top.x[0]))


def _main_lobe(psf: NDArray[np.floating], level: float) -> NDArray[np.bool_]:
    """Pixels above a level that are connected with the middle."""
    lobes, _ = ndimage.label(psf > level)
    return np.asarray(lobes == lobes[psf.shape[0] // 2, psf.shape[1] // 2])
