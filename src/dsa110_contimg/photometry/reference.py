"""The reference list of a strip: the sources that are measured in each of its images, wherever they can be seen or not.

A list is kept in versions, ``<light curves>/<strip>/reference-0001.parquet`` and so on, the highest of which counts;
none is ever changed. A source keeps its number, which says where it was first seen, as long as the strip is observed:
sources are added, and one that turns out to be another is marked as the same (``same_as``), but none is taken away.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from dsa110_contimg.errors import NamingError, NoReferenceListError, OutputExistsError, ReferenceListError
from dsa110_contimg.naming import parse_reference_name, reference_name, strip_dec
from dsa110_contimg.photometry.measurements import source_id
from dsa110_contimg.photometry.sources import iau_names
from dsa110_contimg.storage.files import output_errors, sync_directory, sync_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SCHEMA_VERSION = 1

_COLUMNS: Mapping[str, tuple[str, pa.DataType, str]] = {
    "source_id": ("", pa.int64(), "number of the source; says where it was first seen, and never changes"),
    "name": ("", pa.string(), "IAU name, of that place"),
    "ra_deg": ("deg", pa.float64(), "right ascension, ICRS"),
    "dec_deg": ("deg", pa.float64(), "declination, ICRS"),
    "e_ra_arcsec": ("arcsec", pa.float64(), "error of the position along right ascension, on the sky"),
    "e_dec_arcsec": ("arcsec", pa.float64(), "error of the declination"),
    "flux_jy": ("Jy", pa.float64(), "flux density when it was entered"),
    "e_flux_jy": ("Jy", pa.float64(), "its error"),
    "freq_hz": ("Hz", pa.float64(), "frequency at which the flux density is"),
    "alpha": ("", pa.float64(), "spectral index; NaN if it is not known"),
    "major_arcsec": ("arcsec", pa.float64(), "major axis without the beam's, FWHM; 0 of a point"),
    "origin": ("", pa.string(), "epoch:<id>, mosaic:<name> or catalogue:<name>"),
    "since": ("", pa.string(), "epoch that it was found in; empty if it came from a catalogue"),
    "same_as": ("", pa.int64(), "number of the source that it was found to be; 0: it is one of its own"),
}


class ReferenceList(NamedTuple):
    """The sources of a strip, in the order of their numbers, which is that of right ascension; each array (S,).

    Attributes
    ----------
    strip : str
        As ``+54.6``.
    version : int
        0: nothing is on the disk yet.
    source_id, same_as : (S,) int64
        Number (`measurements.source_id` of its first position), and that of the source it was found to be, or 0.
    name, origin, since : (S,) str
        IAU name; where it is from (``epoch:<id>``, ``mosaic:<name>``, ``catalogue:<name>``); the
        epoch that it was found in, or "".
    ra_deg, dec_deg : (S,) float64
        ICRS [deg].
    e_ra_arcsec, e_dec_arcsec : (S,) float64
        Errors on the sky [arcsec].
    flux_jy, e_flux_jy, freq_hz, alpha : (S,) float64
        Flux density as entered, its error [Jy], at which frequency [Hz], and the spectral index (NaN: not known).
    major_arcsec : (S,) float64
        Its own major axis; 0 of a point [arcsec].
    """

    strip: str
    version: int
    source_id: NDArray[np.int64]
    name: NDArray[np.str_]
    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    e_ra_arcsec: NDArray[np.float64]
    e_dec_arcsec: NDArray[np.float64]
    flux_jy: NDArray[np.float64]
    e_flux_jy: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    alpha: NDArray[np.float64]
    major_arcsec: NDArray[np.float64]
    origin: NDArray[np.str_]
    since: NDArray[np.str_]
    same_as: NDArray[np.int64]

    def take(self, index: NDArray[Any]) -> ReferenceList:
        """Return some of the sources, by their indices or a mask."""
        return self._replace(**{name: getattr(self, name)[index] for name in _COLUMNS})


def make_reference(strip: str, columns: Mapping[str, Any], version: int = 0) -> ReferenceList:
    """Put a list together; what is not given is worked out from the positions, or not known.

    Parameters
    ----------
    strip : str
        As ``+54.6``.
    columns : mapping
        ``ra_deg`` and ``dec_deg``, and any other of the attributes of `ReferenceList`, (S,) or one for all.
    version : int
        0 for one that was not written yet.

    Raises
    ------
    ReferenceListError
        Two sources are at one place, to a hundredth of an arcsecond.
    """
    strip_dec(strip)
    ra, dec = (np.atleast_1d(np.asarray(columns[name], np.float64)) for name in ("ra_deg", "dec_deg"))
    ra = ra % 360.0
    known: dict[str, Any] = {
        "source_id": source_id(ra, dec),
        "name": np.array(iau_names(ra, dec), dtype=str),
        "e_ra_arcsec": 0.0,
        "e_dec_arcsec": 0.0,
        "flux_jy": np.nan,
        "e_flux_jy": np.nan,
        "freq_hz": np.nan,
        "alpha": np.nan,
        "major_arcsec": 0.0,
        "origin": "",
        "since": "",
        "same_as": 0,
    }
    given = known | {name: columns[name] for name in _COLUMNS if name in columns} | {"ra_deg": ra, "dec_deg": dec}
    order = np.argsort(given["source_id"], kind="stable")
    made = {}
    for name, (_, kind, _) in _COLUMNS.items():
        dtype = {pa.int64(): np.int64, pa.float64(): np.float64}.get(kind, str)
        column = np.broadcast_to(np.asarray(given[name], dtype), ra.shape)[order]
        column.flags.writeable = False
        made[name] = column
    numbers = made["source_id"]
    twice = np.flatnonzero(np.diff(numbers) == 0)
    if twice.size:
        raise ReferenceListError(f"two sources are at {made['name'][twice[0]]}", remedy="Leave one of them out.")
    return ReferenceList(strip, version, **made)


def empty_reference(strip: str) -> ReferenceList:
    """Begin a list."""
    return make_reference(strip, {"ra_deg": np.zeros(0), "dec_deg": np.zeros(0)})


def alive(reference: ReferenceList) -> ReferenceList:
    """Choose the sources that are to be measured: those that were not found to be others."""
    return reference.take(reference.same_as == 0)


def current_identity(reference: ReferenceList, number: int) -> int:
    """Give the number under which a source is measured now: its own, or that of the one it was found to be.

    Raises
    ------
    ReferenceListError
        The list has no such source.
    """
    seen = [number]
    while True:
        at = int(np.searchsorted(reference.source_id, seen[-1]))
        if at == len(reference.source_id) or reference.source_id[at] != seen[-1]:
            raise ReferenceListError(f"the strip {reference.strip} has no source {seen[-1]}")
        after = int(reference.same_as[at])
        if after == 0 or after in seen:
            return seen[-1]
        seen.append(after)


def identities(reference: ReferenceList, number: int) -> list[int]:
    """Give all numbers under which a source was measured: its own now, and those of the sources found to be it."""
    now = current_identity(reference, number)
    merged = [int(one) for one in reference.source_id[reference.same_as != 0]]
    return [now, *(one for one in merged if one != now and current_identity(reference, one) == now)]


def joined(reference: ReferenceList, added: ReferenceList) -> ReferenceList:
    """Add sources, and what is said of their being the same; what is there already stays as it is.

    Parameters
    ----------
    reference, added : ReferenceList
        Of the same strip. Of a source in both, only ``same_as`` of `added` is taken, if it has none in `reference`.

    Raises
    ------
    ReferenceListError
        They are of two strips.
    """
    if reference.strip != added.strip:
        raise ReferenceListError(f"a source list of {added.strip} cannot be added to one of {reference.strip}")
    fresh = ~np.isin(added.source_id, reference.source_id)
    columns = {name: np.concatenate([getattr(reference, name), getattr(added, name)[fresh]]) for name in _COLUMNS}
    said = {
        int(one): int(other)
        for one, other in zip(added.source_id, added.same_as, strict=True)
        if other and one != other
    }
    same_as = [
        int(other) or said.get(int(one), 0) for one, other in zip(columns["source_id"], columns["same_as"], strict=True)
    ]
    return make_reference(reference.strip, columns | {"same_as": np.array(same_as, np.int64)}, reference.version)


def versions(directory: Path, strip: str) -> list[int]:
    """List the versions of a strip's list that there are."""
    found = []
    place = directory / strip
    for path in place.glob("reference-*.parquet") if place.is_dir() else ():
        try:
            found.append(parse_reference_name(path.name))
        except NamingError:
            continue
    return sorted(found)


def reference_path(directory: Path, reference: ReferenceList) -> Path:
    """Say where a version of a list is kept."""
    return directory / reference.strip / reference_name(reference.version)


def strips_with_lists(directory: Path) -> list[str]:
    """List the strips that have a reference list, the southernmost first."""
    there = sorted({path.parent.name for path in directory.glob("*/reference-*.parquet")})
    return sorted((name for name in there if _is_strip(name) and versions(directory, name)), key=float)


def read_reference(directory: Path, strip: str, version: int | None = None) -> ReferenceList:
    """Read the list of a strip.

    Parameters
    ----------
    directory : Path
        Where light curves are kept.
    strip : str
        As ``+54.6``.
    version : int, optional
        Not given: the current one, which is the highest.

    Raises
    ------
    NoReferenceListError
        It has none, or not that one.
    ReferenceListError
        It cannot be read.
    """
    strip_dec(strip)
    there = versions(directory, strip)
    if not there or (version is not None and version not in there):
        raise NoReferenceListError(
            f"the strip {strip} has no reference list" + ("" if version is None else f" {version}"),
            path=directory / strip,
            remedy="Build one: dsa110-contimg photometry reference build.",
        )
    reference = read_list(directory / strip / reference_name(there[-1] if version is None else version))
    if reference.strip != strip:
        raise ReferenceListError(f"is of the strip {reference.strip}", path=directory / strip)
    return reference


def current_reference(directory: Path, strip: str) -> ReferenceList:
    """Read the list of a strip; an empty one, of version 0, if it has none."""
    return read_reference(directory, strip) if versions(directory, strip) else empty_reference(strip)


def read_list(path: Path) -> ReferenceList:
    """Read a list from a file.

    Raises
    ------
    ReferenceListError
        It is not there, or no such list.
    """
    try:
        table = parquet.ParquetFile(path).read()
        about = table.schema.metadata or {}
        strip, version = about[b"strip"].decode(), int(about[b"version"])
        written = int(about[b"schema_version"])
        if written != SCHEMA_VERSION:
            raise ReferenceListError(f"is of schema {written}, and {SCHEMA_VERSION} is known", path=path)
        columns = {name: np.asarray(table.column(name).to_numpy(zero_copy_only=False)) for name in _COLUMNS}
    except (OSError, KeyError, ValueError) as error:
        if isinstance(error, ReferenceListError):
            raise
        what = " ".join(str(error).split())
        raise ReferenceListError(f"is no reference list ({type(error).__name__}: {what})", path=path) from error
    return make_reference(strip, columns, version)


def write_list(path: Path, reference: ReferenceList) -> None:
    """Write a list to a file, on the caller's scratch.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    about = {"schema_version": str(SCHEMA_VERSION), "strip": reference.strip, "version": str(reference.version)}
    fields = [
        pa.field(name, kind, metadata={"unit": unit, "description": text})
        for name, (unit, kind, text) in _COLUMNS.items()
    ]
    arrays = [pa.array(getattr(reference, name), kind) for name, (_, kind, _) in _COLUMNS.items()]
    with output_errors(path):
        parquet.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=about)), path)


def write_reference(directory: Path, reference: ReferenceList) -> Path:
    """Keep a version of a list, whole or not at all.

    Raises
    ------
    OutputExistsError
        There is one of that version.
    OutputError
        It cannot be written.
    """
    path = reference_path(directory, reference)
    with _locked(path.parent):
        _write_version(path, reference)
    return path


def update_reference(
    directory: Path, strip: str, change: Callable[[ReferenceList], ReferenceList]
) -> tuple[ReferenceList, bool]:
    """Make the next version of a strip's list from the current one, while nobody else does.

    Parameters
    ----------
    directory, strip
        Where light curves are kept, and which strip.
    change : callable
        Takes the current list (an empty one if there is none) and gives the next.

    Returns
    -------
    ReferenceList, bool
        The list that is current now, and whether it is a new version; it is not where nothing changed.

    Raises
    ------
    ReferenceListError
        The current one cannot be read.
    OutputError
        The next cannot be written.
    """
    with _locked(directory / strip):
        current = current_reference(directory, strip)
        changed = change(current)
        if current.version and np.array_equal(_facts(current), _facts(changed)):
            return current, False
        wanted = changed._replace(version=current.version + 1)
        _write_version(reference_path(directory, wanted), wanted)
        return wanted, True


def _facts(reference: ReferenceList) -> NDArray[np.int64]:
    """What can change in a list: its sources, and what they were found to be."""
    return np.stack([reference.source_id, reference.same_as])


def _write_version(path: Path, reference: ReferenceList) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with output_errors(path):
        if path.exists():
            raise OutputExistsError("is there already", path=path, remedy="Versions are never written over.")
        write_list(partial, reference)
        sync_tree(partial)
        os.replace(partial, path)
        sync_directory(path.parent)


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Keep others from writing lists of a strip; the lock goes with the process."""
    with output_errors(place):
        place.mkdir(parents=True, exist_ok=True)
        lock = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _is_strip(name: str) -> bool:
    try:
        strip_dec(name)
    except NamingError:
        return False
    return True
