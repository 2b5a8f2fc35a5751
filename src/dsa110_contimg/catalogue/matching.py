"""Which sources of two lists are the same: nearest neighbours on the sky, by a k-d tree of unit vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ARCSEC = np.radians(1.0 / 3600.0)


class Matches(NamedTuple):
    """Pairs of sources that are each other's nearest: their indices in the two lists, and how far apart they are.

    Attributes
    ----------
    first, second : (P,) int64
        Indices; each at most once.
    separation_arcsec : (P,) float64
        Angles between them [arcsec].
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    separation_arcsec: NDArray[np.float64]


class SkyIndex:
    """Places on the sky that can be asked who is near: a k-d tree of their unit vectors, so no pole or RA 0h matters.

    Parameters
    ----------
    ra_deg, dec_deg : (S,) array_like
        Places [deg].
    """

    def __init__(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> None:
        self._tree = cKDTree(unit_vectors(ra_deg, dec_deg))

    def within(self, ra_deg: float, dec_deg: float, radius_deg: float) -> NDArray[np.int64]:
        """Return the indices of the places within a radius [deg], in rising order."""
        chord = 2.0 * np.sin(np.radians(min(radius_deg, 180.0)) / 2.0)
        found = self._tree.query_ball_point(unit_vectors(ra_deg, dec_deg)[0], chord * (1 + 1e-12))
        return np.sort(np.asarray(found, np.int64))

    def nearest(
        self, ra_deg: ArrayLike, dec_deg: ArrayLike, neighbour: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the nearest place to each of others (or the second nearest, ...), and how far it is [arcsec].

        Where there are not so many, the distance is infinite.
        """
        chord, index = self._tree.query(unit_vectors(ra_deg, dec_deg), k=[neighbour])
        apart = np.where(np.isfinite(chord[:, 0]), 2.0 * np.arcsin(np.clip(chord[:, 0] / 2.0, 0.0, 1.0)), np.inf)
        return np.asarray(index[:, 0], np.int64), apart / _ARCSEC


def match(
    ra_deg: ArrayLike, dec_deg: ArrayLike, other_ra_deg: ArrayLike, other_dec_deg: ArrayLike, radius_arcsec: float
) -> Matches:
    """Match two lists of places, one to one.

    Parameters
    ----------
    ra_deg, dec_deg : (S,) array_like
        The first list [deg].
    other_ra_deg, other_dec_deg : (T,) array_like
        The second [deg].
    radius_arcsec : float
        Pairs are no farther apart [arcsec].

    Returns
    -------
    Matches
        In the order of the first list.
    """
    first, second = SkyIndex(ra_deg, dec_deg), SkyIndex(other_ra_deg, other_dec_deg)
    forth, apart = second.nearest(ra_deg, dec_deg)
    back, _ = first.nearest(other_ra_deg, other_dec_deg)
    index = np.flatnonzero(apart <= radius_arcsec)
    index = index[back[forth[index]] == index]
    return Matches(index, forth[index], apart[index])


def unit_vectors(ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.float64]:
    """Directions as unit vectors (S, 3)."""
    ra, dec = np.radians(np.atleast_1d(ra_deg)), np.radians(np.atleast_1d(dec_deg))
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
