"""Which of the sources found on an image are which of a reference list: by their distance over its error.

The de Ruiter radius of two places is r^2 = (d_ra cos dec)^2 / (s_ra1^2 + s_ra2^2) + d_dec^2 / (s_dec1^2 + s_dec2^2)
(de Ruiter, Willis & Arp 1977, A&AS 28, 211). Of two places that are the same it exceeds r with probability
exp(-r^2 / 2): 1e-7 at 5.68 (Scheers 2011, PhD thesis, University of Amsterdam, section 3.2.3).

What all places of an image are off by, as the ionosphere has it, is measured first and taken off; what single ones are
off by beyond their errors counts as an error of theirs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.matching import SkyIndex, match
from dsa110_contimg.photometry.ties import robust_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_ARCSEC = 3600.0
# From so many sources on, what they share is taken off.
_LEAST_SHARED = 5


class Relation(StrEnum):
    """What a source that was found is to a list."""

    ONE_TO_ONE = "one-to-one"  # a source of the list, and no other is near
    MANY_TO_ONE = "many-to-one"  # several of the list are near: it is the nearest of them, or all in one
    ONE_TO_MANY = "one-to-many"  # one of the list was found as several, of which this is the nearest
    PART = "part"  # ... and this another: a source of its own, if it can be told apart
    NEW = "new"  # none of the list is near


class Places(NamedTuple):
    """Places and their errors: degrees (ICRS), and arcseconds on the sky; each (S,) float64."""

    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    e_ra_arcsec: NDArray[np.float64]
    e_dec_arcsec: NDArray[np.float64]


class Offset(NamedTuple):
    """How far east and north an image has its sources of those of a list, all together [arcsec].

    Attributes
    ----------
    east, north, e_east, e_north : float
        Robust means and their errors; 0 where there are too few.
    more : float
        What single ones are off by beyond their errors, along an axis.
    n : int
        How many were compared.
    """

    east: float = 0.0
    north: float = 0.0
    e_east: float = 0.0
    e_north: float = 0.0
    more: float = 0.0
    n: int = 0


class Association(NamedTuple):
    """Who is who.

    Attributes
    ----------
    offset : Offset
        What was taken off the places found.
    places : Places
        Those that were found, without it.
    relation : tuple of Relation
        Of each that was found, (F,).
    listed : (F,) int64
        Index in the list of what each is; -1 of parts and of what is new.
    radius, separation_arcsec : (F,) float64
        De Ruiter radius and distance of the nearest in the list; infinite where none is within reach.
    nearest : (F,) int64
        Its index, also where it is too far to be the same; -1 where none is within reach.
    rivals : tuple of tuple of int
        Indices in the list of others that each may be, (F,).
    """

    offset: Offset
    places: Places
    relation: tuple[Relation, ...]
    listed: NDArray[np.int64]
    radius: NDArray[np.float64]
    separation_arcsec: NDArray[np.float64]
    nearest: NDArray[np.int64]
    rivals: tuple[tuple[int, ...], ...]


class _Pairs(NamedTuple):
    """Pairs within reach: indices of found and listed, de Ruiter radius, distance [arcsec]; by rising radius."""

    found: NDArray[np.int64]
    listed: NDArray[np.int64]
    radius: NDArray[np.float64]
    apart: NDArray[np.float64]


def associate(found: Places, known: Places, reach_arcsec: float, radius_sigma: float) -> Association:
    """Tell which of the places found are which of a list.

    Parameters
    ----------
    found, known : Places
        What was found on an image, and the list.
    reach_arcsec : float
        However large errors are, nothing is the same that is farther apart: the beam's major axis.
    radius_sigma : float
        De Ruiter radius up to which two are the same.

    Returns
    -------
    Association
        One to one where it can be: pairs are taken by rising radius, each place once.
    """
    offset = shared_offset(found, known, reach_arcsec / 2)
    places = moved(found, offset)
    pairs = _pairs(places, known, reach_arcsec)
    n_found, n_known = len(found.ra_deg), len(known.ra_deg)
    radius, apart = np.full((2, n_found), np.inf)
    nearest, listed = np.full((2, n_found), -1)
    taken = np.full(n_known, -1)
    mates: list[list[int]] = [[] for _ in range(n_found)]
    for one, other, r, d in zip(*(column.tolist() for column in pairs), strict=True):
        if nearest[one] < 0:
            nearest[one], radius[one], apart[one] = other, r, d
        if r > radius_sigma:
            continue
        mates[one].append(other)
        if listed[one] < 0 and taken[other] < 0:
            listed[one], taken[other] = other, one
    # How many of those found may be each of the list.
    claims = np.bincount([other for some in mates for other in some], minlength=max(n_known, 1))
    relation = [_relation(int(listed[one]), some, claims) for one, some in enumerate(mates)]
    rivals = tuple(tuple(other for other in some if other != listed[one]) for one, some in enumerate(mates))
    return Association(offset, places, tuple(relation), listed, radius, apart, nearest, rivals)


def _relation(listed: int, mates: list[int], claims: NDArray[np.int64]) -> Relation:
    if not mates:
        return Relation.NEW
    if listed < 0:
        return Relation.PART
    if len(mates) > 1:
        return Relation.MANY_TO_ONE
    return Relation.ONE_TO_MANY if claims[listed] > 1 else Relation.ONE_TO_ONE


def shared_offset(found: Places, known: Places, reach_arcsec: float) -> Offset:
    """Measure what all places are off by: the robust mean over pairs that are each other's nearest, and alone."""
    if not len(found.ra_deg) or not len(known.ra_deg):
        return Offset()
    pairs = match(found.ra_deg, found.dec_deg, known.ra_deg, known.dec_deg, reach_arcsec)
    if len(known.ra_deg) > 1:
        _, next_one = SkyIndex(known.ra_deg, known.dec_deg).nearest(known.ra_deg, known.dec_deg, neighbour=2)
        lonely = next_one[pairs.second] > 2 * reach_arcsec
        ours, theirs = pairs.first[lonely], pairs.second[lonely]
    else:
        ours, theirs = pairs.first, pairs.second
    if len(ours) < _LEAST_SHARED:
        return Offset(n=len(ours))
    east, north = _offsets(found, known, ours, theirs)
    e_east = np.hypot(found.e_ra_arcsec[ours], known.e_ra_arcsec[theirs])
    e_north = np.hypot(found.e_dec_arcsec[ours], known.e_dec_arcsec[theirs])
    along, up = robust_mean(east, e_east), robust_mean(north, e_north)
    more = [
        max(mean.scatter**2 - float(np.median(errors)) ** 2, 0.0) for mean, errors in ((along, e_east), (up, e_north))
    ]
    return Offset(along.value, up.value, along.error, up.error, float(np.sqrt(np.mean(more))), len(ours))


def moved(places: Places, offset: Offset) -> Places:
    """Take an offset off places; its errors, and what single ones are off by, go into theirs."""
    dec = places.dec_deg - offset.north / _ARCSEC
    return Places(
        (places.ra_deg - offset.east / _ARCSEC / np.cos(np.radians(places.dec_deg))) % 360.0,
        dec,
        np.sqrt(places.e_ra_arcsec**2 + offset.e_east**2 + offset.more**2),
        np.sqrt(places.e_dec_arcsec**2 + offset.e_north**2 + offset.more**2),
    )


def _pairs(found: Places, known: Places, reach_arcsec: float) -> _Pairs:
    pairs = np.array(list(_within(found, known, reach_arcsec)), np.int64).reshape(-1, 2)
    ours, theirs = pairs[:, 0], pairs[:, 1]
    east, north = _offsets(found, known, ours, theirs)
    # A catalogue may know no errors: a thousandth of an arcsecond is better than none.
    e_ra = np.maximum(np.hypot(found.e_ra_arcsec[ours], known.e_ra_arcsec[theirs]), 1e-3)
    e_dec = np.maximum(np.hypot(found.e_dec_arcsec[ours], known.e_dec_arcsec[theirs]), 1e-3)
    radius = np.hypot(east / e_ra, north / e_dec)
    order = np.lexsort((theirs, ours, radius))
    return _Pairs(ours[order], theirs[order], radius[order], np.hypot(east, north)[order])


def _within(found: Places, known: Places, reach_arcsec: float) -> Iterator[tuple[int, int]]:
    if not len(known.ra_deg):
        return
    sky = SkyIndex(known.ra_deg, known.dec_deg)
    for one, (ra, dec) in enumerate(zip(found.ra_deg.tolist(), found.dec_deg.tolist(), strict=True)):
        for other in sky.within(ra, dec, reach_arcsec / _ARCSEC).tolist():
            yield one, other


def _offsets(
    found: Places, known: Places, ours: NDArray[np.int64], theirs: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far east and north of the listed the found are [arcsec]."""
    east = (found.ra_deg[ours] - known.ra_deg[theirs] + 180.0) % 360.0 - 180.0
    east *= np.cos(np.radians(known.dec_deg[theirs])) * _ARCSEC
    return east, (found.dec_deg[ours] - known.dec_deg[theirs]) * _ARCSEC
