"""All that the page about a group shows, out of the facts: the verdict, what an operator needs, the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dsa110_contimg.qa.drawings import channel_drawing
from dsa110_contimg.qa.report_parts import Bar, Line, Row, Section, Span, Table
from dsa110_contimg.qa.report_sections import (
    calibration_section,
    data_section,
    flagging_section,
    imaging_section,
    others,
    sources_section,
    surroundings_section,
    ties_section,
)
from dsa110_contimg.qa.sayings import NOTHING, flux, known, number, percent, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUP_S = 309.2376
"""How long the sky takes to give a group [s]: 24 integrations of 12.884901888 s."""
LOG_LINES = 60
"""How many lines of the log are shown."""

_COLOURS = ("#3b6ea8", "#5b9aa0", "#d39b3a", "#8c6bb1", "#c4604f", "#6b9a4b", "#7a7f87", "#b07aa1")
_UNKNOWN = "unknown"


def view_of(facts: Mapping[str, Any], record: Mapping[str, Any], quality: Mapping[str, Any]) -> dict[str, Any]:
    """Put together what the template shows.

    Parameters
    ----------
    facts : mapping
        As `report.write_report` takes them.
    record : mapping
        What the imaging run said of itself.
    quality : mapping
        What `quality.Quality.as_json` says.

    Returns
    -------
    dict
        ``verdict``, ``reasons``, ``remarks``, ``cards``, ``checks``, ``noise`` and ``times`` (bars), ``time_table``,
        ``sections``, ``log``.
    """
    ms, flags = facts.get("ms") or {}, facts.get("flags") or {}
    stages = list(facts.get("stages") or ())
    total_s = sum(stage.get("seconds", 0.0) for stage in stages)
    number_of = (quality.get("sources") or {}).get("number")
    return {
        "group": str(facts.get("group") or (record.get("provenance") or {}).get("group") or _UNKNOWN),
        "outcome": str(facts.get("outcome") or ""),
        "verdict": str(quality.get("verdict") or _UNKNOWN),
        "reasons": list(quality.get("reasons") or ()) or _no_reasons(quality),
        "remarks": list(quality.get("remarks") or ()),
        "cards": cards(quality, record, stages, total_s),
        "checks": checks_table(quality),
        "noise": noise_bar(quality.get("noise") or {}),
        "noise_rows": noise_rows(quality),
        "times": times_bar(stages),
        "time_table": time_table(stages, total_s),
        "sections": [
            sources_section(facts.get("sources") or (), number_of),
            ties_section(quality.get("ties")),
            calibration_section(ms),
            flagging_section(ms, flags, channel_drawing(flags)),
            imaging_section(record),
            data_section(ms, facts),
            surroundings_section(quality.get("surroundings") or record.get("surroundings")),
            _versions(ms, record),
        ],
        "log": log_lines(facts.get("log") or ()),
        "log_path": str(facts.get("log_path") or ""),
    }


def cards(
    quality: Mapping[str, Any], record: Mapping[str, Any], stages: Sequence[Mapping[str, Any]], total_s: float
) -> list[Row]:
    """Return the figures to be seen first."""
    noise, beam = quality.get("noise") or {}, quality.get("beam") or record.get("beam") or {}
    sources, peak = quality.get("sources") or {}, quality.get("peak") or {}
    thermal = noise.get("thermal_jy")
    factor = ""
    if thermal and known(thermal) and known(noise.get("rms_jy")):
        factor = f"{number(noise['rms_jy'] / thermal, 2)} × thermal"
    size = NOTHING
    if known(beam.get("major_arcsec")):
        size = f"{beam['major_arcsec']:.0f}″ × {beam['minor_arcsec']:.0f}″"
    brightest = sources.get("brightest_jy")
    return [
        Row("noise", flux(noise.get("rms_jy"), "/beam"), factor),
        Row("sources", number(sources.get("number")), f"brightest {flux(brightest)}" if known(brightest) else ""),
        Row("beam", size, f"PA {beam['pa_deg']:.0f}°" if known(beam.get("pa_deg")) else ""),
        Row("dynamic range", number(peak.get("dynamic_range"), 2), f"peak {flux(peak.get('image_jy'), '/beam')}"),
        Row(
            "time",
            seconds(total_s) if stages else NOTHING,
            f"{number(GROUP_S / total_s, 2)} × as fast as the sky" if total_s > 0 else "",
        ),
    ]


def checks_table(quality: Mapping[str, Any]) -> Table | None:
    """Table what was judged, within which limits."""
    checks = quality.get("checks") or []
    rows = []
    for check in checks:
        limits = NOTHING
        if known(check.get("good")):
            usable = f"≤ {number(check['usable'])}" if known(check.get("usable")) else "any"
            limits = f"≤ {number(check['good'])}, {usable}"
        unit = str(check.get("unit") or "")
        rows.append(
            (
                str(check.get("name")),
                number(check.get("value"), 3, unit),
                limits,
                str(check.get("verdict") or "not judged"),
            )
        )
    if not rows:
        return None
    return Table(("judged", "value", "good, usable", "verdict"), tuple(rows), tones=tuple(row[3] for row in rows))


def noise_bar(noise: Mapping[str, Any]) -> Bar | None:
    """Show the parts of the noise; their squares add up, so a bar of squares is what is whole."""
    parts = [("thermal", "thermal_jy"), ("confusion", "confusion_jy"), ("dynamic range", "dynamic_range_jy")]
    squares = {name: noise[key] ** 2 for name, key in parts if known(noise.get(key))}
    total = sum(squares.values())
    if len(squares) < len(parts) or not total > 0:
        return None
    spans = (
        Span(name, flux(squares[name] ** 0.5, "/beam"), 100.0 * squares[name] / total, colour)
        for (name, _), colour in zip(parts, _COLOURS, strict=False)
    )
    return Bar(tuple(spans))


def noise_rows(quality: Mapping[str, Any]) -> list[Row]:
    """Return what else there is to say of the noise."""
    spread, stripes, peak = (quality.get(name) or {} for name in ("noise_map", "stripes", "peak"))
    rows = []
    if known(spread.get("least_jy")):
        rows.append(Row("from place to place", f"{flux(spread['least_jy'])} to {flux(spread['most_jy'], '/beam')}"))
    if known(spread.get("unevenness")):
        rows.append(Row("quarter against quarter", f"{spread['unevenness']:.2f}", "1: even"))
    if known(stripes.get("anisotropy")):
        rows.append(Row("anisotropy", f"{stripes['anisotropy']:.2f}", f"1: none; PA {stripes['pa_deg']:.0f}°"))
        fringe = f"{stripes['fringe_sigma']:.1f} × usual, every {stripes['fringe_arcsec']:.0f}″"
        rows.append(Row("strongest fringe", flux(stripes["fringe_jy"], "/beam"), fringe))
    if known(peak.get("least_sigma")):
        rows.append(Row("deepest hole", flux(peak["least_jy"], "/beam"), f"{peak['least_sigma']:.1f} × the noise"))
    return rows


def times_bar(stages: Sequence[Mapping[str, Any]]) -> Bar | None:
    """Show what the stages took, beside the time that the sky takes."""
    total_s = sum(stage.get("seconds", 0.0) for stage in stages)
    if not total_s > 0:
        return None
    whole_s = max(total_s, GROUP_S) * 1.02
    spans = tuple(
        Span(str(stage["name"]), seconds(stage["seconds"]), 100.0 * stage["seconds"] / whole_s, colour)
        for stage, colour in zip(stages, _COLOURS * (1 + len(stages) // len(_COLOURS)), strict=False)
    )
    return Bar(spans, 100.0 * GROUP_S / whole_s, f"{GROUP_S:.0f} s of sky")


def time_table(stages: Sequence[Mapping[str, Any]], total_s: float) -> Table | None:
    """Table what the stages took, and read and wrote."""
    if not stages:
        return None
    rows = [
        (
            str(stage["name"]),
            seconds(stage.get("seconds")),
            percent(stage.get("seconds", 0.0) / GROUP_S),
            _size(stage.get("bytes_in")),
            _size(stage.get("bytes_out")),
        )
        for stage in stages
    ]
    rows.append(("all", seconds(total_s), percent(total_s / GROUP_S), "", ""))
    tones = ("",) * len(stages) + ("total",)
    return Table(
        ("stage", "time", f"of {GROUP_S:.0f} s", "read", "written"), tuple(rows), frozenset({1, 2, 3, 4}), tones
    )


def log_lines(log: Sequence[str]) -> list[Line]:
    """Return the last lines of a log, of those for people or of JSON lines, with what is wrong marked."""
    return [_log_line(text.rstrip("\n")) for text in log[-LOG_LINES:]]


def _log_line(text: str) -> Line:
    try:
        said = json.loads(text)
        level = str(said["level"])
        text = f"{str(said.get('time', ''))[11:19]} {'' if level == 'info' else level + ': '}{said['message']}"
    except (ValueError, KeyError, TypeError):
        # A line for people: "12:30:00 warning: ...".
        level = next((word for word in ("error", "critical", "warning") if f" {word}: " in text[:40]), "")
        level = level or ("error" if text.startswith(("Traceback", "MemoryError")) else "")
    return Line(text, "error" if level in {"error", "critical"} else level if level == "warning" else "")


def _no_reasons(quality: Mapping[str, Any]) -> list[str]:
    if not quality:
        return ["The image was not judged: the stage catalogue did not run."]
    return ["Nothing speaks against it."]


def _versions(ms: Mapping[str, Any], record: Mapping[str, Any]) -> Section:
    versions = {**(ms.get("versions") or {}), **(record.get("versions") or {})}
    return Section("Made with", tuple(others(versions, set())), missing="" if versions else "Not known.")


def _size(n_bytes: Any) -> str:
    if not known(n_bytes) or n_bytes == 0:
        return NOTHING
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
