"""Where Measurement Sets and calibration sets come from: ``contimg.json`` and ``set.json`` read back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.calibration.sets import read_set
from dsa110_contimg.errors import CalibrationError, LedgerError, NamingError
from dsa110_contimg.naming import FLAGS_NAME, PROVENANCE_NAME, ms_name, parse_ms_name
from dsa110_contimg.pipeline.origins import Origin, gone, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsa110_contimg.pipeline.origins import Trail

_GB = 1e9


def measurement_set(path: Path, trail: Trail) -> Origin:
    """Trace a Measurement Set: to its subband files, its flags, and what calibrated it."""
    if not trail.first_time(path):
        return Origin("ms", path.name, path, again=True)
    said, wrong = read_json(path / PROVENANCE_NAME)
    group = str(said.get("group") or _group_of(path.name))
    lines, facts = trail.published(group, path)
    below = [subband_file(one, trail) for one in said.get("files", ())]
    below += [_set_aside(one) for one in said.get("set_aside", ())]
    if (path / FLAGS_NAME).exists():
        below.append(_flags(path / FLAGS_NAME))
    used = said.get("calibration") or {}
    below += sets_used(used, trail, path.parent)
    facts |= {key: value for key, value in said.items() if key not in {"files", "set_aside"}}
    return Origin("ms", path.name, path, (*_about(said), *lines), facts, wrong, of=tuple(below))


def find_ms(name: str, group: str, trail: Trail, *near: Path) -> Origin:
    """Trace the Measurement Set of this name, or of a group if it has none."""
    names = [name] if name else []
    if group and not name:
        names.append(ms_name(group))
    for one in names:
        found = trail.find(one, *near)
        if found is not None:
            return measurement_set(found, trail)
    product = trail.product(group, "ms") if group else None
    if product is not None and (product.path.name in names or not name):
        if product.path.exists():
            return measurement_set(product.path, trail)
        why = (
            f"was {product.path}, and is not there"
            if product.retired_utc is None
            else f"was {product.path}, retired {product.retired_utc:%Y-%m-%d}"
        )
        return gone("ms", product.path.name, why, group=group, checksum=product.checksum)._replace(
            of=tuple(_files_of_group(group, trail))
        )
    shown = names[0] if names else "of an unknown name"
    return gone("ms", shown, f"is not in {', '.join(map(str, (*near, *trail.directories)))}", group=group)


def sets_used(said: Mapping[str, Any], trail: Trail, *near: Path) -> list[Origin]:
    """Trace the calibration sets that a product says calibrated it."""
    names = [*said.get("sets", ()), *([said["tie"]] if said.get("tie") else [])]
    return [find_set(str(name), trail, *near) for name in names]


def find_set(name: str, trail: Trail, *near: Path) -> Origin:
    """Trace the calibration set of this name."""
    found = trail.find(name, *near)
    registered = None
    if trail.ledger is not None:
        try:
            registered = trail.ledger.calibration(name)
        except LedgerError:
            registered = None
    if found is None and registered is not None and registered.path.exists():
        found = registered.path
    if found is None:
        return gone("calibration", name, f"is not in {', '.join(map(str, (*near, *trail.directories)))}")
    made = calibration(found, trail)
    if registered is None or registered.retired_utc is None or made.again:
        return made
    said = f"retired {registered.retired_utc:%Y-%m-%d} by {registered.retired_by}: {registered.retired_why}"
    return made._replace(says=(*made.says, said))


def calibration(path: Path, trail: Trail) -> Origin:
    """Trace a calibration set: to the Measurement Set that it was solved on."""
    if not trail.first_time(path):
        return Origin("calibration", path.name, path, again=True)
    try:
        found = read_set(path)
    except CalibrationError as error:
        return Origin("calibration", path.name, path, missing=error.message)
    says = (
        f"{found.kind} of {found.calibrator}, {found.verdict}, MJD {found.mid_mjd:.5f}",
        str(found.flux_scale.get("text", "")),
    )
    facts = {"group": found.group, "grade": found.grade, "flux_scale": found.flux_scale, **found.facts}
    solved = find_ms(str(found.facts.get("ms", "")), found.group, trail, path.parent)
    return Origin("calibration", path.name, path, tuple(filter(None, says)), facts, of=(solved,))


def subband_file(said: Mapping[str, Any], trail: Trail) -> Origin:
    """Say whether a subband file is still there, as it was."""
    path = Path(str(said["path"]))
    place = path if path.exists() else trail.find(path.name)
    facts = dict(said)
    name = f"sb{int(said['subband']):02d} {path.name}"
    if place is None:
        return Origin("subband", name, path, facts=facts, missing="is not there any more")
    size, expected = place.stat().st_size, said.get("bytes")
    wrong = "" if expected in {None, size} else f"has {size} bytes, and had {expected} when it was read"
    return Origin("subband", name, place, (f"{size} bytes",), facts | {"bytes": size}, wrong)


def _files_of_group(group: str, trail: Trail) -> Sequence[Origin]:
    """Give the subband files of a group whose Measurement Set is gone, as the ledger has them."""
    history = trail.group(group)
    files = [] if history is None else [one for one in history.files if one.outcome == "good"]
    return [
        subband_file({"subband": one.subband, "path": str(one.path), "bytes": one.size_bytes}, trail) for one in files
    ]


def _set_aside(said: Mapping[str, Any]) -> Origin:
    path = Path(str(said.get("path", "")))
    return Origin("subband", path.name, path, (f"not used, {said.get('outcome')}: {said.get('reason')}",), dict(said))


def _flags(path: Path) -> Origin:
    said, wrong = read_json(path)
    says = []
    if "flagged" in said:
        reasons = {key: part for key, part in said.get("by_reason", {}).items() if key != "good" and part > 0}
        parts = ", ".join(f"{key} {100 * part:.1f}%" for key, part in reasons.items())
        says.append(f"{100 * said['flagged']:.1f}% flagged" + (f": {parts}" if parts else ""))
    kept: dict[str, Any] = {
        key: said[key] for key in ("flagged", "by_reason", "ailments", "remarks", "settings") if key in said
    }
    return Origin("flags", path.name, path, tuple(says), kept, wrong)


def _about(said: Mapping[str, Any]) -> list[str]:
    lines = []
    if "files" in said:
        n_bytes = sum(int(one.get("bytes", 0)) for one in said["files"])
        missing = said.get("missing") or ()
        lack = f", without {', '.join(f'sb{number:02d}' for number in missing)}" if missing else ""
        lines.append(f"group {said.get('group')}: {len(said['files'])} subband files, {n_bytes / _GB:.2f} GB{lack}")
    if said.get("versions"):
        lines.append(version_line(said["versions"]))
    if said.get("calibration"):
        lines.append(f"calibrated by {said['calibration'].get('why', 'sets that it names')}")
    return lines


def version_line(versions: Mapping[str, Any]) -> str:
    """Name the version of ours that made a product."""
    return f"made by dsa110-contimg {versions.get('dsa110-contimg', '(not installed)')}"


def _group_of(name: str) -> str:
    try:
        return parse_ms_name(name)[0]
    except NamingError:
        return ""
