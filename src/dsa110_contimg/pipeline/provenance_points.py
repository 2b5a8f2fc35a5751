"""Where points on light curves come from: measurements, and the epochs that they are of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dsa110_contimg.errors import NamingError, UsageError
from dsa110_contimg.naming import (
    MEASUREMENTS_NAME,
    REFERENCE_NAME,
    epoch_directory_name,
    epoch_record_name,
    parse_epoch_directory_name,
    parse_epoch_id,
)
from dsa110_contimg.pipeline.origins import Origin, gone, read_json
from dsa110_contimg.pipeline.provenance_images import find_images
from dsa110_contimg.pipeline.provenance_ms import version_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from dsa110_contimg.pipeline.origins import Trail

_NEAR_DEG = 30.0 / 3600.0
_EPOCH = "epoch:"
_NEEDED = {"source_id", "epoch", "image", "band", "flux"}
_HOW = "Write it as SOURCE@EPOCH: a source's number, its name or RA,DEC, and 20251005T123456+54.6."


def epoch(path: Path, trail: Trail) -> Origin:
    """Trace an epoch: to the images that were joined and measured, and the list of sources they were measured for."""
    if not trail.first_time(path):
        return Origin("epoch", path.name, path, again=True)
    try:
        name = parse_epoch_directory_name(path.name)
    except NamingError as error:
        return Origin("epoch", path.name, path, missing=error.message)
    said, wrong = read_json(path / epoch_record_name(name))
    inputs: Sequence[Mapping[str, Any]] = said.get("inputs") or ()
    # Checksums of image files are not the ledger's, which are of whole directories.
    known = said.get("fingerprint_of", "product") == "product"
    below = [
        find_images({**one, "fingerprint": known and one.get("fingerprint")}, trail, path.parent) for one in inputs
    ]
    for one in said.get("left_out") or ():
        found = find_images({**one, "fingerprint": None}, trail, path.parent)
        below.append(found._replace(says=(f"measured, but not joined: {one.get('why')}", *found.says)))
    below += _reference(path, said)
    facts = {key: value for key, value in said.items() if key != "inputs"}
    says = _epoch_says(said, len(inputs))
    known = trail.epoch(name)
    if known is not None and known.path == path and known.published_utc is not None:
        kept = "in the light curves" if known.kept_utc is not None else "not yet in the light curves"
        says.append(f"published {known.published_utc:%Y-%m-%dT%H:%M:%SZ}, {kept}")
        facts |= {"published_utc": known.published_utc, "checksum": known.checksum}
    return Origin("epoch", path.name, path, tuple(says), facts, wrong, of=tuple(below))


def find_epoch(name: str, trail: Trail, *near: Path) -> Origin:
    """Trace the epoch of this id."""
    try:
        directory = epoch_directory_name(name)
    except NamingError as error:
        return gone("epoch", name, error.message)
    found, known = trail.find(directory, *near), trail.epoch(name)
    if found is None and known is not None and known.path is not None:
        if known.path.exists():
            return epoch(known.path, trail)
        retired = "is not there" if known.retired_utc is None else f"retired {known.retired_utc:%Y-%m-%d}"
        return gone("epoch", directory, f"was {known.path}, {retired}")
    if found is None:
        return gone("epoch", directory, f"is not in {', '.join(map(str, (*near, *trail.directories)))}")
    return epoch(found, trail)


def point(text: str, trail: Trail) -> Origin:
    """Trace a point on a light curve, ``SOURCE@EPOCH``: its measurements, and the epoch they are of.

    Raises
    ------
    UsageError
        There is no such epoch, or no such source in it.
    """
    source, _, name = text.rpartition("@")
    try:
        parse_epoch_id(name)
    except NamingError as error:
        raise UsageError(error.message, remedy=_HOW) from error
    directory = trail.find(epoch_directory_name(name))
    if directory is None:
        raise UsageError(
            f"there is no epoch {name} in {trail.places()}", remedy="Say with --in where the epochs' directories are."
        )
    table = _read(directory / MEASUREMENTS_NAME)
    number = _number_of(source, table, directory)
    rows = [row for row in table.to_pylist() if row["source_id"] == number]
    if not rows:
        raise UsageError(f"source {source} was not measured in it", path=directory, remedy=_HOW)
    of_mosaic = [row for row in rows if row.get("kind") == "mosaic"]
    says = tuple(_row_says(row) for row in of_mosaic or rows)
    if of_mosaic and len(rows) > len(of_mosaic):
        says = (*says, f"and {len(rows) - len(of_mosaic)} measurements in the images of its groups")
    return Origin("point", text, None, says, {"source_id": number, "rows": rows}, of=(epoch(directory, trail),))


def row_of(text: str, trail: Trail) -> Origin:
    """Trace a row of a table of measurements, ``FILE#ROW``, counted from 0.

    Raises
    ------
    UsageError
        There is no such row.
    """
    name, _, number = text.rpartition("#")
    path = Path(name).absolute()
    if not number.isdecimal():
        raise UsageError(f"{number!r} is no number of a row", path=path, remedy="Rows count from 0: FILE#12.")
    table = _read(path)
    if int(number) >= table.num_rows:
        raise UsageError(f"there is no row {number}: there are {table.num_rows}", path=path)
    (row,) = table.slice(int(number), 1).to_pylist()
    near = path.parent.parent if path.name == MEASUREMENTS_NAME else path.parent
    below = [find_epoch(str(row["epoch"]), trail, near)]
    return Origin("measurement", text, path, (_row_says(row),), row, of=tuple(below))


def is_measurements(path: Path) -> bool:
    """Whether a file has measurements in it."""
    from pyarrow import ArrowException, parquet

    if path.suffix != ".parquet" or not path.is_file():
        return False
    try:
        return set(parquet.read_schema(path).names) >= _NEEDED
    except (OSError, ArrowException):
        return False


def epochs_in(path: Path, trail: Trail) -> Origin:
    """Trace a file of the store of measurements: to the epochs in it."""
    import pyarrow.compute as pc

    table = _read(path)
    names = sorted(str(name) for name in pc.unique(table["epoch"]).to_pylist())
    says = (f"{table.num_rows} measurements of {len(names)} {'epoch' if len(names) == 1 else 'epochs'}",)
    below = tuple(find_epoch(name, trail, path.parent) for name in names)
    return Origin("measurements", path.name, path, says, {"epochs": names}, of=below)


def reference_list(path: Path, trail: Trail) -> Origin:
    """Trace a version of a strip's list of sources: to the epochs that its sources were found in."""
    says, counts, wrong = _origins_of(path)
    names = [origin.removeprefix(_EPOCH) for origin in counts if origin.startswith(_EPOCH)]
    below = tuple(find_epoch(name, trail, path.parent) for name in names)
    return Origin("reference", path.name, path, says, {"origins": counts}, wrong, of=below)


def _origins_of(path: Path) -> tuple[tuple[str, ...], dict[str, int], str]:
    """Count the sources of a list by where they are from: lines, counts, and what is wrong with the list."""
    from pyarrow import ArrowException, parquet

    try:
        origins = parquet.read_table(path, columns=["origin"])["origin"].to_pylist()
    except (OSError, ArrowException) as error:
        return (), {}, f"cannot be read ({' '.join(str(error).split())})"
    counts = {origin: origins.count(origin) for origin in sorted(set(origins))}
    return tuple(f"{count} sources of {origin}" for origin, count in counts.items()), counts, ""


def _read(path: Path) -> pa.Table:
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(path)
    except (OSError, ArrowException) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"cannot be read as measurements ({reason})", path=path) from error
    lacks = _NEEDED - set(table.column_names)
    if lacks:
        raise UsageError(f"has no measurements: it lacks {', '.join(sorted(lacks))}", path=path)
    return table


def _number_of(source: str, table: pa.Table, directory: Path) -> int:
    """Find a source of an epoch: by its number, its place or its name."""
    numbers = np.unique(table["source_id"].to_numpy())
    if source.isdecimal():
        return _of_list(int(source), numbers, directory)
    if "," in source:
        return _nearest(source, numbers)
    names = _listed(directory)
    if source not in names:
        raise UsageError(f"there is no source {source!r} in its list", path=directory, remedy=_HOW)
    return _of_list(names[source][0], numbers, directory)


def _nearest(place: str, numbers: np.ndarray[Any, np.dtype[np.int64]]) -> int:
    from dsa110_contimg.photometry.measurements import position_of

    try:
        ra_deg, dec_deg = (float(part) for part in place.split(","))
    except ValueError:
        raise UsageError(f"{place!r} is no place", remedy="Write RA,DEC in degrees, ICRS.") from None
    ra, dec = position_of(numbers)
    east = (np.mod(ra - ra_deg + 180.0, 360.0) - 180.0) * np.cos(np.radians(dec_deg))
    away = np.hypot(east, dec - dec_deg)
    if away.size == 0 or away.min() > _NEAR_DEG:
        raise UsageError(f"no source within 30 arcsec of {place} was measured")
    return int(numbers[np.argmin(away)])


def _of_list(number: int, numbers: np.ndarray[Any, np.dtype[np.int64]], directory: Path) -> int:
    """Give the number under which a source was measured: what it was merged into, if it was."""
    if number in numbers:
        return number
    merged = dict(_listed(directory).values())
    while merged.get(number):
        number = merged[number]
    return number


def _listed(directory: Path) -> dict[str, tuple[int, int]]:
    """Read the list with which an epoch was measured: number, and what it was merged into, by name."""
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(directory / REFERENCE_NAME, columns=["name", "source_id", "same_as"])
    except (OSError, ArrowException):
        return {}
    return {row["name"]: (row["source_id"], row["same_as"]) for row in table.to_pylist()}


def _reference(path: Path, said: Mapping[str, Any]) -> list[Origin]:
    """Name the list of sources that an epoch was measured with."""
    own = path / REFERENCE_NAME
    named = said.get("reference")
    if not own.exists():
        return [gone("reference", REFERENCE_NAME, "is not there")] if named else []
    says, counts, wrong = _origins_of(own)
    return [Origin("reference", own.name, own, says, {"version": named, "origins": counts}, wrong)]


def _epoch_says(said: Mapping[str, Any], n_inputs: int) -> list[str]:
    lines = [f"{n_inputs} images joined"] if n_inputs else []
    if "verdict" in said:
        reasons = "; ".join(map(str, said.get("reasons") or ()))
        lines.append(f"judged {said['verdict']}" + (f": {reasons}" if reasons else ""))
    for one in said.get("scales") or ():
        if one.get("kind") == "mosaic" and one.get("e_scale") is not None:
            text = f"{one['scale']:.4f} +- {one['e_scale']:.4f} by {one['n']} steady sources"
            lines.append(f"scale of the mosaic, {one['band']} band: {text}")
    if isinstance(said.get("versions"), dict):
        lines.append(version_line(said["versions"]))
    return lines


def _row_says(row: Mapping[str, Any]) -> str:
    """Say in a line what was measured."""
    error = row.get("e_flux")
    flux = f"{1e3 * row['flux']:.3f}" + (f" +- {1e3 * error:.3f}" if error is not None else "") + " mJy"
    corrected = row.get("corrected")
    if corrected is not None and np.isfinite(corrected):
        flux += f", corrected {1e3 * corrected:.3f} mJy"
    return f"{row.get('kind', '')} {row['image']} {row['band']}: {flux}, flags {row.get('flags', 0)}"
