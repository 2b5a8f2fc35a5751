"""Elliptical Gaussians as matrices: what adds, subtracts and turns when axes and position angles do not.

A shape is a symmetric 2 x 2 matrix F in (east, north) of squared full widths at half maximum: the FWHM along a unit
vector e is sqrt(e F e). Those of a convolution add. Position angles are degrees from north through east.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Axes(NamedTuple):
    """Major and minor axes (FWHM), (S,), and position angles, (S,), from 0 to 180 [deg]."""

    major: NDArray[np.float64]
    minor: NDArray[np.float64]
    pa_deg: NDArray[np.float64]


def shape_of(major: ArrayLike, minor: ArrayLike, pa_deg: ArrayLike) -> NDArray[np.float64]:
    """Give the matrices of ellipses.

    Parameters
    ----------
    major, minor : (S,) array_like
        Full widths at half maximum, in any unit.
    pa_deg : (S,) array_like
        Position angle of the major axis, north through east [deg].

    Returns
    -------
    (S, 2, 2) ndarray
        Squared widths in (east, north), in that unit squared.
    """
    a, b = np.asarray(major, np.float64) ** 2, np.asarray(minor, np.float64) ** 2
    pa = np.radians(np.asarray(pa_deg, np.float64))
    sin, cos = np.sin(pa), np.cos(pa)
    cross = (a - b) * sin * cos
    rows = [[a * sin**2 + b * cos**2, cross], [cross, a * cos**2 + b * sin**2]]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def axes_of(shape: NDArray[np.float64]) -> Axes:
    """Give the axes of ellipses from their matrices (S, 2, 2); what is not positive has width 0."""
    squared, vectors = np.linalg.eigh(shape)
    minor, major = np.sqrt(np.clip(squared, 0.0, None)).T
    east, north = vectors[..., :, 1].T
    pa_deg = np.degrees(np.arctan2(east, north)) % 180.0
    return Axes(major, minor, np.where(pa_deg == 180.0, 0.0, pa_deg))


def deconvolve(shape: NDArray[np.float64], beam: NDArray[np.float64]) -> Axes:
    """Take a beam (2, 2) off shapes (S, 2, 2), by J. P. Wild (1970, Aust. J. Phys. 23, 113).

    An axis along which a source is not wider than the beam is 0; a point has position angle 0.
    """
    axes = axes_of(shape - beam)
    # What rounding leaves of a point is not a size.
    least = 1e-6 * np.sqrt(np.trace(beam))
    major, minor = (np.where(width > least, width, 0.0) for width in axes[:2])
    return Axes(major, minor, np.where(major > 0.0, axes.pa_deg, 0.0))


def area(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Product of the axes of ellipses (S, 2, 2): their solid angles but for a factor that all share."""
    return np.sqrt(np.clip(np.linalg.det(shape), 0.0, None))


def width_along(shape: NDArray[np.float64], pa_deg: ArrayLike) -> NDArray[np.float64]:
    """FWHM of shapes (..., 2, 2) along position angles (S,) [deg]: of the Gaussian, summed up across."""
    pa = np.radians(np.asarray(pa_deg, np.float64))
    along = np.stack([np.sin(pa), np.cos(pa)], axis=-1)
    return np.sqrt(np.einsum("...i,...ij,...j", along, shape, along))


def sky_per_plane(ra_deg: ArrayLike, dec_deg: ArrayLike, centre_deg: tuple[float, float]) -> NDArray[np.float64]:
    """How the orthographic (SIN) plane lies on the sky at some places.

    Parameters
    ----------
    ra_deg, dec_deg : (S,) array_like
        The places [deg].
    centre_deg : (float, float)
        Right ascension and declination of the tangent point [deg].

    Returns
    -------
    (S, 2, 2) ndarray
        M, so that a small step (l, m) of the plane is M (l, m) towards the local (east, north); a shape F of the plane
        is M F M^T there. It turns by the convergence of the meridians, which near a pole is much.
    """
    ra = np.radians(np.asarray(ra_deg, np.float64) - centre_deg[0])
    dec, dec_0 = np.radians(np.asarray(dec_deg, np.float64)), np.radians(centre_deg[1])
    # Derivatives of l = cos d sin a, m = sin d cos d0 - cos d sin d0 cos a towards the local east and north.
    plane_per_sky = np.array(
        [
            [np.cos(ra), -np.sin(dec) * np.sin(ra)],
            [np.sin(dec_0) * np.sin(ra), np.cos(dec) * np.cos(dec_0) + np.sin(dec) * np.sin(dec_0) * np.cos(ra)],
        ]
    )
    return np.asarray(np.linalg.inv(np.moveaxis(plane_per_sky, (0, 1), (-2, -1))))


def turned(shape: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
    """M F M^T for matrices F and M (S, 2, 2)."""
    return np.asarray(step @ shape @ np.swapaxes(step, -1, -2))
