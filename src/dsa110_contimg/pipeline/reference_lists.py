"""Building a strip's list of sources by hand: of epochs, of mosaics, and of catalogues of the sky."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.spectra import REFERENCE_HZ
from dsa110_contimg.catalogue.strips import INDEX
from dsa110_contimg.catalogue.tables import read_reference as read_table
from dsa110_contimg.errors import NamingError, ReferenceListError, UsageError
from dsa110_contimg.naming import (
    MosaicKind,
    mosaic_file_name,
    parse_epoch_directory_name,
    parse_epoch_id,
    parse_mosaic_name,
    sources_stem,
    strip_dec,
)
from dsa110_contimg.photometry.growing import entries, grow, trusted
from dsa110_contimg.photometry.records import PARQUET, read_catalogue
from dsa110_contimg.photometry.reference import alive, current_reference, update_reference
from dsa110_contimg.pipeline.epoch import read_epoch_record
from dsa110_contimg.pipeline.mosaic_sources import find_on_mosaic

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import CatalogueSettings, Settings
    from dsa110_contimg.photometry.reference import ReferenceList
    from dsa110_contimg.photometry.sources import Sources

log = logging.getLogger(__name__)

# The beam at natural weight, for catalogues that are not of our images [arcsec].
_BEAM_ARCSEC = 60.0


class Offer(NamedTuple):
    """Sources that a list may take.

    Attributes
    ----------
    origin : str
        ``epoch:<id>``, ``mosaic:<name>`` or ``catalogue:<name>``.
    columns : dict
        What a list has of each, (F,).
    worthy : (F,) bool
        Which may be added.
    beam_arcsec : float
        Major axis of the beam that they were seen with.
    """

    origin: str
    columns: dict[str, Any]
    worthy: NDArray[np.bool_]
    beam_arcsec: float


class Taken(NamedTuple):
    """What a list took of an offer: how many there were, how many it has already, and how many were added."""

    origin: str
    offered: int
    known: int
    added: int


def read_offer(source: Path, strip: str, width_deg: float, least_jy: float, settings: Settings) -> Offer:
    """Read what a strip's list may take from an epoch, a mosaic or a catalogue.

    Parameters
    ----------
    source : Path
        A directory ``*-epoch`` or ``*-mosaic``, a table of sources, or a catalogue that was fetched (``nvss``).
    strip : str
        As ``+54.6``.
    width_deg : float
        Sources of a catalogue within half of it from the strip's declination count.
    least_jy : float
        ... and those that are at least so bright.
    settings : Settings
        ``catalogue`` and ``photometry`` count.

    Raises
    ------
    ReferenceListError
        An epoch is bad, or of another strip.
    UsageError, UnreadableFileError, SourceFindingError
        It cannot be read, or its sources not be found.
    """
    try:
        epoch = parse_epoch_directory_name(source.resolve().name)
    except NamingError:
        pass
    else:
        return _of_epoch(source, epoch, strip, settings)
    try:
        first, last = parse_mosaic_name(source.resolve().name)
    except NamingError:
        return _of_catalogue(source, strip, width_deg, least_jy, settings.catalogue)
    image, rms = (source / mosaic_file_name(first, last, kind) for kind in (MosaicKind.IMAGE, MosaicKind.RMS))
    found = find_on_mosaic(image, rms, settings.catalogue)
    return _of_sources(found.sources, f"mosaic:{source.resolve().name}", "", settings)


def extend(
    root: Path, strip: str, offers: Sequence[Offer], settings: Settings, *, begin: bool, dry_run: bool = False
) -> tuple[ReferenceList, list[Taken]]:
    """Add what is offered to a strip's list, as its next version.

    Parameters
    ----------
    root : Path
        Where light curves are kept.
    strip : str
        As ``+54.6``.
    offers : sequence of Offer
        The first has precedence: of what is the same its number counts.
    settings : Settings
        ``photometry`` counts.
    begin : bool
        Whether this is to be the first version.
    dry_run : bool
        Whether nothing is written.

    Returns
    -------
    ReferenceList, list of Taken
        The list that is current then, and what it took of each offer.

    Raises
    ------
    ReferenceListError
        It is to be the first, and there is one; or that cannot be read.
    OutputError
        It cannot be written.
    """
    taken: list[Taken] = []

    def change(now: ReferenceList) -> ReferenceList:
        if begin and now.version:
            raise ReferenceListError(
                f"the strip {strip} has a list already, version {now.version}",
                path=root / strip,
                remedy="Add to it: dsa110-contimg photometry reference add.",
            )
        for offer in offers:
            grown = grow(now, offer.columns, offer.worthy, offer.beam_arcsec, settings.photometry.radius_sigma)
            known = int(np.count_nonzero(grown.association.listed >= 0))
            taken.append(Taken(offer.origin, len(offer.worthy), known, int(grown.added.sum())))
            now = grown.reference
        return now

    if dry_run:
        return change(current_reference(root, strip)), taken
    made, new = update_reference(root, strip, change)
    if new:
        log.info("%s: list %d has %d sources", strip, made.version, len(made.source_id))
    return made, taken


def origins(reference: ReferenceList) -> dict[str, int]:
    """Count a list's sources by where they are from."""
    names, counts = np.unique(alive(reference).origin, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def strip_among(sources: Iterable[Path]) -> str | None:
    """Tell the strip from the epochs among the directories named; None if there are none, or of several strips."""
    found = set()
    for source in sources:
        try:
            found.add(parse_epoch_id(parse_epoch_directory_name(source.resolve().name)).strip)
        except NamingError:
            continue
    return found.pop() if len(found) == 1 else None


def _of_epoch(source: Path, epoch: str, strip: str, settings: Settings) -> Offer:
    if parse_epoch_id(epoch).strip != strip:
        raise ReferenceListError(f"is of another strip than {strip}", path=source, remedy="Name epochs of one strip.")
    if read_epoch_record(source)["verdict"] == "bad":
        raise ReferenceListError("was judged bad", path=source, remedy="Take a good epoch.")
    sources = read_catalogue(source / f"{sources_stem(epoch)}{PARQUET}")
    return _of_sources(sources, f"epoch:{epoch}", epoch, settings)


def _of_sources(sources: Sources, origin: str, since: str, settings: Settings) -> Offer:
    worthy = trusted(sources, settings.photometry.new_sigma)
    return Offer(origin, entries(sources, origin, since), worthy, float(sources.meta["beam_arcsec"][0]))


def _of_catalogue(source: Path, strip: str, width_deg: float, least_jy: float, settings: CatalogueSettings) -> Offer:
    if not source.exists() and (settings.directory / source / INDEX).exists():
        source = settings.directory / source
    if not source.exists():
        raise UsageError(
            "is not there, and no catalogue of that name was fetched",
            path=source,
            remedy="Fetch it (dsa110-contimg catalogue fetch), or name a table with ra, dec and flux.",
        )
    table = read_table(source)
    near = np.abs(table.sources.dec_deg - strip_dec(strip)) <= width_deg / 2
    chosen = table.take(np.flatnonzero(near & (table.sources.flux_jy >= least_jy)))
    if not len(chosen.e_flux_jy):
        raise UsageError(
            f"has no source of {least_jy * 1e3:g} mJy within {width_deg / 2:g} deg of {strip}",
            path=source,
            remedy="Look at --least and --width; dsa110-contimg catalogue list says what was fetched.",
        )
    origin = f"catalogue:{chosen.origin}"
    columns = {
        **dict(zip(("ra_deg", "dec_deg", "flux_jy", "alpha"), chosen.sources, strict=True)),
        "e_ra_arcsec": chosen.e_ra_arcsec,
        "e_dec_arcsec": chosen.e_dec_arcsec,
        "e_flux_jy": chosen.e_flux_jy,
        "freq_hz": np.full(len(chosen.e_flux_jy), REFERENCE_HZ),
        "major_arcsec": np.zeros(len(chosen.e_flux_jy)),
        "origin": np.full(len(chosen.e_flux_jy), origin),
        "since": np.full(len(chosen.e_flux_jy), ""),
    }
    return Offer(origin, columns, np.ones(len(chosen.e_flux_jy), bool), _BEAM_ARCSEC)
