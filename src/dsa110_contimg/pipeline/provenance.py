"""From any product back to the subband files: what each was made of, as they say themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.errors import NamingError, UsageError
from dsa110_contimg.naming import (
    CALIBRATION_NAME,
    PROVENANCE_NAME,
    epoch_directory_name,
    expand,
    images_name,
    is_flag_record_name,
    ms_name,
    parse_calibration_name,
    parse_ms_name,
    parse_reference_name,
    parse_subband_name,
)
from dsa110_contimg.pipeline.origins import Origin, Trail, gone, read_json
from dsa110_contimg.pipeline.provenance_images import image_file, images, mosaic
from dsa110_contimg.pipeline.provenance_ms import calibration, measurement_set, subband_file
from dsa110_contimg.pipeline.provenance_points import epoch, epochs_in, is_measurements, point, reference_list, row_of

if TYPE_CHECKING:
    from collections.abc import Callable

_ROW, _AT = "#", "@"


def trace(product: str, trail: Trail) -> Origin:
    """Find what a product was made of.

    Parameters
    ----------
    product : str
        A path: of a directory, or of a file in one; ``FILE#ROW`` of a table of measurements; ``SOURCE@EPOCH``; or the
        name of a product, the id of a group or of an epoch, which are looked for.
    trail : Trail
        Where to look.

    Returns
    -------
    Origin
        The product; below it what it was made of, down to the subband files. What is missing is said there.

    Raises
    ------
    UsageError
        There is no such product.
    """
    path = Path(product)
    if not path.exists() and not path.is_symlink():
        if _ROW in product:
            return row_of(product, trail)
        if _AT in product:
            return point(product, trail)
        path = _named(product, trail)
    path = path.absolute()
    for place in (path, *path.parents):
        tracer = _tracer(place)
        if tracer is not None:
            return tracer(place, trail) if place == path else _file(path, tracer, place, trail)
    raise UsageError(
        "is no product of ours",
        path=path,
        remedy="Name an epoch, a mosaic, images, a Measurement Set, a calibration set, a file of one, or measurements.",
    )


def _named(name: str, trail: Trail) -> Path:
    """Find a product by its name, a group or an epoch by its id."""
    tried: list[str] = [name]
    for of_id in (epoch_directory_name, images_name, ms_name):
        for spelling in (name, _expanded(name)):
            try:
                tried.append(of_id(spelling))
            except NamingError:
                continue
    for one in tried:
        found = trail.find(one)
        if found is not None:
            return found
    where = "" if not trail.directories else f", nor is there one of that name in {trail.places()}"
    raise UsageError(f"there is no {name}{where}", remedy="Give the path of a product, or say --in DIR.")


def _expanded(name: str) -> str:
    try:
        return expand(name)
    except NamingError:
        return name


def _tracer(place: Path) -> Callable[[Path, Trail], Origin] | None:
    """Tell from a path what kind of product is there."""
    return _directory_tracer(place) if place.is_dir() else _file_tracer(place)


def _directory_tracer(place: Path) -> Callable[[Path, Trail], Origin] | None:
    for end, tracer in (("-epoch", epoch), ("-mosaic", mosaic), ("-images", images)):
        if place.name.endswith(end):
            return tracer
    if (place / CALIBRATION_NAME).exists() or _parses(parse_calibration_name, place.name):
        return calibration
    is_ms = (place / PROVENANCE_NAME).exists() or (place.suffix == ".ms" and (place / "table.info").exists())
    return measurement_set if is_ms or _parses(parse_ms_name, place.name) else None


def _file_tracer(place: Path) -> Callable[[Path, Trail], Origin] | None:
    if place.suffix == ".fits" and _tracer(place.parent) is None:
        return image_file
    if is_flag_record_name(place.name):
        return _flag_record
    if is_measurements(place) and not place.parent.name.endswith("-epoch"):
        return epochs_in
    if _parses(parse_reference_name, place.name):
        return reference_list
    return _subband if _parses(parse_subband_name, place.name) else None


def _parses(parse: Callable[[str], Any], name: str) -> bool:
    try:
        parse(name)
    except NamingError:
        return False
    return True


def _file(path: Path, tracer: Callable[[Path, Trail], Origin], place: Path, trail: Trail) -> Origin:
    """Say of a file what it is in; the cards of an image are its own."""
    says: tuple[str, ...] = ()
    facts: dict[str, Any] = {}
    if path.suffix == ".fits" and path.is_file():
        alone = image_file(path, Trail())
        says, facts = alone.says, alone.facts
    return Origin("file", path.name, path, says, facts, of=(tracer(place, trail),))


def _flag_record(path: Path, trail: Trail) -> Origin:
    said, wrong = read_json(path)
    name = str(said.get("ms", ""))
    ms = trail.find(name, path.parent) if name else None
    below = (
        (measurement_set(ms, trail),) if ms else ((gone("ms", name, f"is not in {trail.places()}"),) if name else ())
    )
    says = (f"{100 * said['flagged']:.1f}% flagged",) if "flagged" in said else ()
    return Origin("flags", path.name, path, says, said, wrong, of=below)


def _subband(path: Path, trail: Trail) -> Origin:
    return subband_file({"path": str(path), "subband": parse_subband_name(path.name).subband}, trail)
