"""How a reference list grows: by what is found and is not in it, and can be told apart from what is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.matching import SkyIndex
from dsa110_contimg.photometry.association import Places, Relation, associate
from dsa110_contimg.photometry.measurements import source_id
from dsa110_contimg.photometry.reference import ReferenceList, alive, joined, make_reference
from dsa110_contimg.photometry.sources import values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dsa110_contimg.photometry.association import Association
    from dsa110_contimg.photometry.sources import Sources

# Two sources nearer than this part of the beam cannot be measured apart.
_APART_BEAMS = 0.5
_DOUBTFUL = frozenset({"edge", "not-fitted"})


class Grown(NamedTuple):
    """A list that has grown.

    Attributes
    ----------
    reference : ReferenceList
        With what was added, and what was found to be the same.
    association : Association
        Of what was offered with what was measured before: `listed` counts in `alive(before)`.
    numbers : (F,) int64
        What each that was offered is in the list now; 0 if it is not in it.
    added : (F,) bool
        Which of them were added.
    merged : dict of int to int
        Sources of the list that were found to be others.
    """

    reference: ReferenceList
    association: Association
    numbers: NDArray[np.int64]
    added: NDArray[np.bool_]
    merged: dict[int, int]


def entries(sources: Sources, origin: str, since: str = "") -> dict[str, Any]:
    """Say of the sources of an image what a list has of its own, as columns of `ReferenceList`, in their order."""
    return {
        "ra_deg": values(sources, "ra"),
        "dec_deg": values(sources, "dec"),
        "e_ra_arcsec": values(sources, "e_ra"),
        "e_dec_arcsec": values(sources, "e_dec"),
        "flux_jy": values(sources, "flux"),
        "e_flux_jy": values(sources, "e_flux"),
        "freq_hz": np.full(len(sources), float(sources.meta["freq_hz"])),
        "alpha": np.full(len(sources), np.nan),
        "major_arcsec": np.where(values(sources, "resolved"), values(sources, "true_major"), 0.0),
        "origin": np.full(len(sources), origin),
        "since": np.full(len(sources), since),
    }


def trusted(sources: Sources, least_sigma: float) -> NDArray[np.bool_]:
    """Choose sources that may be added to a list: well above the noise, fitted, and away from the edge."""
    doubtful = [bool(_DOUBTFUL & set(words.split(","))) for words in values(sources, "flags").tolist()]
    return np.asarray((values(sources, "snr") >= least_sigma) & ~np.array(doubtful, bool))


def places_of(columns: Mapping[str, Any]) -> Places:
    """Take the places out of columns of a list."""
    return Places(
        *(np.asarray(columns[name], np.float64) for name in ("ra_deg", "dec_deg", "e_ra_arcsec", "e_dec_arcsec"))
    )


def grow(
    reference: ReferenceList,
    offered: Mapping[str, Any],
    worthy: NDArray[np.bool_],
    beam_arcsec: float,
    radius_sigma: float,
) -> Grown:
    """Add to a list what is not in it.

    Parameters
    ----------
    reference : ReferenceList
        The list.
    offered : mapping
        Columns of `ReferenceList`, (F,) each: what was found, or is in a catalogue (see `entries`).
    worthy : (F,) bool
        Which of them may be added; the others are only associated.
    beam_arcsec : float
        Major axis of the beam: nothing is the same that is farther apart, and nothing is added, or stays a source of
        its own, that is nearer than half of it.
    radius_sigma : float
        De Ruiter radius up to which two are the same.
    """
    measured = alive(reference)
    who = associate(places_of(offered), places_of(measured._asdict()), beam_arcsec, radius_sigma)
    fresh = np.array([relation in {Relation.NEW, Relation.PART} for relation in who.relation], bool)
    fresh &= worthy & (who.separation_arcsec >= _APART_BEAMS * beam_arcsec)
    fresh = _thinned(fresh, who.places, np.asarray(offered["flux_jy"], np.float64), _APART_BEAMS * beam_arcsec)
    columns = dict(offered) | who.places._asdict()
    added = make_reference(reference.strip, {name: np.asarray(column)[fresh] for name, column in columns.items()})
    merged = _merged(measured, who, _APART_BEAMS * beam_arcsec)
    grown = joined(reference, added)
    grown = grown._replace(
        same_as=np.array(
            [merged.get(int(one), int(other)) for one, other in zip(grown.source_id, grown.same_as, strict=True)],
            np.int64,
        )
    )
    numbers = np.zeros(len(fresh), np.int64)
    known = who.listed >= 0
    numbers[known] = measured.source_id[who.listed[known]]
    numbers = np.array([merged.get(int(number), int(number)) for number in numbers], np.int64)
    numbers[np.flatnonzero(fresh)[_order(who.places, fresh)]] = added.source_id
    return Grown(grown, who, numbers, fresh, merged)


def adopt(now: ReferenceList, other: ReferenceList, beam_arcsec: float) -> ReferenceList:
    """Take what an epoch added to a list into the one that is current now, which may have grown since by another.

    What is new in both, and nearer than half of the beam, is one: the number that was there first stays.

    Parameters
    ----------
    now : ReferenceList
        The current list.
    other : ReferenceList
        That of the epoch.
    beam_arcsec : float
        Major axis of the beam.
    """
    fresh = ~np.isin(other.source_id, now.source_id)
    rivals = alive(now.take(~np.isin(now.source_id, other.source_id)))
    same_as = other.same_as.copy()
    if fresh.any() and len(rivals.source_id):
        index = np.flatnonzero(fresh)
        sky = SkyIndex(rivals.ra_deg, rivals.dec_deg)
        nearest, apart = sky.nearest(other.ra_deg[index], other.dec_deg[index])
        near = apart < _APART_BEAMS * beam_arcsec
        same_as[index[near]] = rivals.source_id[nearest[near]]
    return joined(now, other._replace(same_as=same_as))


def _order(places: Places, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The order in which a list has some of these places."""
    return np.argsort(source_id(places.ra_deg[chosen], places.dec_deg[chosen]), kind="stable")


def _thinned(
    fresh: NDArray[np.bool_], places: Places, flux_jy: NDArray[np.float64], apart_arcsec: float
) -> NDArray[np.bool_]:
    """Of those that are too near to each other leave the brightest."""
    kept = fresh.copy()
    index = np.flatnonzero(fresh)
    if len(index) < 2:
        return kept
    sky = SkyIndex(places.ra_deg[index], places.dec_deg[index])
    for one in np.argsort(-np.nan_to_num(flux_jy[index]), kind="stable").tolist():
        if not kept[index[one]]:
            continue
        around = sky.within(places.ra_deg[index[one]], places.dec_deg[index[one]], apart_arcsec / 3600.0)
        kept[index[around]] = False
        kept[index[one]] = True
    return kept


def _merged(measured: ReferenceList, who: Association, apart_arcsec: float) -> dict[int, int]:
    """Sources of the list that one was found of, and that are too near to be two: the older one stays."""
    said: dict[int, int] = {}
    for one, rivals in enumerate(who.rivals):
        winner = int(who.listed[one])
        if winner < 0 or not rivals:
            continue
        sky = SkyIndex(measured.ra_deg[list(rivals)], measured.dec_deg[list(rivals)])
        near = sky.within(measured.ra_deg[winner], measured.dec_deg[winner], apart_arcsec / 3600.0)
        family = [winner, *(rivals[k] for k in near.tolist())]
        # One order for all: two epochs of the same list that merge the same pair never do it in opposite ways.
        oldest = min(family, key=lambda k: (str(measured.since[k]), int(measured.source_id[k])))
        for member in family:
            if member != oldest:
                said.setdefault(int(measured.source_id[member]), int(measured.source_id[oldest]))
    # Of two families that share a member the second does not undo the first.
    return {one: other for one, other in said.items() if other not in said}
