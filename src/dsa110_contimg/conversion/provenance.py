"""How a Measurement Set was made: in its HISTORY for people, in ``contimg.json`` inside it for machines."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from math import degrees
from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.ms.subtables import add_history
from dsa110_contimg.naming import PROVENANCE_NAME
from dsa110_contimg.telescope.correlator import CorrelatorState, digest
from dsa110_contimg.telescope.earth import earth_orientation
from dsa110_contimg.telescope.geometry import aberration_scale

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.conversion.checks import SetAside
    from dsa110_contimg.conversion.group import ConversionOptions
    from dsa110_contimg.conversion.plan import ConversionPlan
    from dsa110_contimg.conversion.writers.result import WriteResult
    from dsa110_contimg.uvh5.header import SubbandHeader

_PACKAGES = ("dsa110-contimg", "numpy", "h5py", "python-casacore", "pyuvdata", "pyerfa", "astropy-iers-data", "numba")
FORMAT = 1


class Provenance(NamedTuple):
    """What is known of a conversion when its data are written."""

    group: str
    plan: ConversionPlan
    written: WriteResult
    set_aside: tuple[SetAside, ...]
    missing: tuple[int, ...]
    options: ConversionOptions
    seconds: float


def record(ms_path: Path, provenance: Provenance) -> None:
    """Write HISTORY and ``contimg.json`` of a Measurement Set that is not yet published."""
    facts = describe(provenance)
    name = f"dsa110-contimg {facts['versions'].get('dsa110-contimg', 'not installed')}"
    add_history(ms_path, _messages(facts), application=name, command=json.dumps(facts["settings"]))
    (ms_path / PROVENANCE_NAME).write_text(json.dumps(facts, indent=1) + "\n")


def read_provenance(ms_path: Path) -> dict[str, Any]:
    """Return what ``contimg.json`` of a Measurement Set says."""
    facts: dict[str, Any] = json.loads((ms_path / PROVENANCE_NAME).read_text())
    return facts


def describe(provenance: Provenance) -> dict[str, Any]:
    """Return the facts that ``contimg.json`` holds."""
    plan, written, options = provenance.plan, provenance.written, provenance.options
    header = next(iter(plan.headers.values()))
    middle = float(plan.times_mjd.mean())
    earth = earth_orientation(middle)
    field = plan.description.fields[len(plan.description.fields) // 2]
    used = {sb: h for sb, h in sorted(plan.headers.items()) if sb not in written.set_aside}
    return {
        "format": FORMAT,
        "group": provenance.group,
        "files": [
            {"subband": sb, "path": str(h.path.absolute()), "bytes": h.size_bytes, "zeros": round(written.zeros[sb], 6)}
            for sb, h in used.items()
        ],
        "set_aside": [item.as_dict() for item in provenance.set_aside],
        "missing": list(provenance.missing),
        "flagged": round(written.flagged, 6),
        "antennas": len(set(header.ant_1.tolist())),
        "integrations": header.n_times,
        "pointing_dec_deg": degrees(header.dec_rad),
        "correlator": correlator_state(header)._asdict(),
        "phase_centre": {"kind": options.phase_centre.kind, "ra_deg": field.ra_deg, "dec_deg": field.dec_deg},
        "aberration_scale": aberration_scale(field.ra_deg, field.dec_deg, middle, header.site),
        "calibrator": options.calibrator.facts(plan) if options.calibrator else None,
        "site": list(header.site),
        "ut1_utc_s": float(earth.ut1_utc_s[0]),
        "earth_orientation": earth.quality,
        "settings": {
            "writer": options.writer,
            "min_subbands": options.min_subbands,
            "workers": options.workers,
            "average_channels": options.averaging.channels,
            "average_times": options.averaging.times,
            "antenna_positions": "given" if options.stations is not None else "from the files",
        },
        "versions": _versions(),
        "host": platform.node(),
        "process": os.getpid(),
        "seconds": round(provenance.seconds, 3),
    }


def correlator_state(header: SubbandHeader) -> CorrelatorState:
    """Say how the telescope stood for the files of a group, which all say the same."""
    return CorrelatorState(
        start_mjd=float(header.times_mjd[0]),
        integration_s=header.integration_s,
        dec_deg=degrees(header.dec_rad),
        antenna_order=digest([header.ant_1, header.ant_2]),
        applied_delays=digest(" ".join(header.applied_delays_ns.split())),
    )


def _messages(facts: dict[str, Any]) -> list[str]:
    site = "latitude {} deg, longitude {} deg, height {} m".format(*facts["site"])
    centre = facts["phase_centre"]
    lines = [
        f"group {facts['group']}: {len(facts['files'])} subband files in {facts['seconds']:.1f} s",
        *(f"subband {file['subband']:02d}: {file['path']} ({file['bytes']} bytes)" for file in facts["files"]),
        *(f"set aside, {item['outcome']}: {item['path']}: {item['reason']}" for item in facts["set_aside"]),
        f"phase centre {centre['kind']}: ICRS {centre['ra_deg']:.8f} {centre['dec_deg']:.8f} deg",
        f"site {site}; UT1-UTC {facts['ut1_utc_s']:.6f} s ({facts['earth_orientation']})",
        f"UVW are turned rigidly: aberration magnifies the sky at its centre by {facts['aberration_scale']:.8f}",
        "settings: " + ", ".join(f"{key} {value}" for key, value in facts["settings"].items()),
        "versions: " + ", ".join(f"{key} {value}" for key, value in facts["versions"].items()),
    ]
    if facts["calibrator"]:
        lines.append("calibrator: " + ", ".join(f"{key} {value}" for key, value in facts["calibrator"].items()))
    if facts["missing"]:
        lines.append(f"subbands {', '.join(map(str, facts['missing']))} are missing: their channels are flagged")
    return lines


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            # The package also runs uninstalled, from PYTHONPATH.
            continue
    return found
