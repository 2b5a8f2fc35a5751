"""Where images and mosaics come from: their records and FITS cards read back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.errors import NamingError
from dsa110_contimg.naming import (
    ImageKind,
    image_file_name,
    image_record_name,
    images_name,
    parse_images_name,
    quality_name,
)
from dsa110_contimg.pipeline.origins import Origin, gone, read_json
from dsa110_contimg.pipeline.provenance_ms import find_ms, sets_used, version_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsa110_contimg.pipeline.origins import Trail

_IMAGED, _SET = "imaged ", "calibration set "
_CARDS = ("GROUP", "DATE-OBS", "DATE-END", "RESTFRQ", "CONTIMGV", "PBMODEL", "NIMAGES", "GROUPS")


def images(path: Path, trail: Trail) -> Origin:
    """Trace a directory of images: to the Measurement Set that was imaged, and what calibrated it."""
    if not trail.first_time(path):
        return Origin("images", path.name, path, again=True)
    stem = path.name.removesuffix("-images")
    said, wrong = read_json(path / image_record_name(stem))
    origin: dict[str, Any] = said.get("provenance") or {}
    if not origin:
        origin = _from_cards(path / image_file_name(stem, ImageKind.IMAGE))
    group = str(origin.get("group") or _group_of(path.name))
    lines, facts = trail.published(group, path)
    says = [] if not said.get("versions") else [version_line(said["versions"])]
    quality, _ = read_json(path / quality_name(stem))
    if "verdict" in quality:
        reasons = "; ".join(map(str, quality.get("reasons") or ()))
        says.append(f"judged {quality['verdict']}" + (f": {reasons}" if reasons else ""))
    if origin.get("command"):
        says.append(f"command: {origin['command']}")
    facts |= {"provenance": origin, "verdict": quality.get("verdict"), "record": said}
    below = (find_ms(str(origin.get("ms") or ""), group, trail, path.parent), *_sets(origin, trail, path.parent))
    return Origin("images", path.name, path, (*says, *lines), facts, wrong, of=below)


def find_images(said: Mapping[str, Any], trail: Trail, *near: Path) -> Origin:
    """Trace an image that a mosaic says it is of: where it was then, or where there is one of that name now."""
    group, image = str(said.get("group", "")), Path(str(said.get("image", "")))
    place = image if image.is_dir() else image.parent
    name = place.name if place.name.endswith("-images") else _images_name(group)
    found = place if place.name == name and place.exists() else trail.find(name, *near)
    product = trail.product(group, "images") if group else None
    if found is None and product is not None and product.path.exists():
        found = product.path
    if found is None:
        why = f"was {place}, and is not there"
        if product is not None and product.retired_utc is not None:
            why = f"was {place}, retired {product.retired_utc:%Y-%m-%d}"
        return gone("images", name, why, **dict(said))._replace(of=(find_ms("", group, trail, *near),) if group else ())
    made = images(found, trail)
    changed: tuple[str, ...] = ()
    fingerprint = said.get("fingerprint")
    if fingerprint and product is not None and product.checksum and product.checksum != fingerprint:
        changed = ("it has been made again since",)
    share = said.get("share", said.get("weight"))
    weight = () if share is None else (f"weight {float(share):.4f}",)
    return made._replace(says=(*weight, *changed, *made.says), facts=made.facts | {"as_input": dict(said)})


def mosaic(path: Path, trail: Trail) -> Origin:
    """Trace a mosaic to its images."""
    if not trail.first_time(path):
        return Origin("mosaic", path.name, path, again=True)
    said, wrong = read_json(path / f"{path.name}.json")
    inputs: Sequence[Mapping[str, Any]] = said.get("inputs") or ()
    says = [] if not inputs else [f"{len(inputs)} images joined"]
    if said.get("left_out"):
        says.append("left out: " + ", ".join(f"{one.get('group')} ({one.get('why')})" for one in said["left_out"]))
    facts = {key: value for key, value in said.items() if key != "inputs"}
    below = tuple(find_images(one, trail, path.parent) for one in inputs)
    return Origin("mosaic", path.name, path, tuple(says), facts, wrong, of=below)


def image_file(path: Path, trail: Trail) -> Origin:
    """Trace a FITS file that lies by itself, by its cards and HISTORY."""
    from astropy.io import fits

    try:
        cards = fits.getheader(path)
    except (OSError, IndexError) as error:
        return Origin("file", path.name, path, missing=f"cannot be read as FITS ({error})")
    facts = {key: cards[key] for key in _CARDS if key in cards}
    history = [str(line) for line in cards.get("HISTORY", ())]
    facts["history"] = history
    says = [f"{key} {cards[key]}" for key in _CARDS if key in cards]
    origin = _from_header(cards)
    if not origin.get("group"):
        return Origin("file", path.name, path, tuple(says), facts)
    below: list[Origin] = []
    if trail.directories or trail.ledger is not None:
        below = [find_ms(origin["ms"], origin["group"], trail, path.parent), *_sets(origin, trail, path.parent)]
    return Origin("file", path.name, path, tuple(says), facts, of=tuple(below))


def _sets(origin: Mapping[str, Any], trail: Trail, *near: Path) -> list[Origin]:
    return sets_used(origin.get("calibration") or {}, trail, *near)


def _from_cards(path: Path) -> dict[str, Any]:
    """Tell from an image's cards what its record would say."""
    from astropy.io import fits

    try:
        return _from_header(fits.getheader(path))
    except (OSError, IndexError):
        return {}


def _from_header(cards: Any) -> dict[str, Any]:
    lines = [str(line) for line in cards.get("HISTORY", ())]
    sets = [str(cards[key]) for key in cards if str(key).startswith("CALSET")]
    ms = next((line.removeprefix(_IMAGED) for line in lines if line.startswith(_IMAGED)), "")
    return {"group": str(cards.get("GROUP", "")), "ms": ms, "calibration": {"sets": sets} if sets else None}


def _group_of(name: str) -> str:
    try:
        return parse_images_name(name)
    except NamingError:
        return ""


def _images_name(group: str) -> str:
    try:
        return images_name(group)
    except NamingError:
        return "images of an unknown name"
