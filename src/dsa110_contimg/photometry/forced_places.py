"""The places of forced measurements: those of a reference list, of any catalogue, or asked for by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.errors import ReferenceListError, UsageError
from dsa110_contimg.photometry.measurements import source_id
from dsa110_contimg.photometry.reference import read_list

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray


class Reference(Protocol):
    """What is used of a reference list: arrays (S,)."""

    @property
    def source_id(self) -> NDArray[np.int64]:
        """Numbers of the sources."""

    @property
    def ra_deg(self) -> NDArray[np.float64]:
        """Right ascensions, ICRS [deg]."""

    @property
    def dec_deg(self) -> NDArray[np.float64]:
        """Declinations, ICRS [deg]."""

    @property
    def flux_jy(self) -> NDArray[np.float64]:
        """About how bright they are [Jy]; NaN if not known."""

    @property
    def major_arcsec(self) -> NDArray[np.float64]:
        """How wide they are without the beam, FWHM [arcsec]; 0 for points."""

    @property
    def same_as(self) -> NDArray[np.int64]:
        """Number of the source that each was merged into, and which is measured instead; 0 for none."""


class Places(NamedTuple):
    """Places that are no reference list; the attributes of `Reference`."""

    source_id: NDArray[np.int64]
    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    flux_jy: NDArray[np.float64]
    major_arcsec: NDArray[np.float64]
    same_as: NDArray[np.int64]


def places_at(ra_deg: ArrayLike, dec_deg: ArrayLike, flux_jy: ArrayLike = np.nan) -> Places:
    """Make places of points (S,), ICRS [deg], with about their flux densities [Jy] if these are known."""
    ra = np.atleast_1d(np.asarray(ra_deg, np.float64)) % 360.0
    dec, flux = (np.broadcast_to(np.asarray(values, np.float64), ra.shape) for values in (dec_deg, flux_jy))
    return Places(source_id(ra, dec), ra, dec, flux, np.zeros(len(ra)), np.zeros(len(ra), np.int64))


def asked_for(places: Places, reference: Reference | None) -> Places:
    """Put places that were asked for before those of a list.

    They count as brighter than any, so that they are measured whatever is beside them, and all around them is fitted
    together with them.
    """
    asked = places._replace(flux_jy=np.full(len(places.ra_deg), np.inf))
    if reference is None:
        return asked
    return Places(*(np.concatenate([own, getattr(reference, name)]) for name, own in asked._asdict().items()))


def read_places(path: Path) -> Reference:
    """Read a reference list, or any catalogue with ra, dec and flux.

    Raises
    ------
    UsageError
        It is neither.
    """
    try:
        return read_list(path)
    except ReferenceListError as no_list:
        try:
            found = read_sources(path)
        except UsageError as error:
            raise UsageError(f"is neither a reference list ({no_list.message}) nor a catalogue", path=path) from error
    return places_at(found.ra_deg, found.dec_deg, found.flux_jy)
