"""Errors of Gaussians fitted to an image of which the noise is correlated over the beam: Condon 1997, PASP 109, 166.

His equations 20, 21 and 41 to 43, for a beam that is not round: its width across is taken along each axis of the
source, and its solid angle where a product of widths stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.photometry.shapes import area, axes_of, width_along

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_EIGHT_LN_2 = 8.0 * np.log(2.0)
_MOST_PA_DEG = 90.0


class FitErrors(NamedTuple):
    """Standard deviations of what a fit gives, each (S,).

    Attributes
    ----------
    peak, flux : ndarray
        Relative errors of the peak, and of the flux density that is the area under the Gaussian.
    point : ndarray
        Relative error of the geometric mean of the two, the flux density of what is known to be a point.
    position : (S, 2, 2) ndarray
        Covariance of the position in (east, north), in the unit of the widths squared.
    major, minor : ndarray
        Errors of the axes, in their unit.
    pa_deg : ndarray
        Error of the position angle, at most 90 deg.
    """

    peak: NDArray[np.float64]
    flux: NDArray[np.float64]
    point: NDArray[np.float64]
    position: NDArray[np.float64]
    major: NDArray[np.float64]
    minor: NDArray[np.float64]
    pa_deg: NDArray[np.float64]


def fit_errors(snr: ArrayLike, shape: NDArray[np.float64], beam: NDArray[np.float64]) -> FitErrors:
    """Say how well free Gaussians are measured.

    Parameters
    ----------
    snr : (S,) array_like
        Peak over noise.
    shape : (S, 2, 2) ndarray
        The Gaussians as they are in the image, see `shapes`.
    beam : (2, 2) ndarray
        The beam, in the same unit.

    Returns
    -------
    FitErrors
    """
    snr = np.asarray(snr, np.float64)
    major, minor, pa_deg = axes_of(shape)
    along = (width_along(beam, pa_deg) / major) ** 2
    across = (width_along(beam, pa_deg + 90.0) / minor) ** 2
    beams = area(shape) / area(beam)

    def relative(a_major: float, a_minor: float) -> NDArray[np.float64]:
        """Square root of 2 over his rho(a_M, a_m)."""
        rho_2 = beams / 4.0 * (1.0 + along) ** a_major * (1.0 + across) ** a_minor * snr**2
        return np.asarray(np.sqrt(2.0 / rho_2))

    peak, on_major, on_minor = relative(1.5, 1.5), relative(2.5, 0.5), relative(0.5, 2.5)
    on_area = (on_major**2 + on_minor**2) / beams
    with np.errstate(divide="ignore", invalid="ignore"):
        pa = np.degrees(np.sqrt(2.0) * on_minor * major * minor / (major**2 - minor**2))
    return FitErrors(
        peak=peak,
        flux=np.sqrt(peak**2 + on_area),
        point=np.sqrt(peak**2 + on_area / 4.0),
        position=_error_ellipse(on_major * major, on_minor * minor, pa_deg),
        major=on_major * major,
        minor=on_minor * minor,
        pa_deg=np.where(pa < _MOST_PA_DEG, pa, _MOST_PA_DEG),
    )


def _error_ellipse(
    on_major: NDArray[np.float64], on_minor: NDArray[np.float64], pa_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Covariance of positions: along an axis it is the error of that axis over sqrt(8 ln 2)."""
    a, b = on_major**2 / _EIGHT_LN_2, on_minor**2 / _EIGHT_LN_2
    pa = np.radians(pa_deg)
    sin, cos = np.sin(pa), np.cos(pa)
    cross = (a - b) * sin * cos
    return np.moveaxis(np.array([[a * sin**2 + b * cos**2, cross], [cross, a * cos**2 + b * sin**2]]), (0, 1), (-2, -1))
