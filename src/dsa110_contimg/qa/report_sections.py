"""What the page about a group says of its images, calibration, data and flags: facts in, rows and tables out.

Whatever is not known is left out, or said to be missing; nothing is made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsa110_contimg.qa.report_parts import Row, Section, Table
from dsa110_contimg.qa.sayings import (
    NOTHING,
    declination,
    flux,
    known,
    number,
    percent,
    right_ascension,
    seconds,
    with_error,
)

_MOST_BRIGHT_SOURCES = 4

Facts = Mapping[str, Any]


def sources_section(sources: Sequence[Facts], total: int | None) -> Section:
    """List the brightest sources, of rows as `report.brightest` makes them."""
    if not sources:
        why = "No source was found." if total == 0 else "The image has no catalogue: the stage catalogue did not run."
        return Section("Brightest sources", missing=why)
    columns = ("source", "RA (ICRS)", "Dec", "flux density", "apparent", "S/N", "beam", "size", "")
    rows = tuple(
        (
            str(source["name"]),
            right_ascension(source["ra"]),
            declination(source["dec"]),
            with_error(1e3 * source["flux"], 1e3 * source["e_flux"], "mJy"),
            flux(source["apparent"]),
            number(source["snr"], 3),
            percent(source["pb"]),
            f"{source['true_major']:.0f}″ × {source['true_minor']:.0f}″" if source["resolved"] else "point",
            str(source["flags"]),
        )
        for source in sources
    )
    tones = tuple("dim" if source["pb"] < 0.2 else "" for source in sources)
    note = f"{len(rows)} of {total}, by apparent flux density; " if total is not None else ""
    note += (
        "flux densities are corrected for the primary beam (grey: where it is below 20 %); errors after Condon 1997."
    )
    return Section("Brightest sources", tables=(Table(columns, rows, frozenset({3, 4, 5, 6}), tones, note),))


def ties_section(ties: Facts | None) -> Section:
    """Say how the image compares with a reference catalogue."""
    title = "Ties to a reference catalogue"
    if not ties:
        return Section(title, missing="Not compared: no reference catalogue is set (catalogue.reference).")
    n, among = ties.get("n", 0), ties.get("n_reference")
    rows = [Row("reference", str(ties.get("reference", NOTHING)))]
    rows.append(Row("matched", number(n), f"of {among} that the image could show" if known(among) else ""))
    told = {"n", "n_reference", "reference"}
    for label, key, scatter, unit, note in (
        ("offset east", "d_ra_arcsec", "scatter_ra_arcsec", "arcsec", ""),
        ("offset north", "d_dec_arcsec", "scatter_dec_arcsec", "arcsec", ""),
        ("flux ratio", "flux_ratio", "scatter_flux", "", "image over reference"),
    ):
        scatters = f"scatter {number(ties[scatter], 2, unit)}" if known(ties.get(scatter)) else ""
        value = with_error(ties.get(key), ties.get(f"e_{key}"), unit)
        rows.append(Row(label, value, ", ".join(filter(None, (note, scatters)))))
        told |= {key, f"e_{key}", scatter}
    rows += others(ties, told)
    return Section(title, tuple(rows))


def calibration_section(ms: Facts) -> Section:
    """Say what calibrated the data."""
    calibration = ms.get("calibration")
    if not calibration:
        return Section("Calibration", missing="No calibration was applied: the data are as the correlator left them.")
    sets = calibration.get("sets") or []
    rows = [
        Row("sets", ", ".join(map(str, sets)) or NOTHING, "interpolated between" if len(sets) > 1 else ""),
        Row("chosen", str(calibration.get("why", NOTHING))),
        Row("how well it fits", str(calibration.get("rung", NOTHING)), "stale" if calibration.get("stale") else ""),
        Row("error of the flux scale", percent(calibration.get("scale_error"))),
    ]
    tie = calibration.get("tie")
    rows.append(Row("tied to its own sky by", str(tie) if tie else NOTHING))
    rows += others(calibration, {"sets", "why", "rung", "stale", "scale_error", "tie"})
    remarks = ("The calibration is older than it should be.",) if calibration.get("stale") else ()
    return Section("Calibration", tuple(rows), remarks=remarks)


def flagging_section(ms: Facts, flags: Facts, drawings: tuple[str, ...] = ()) -> Section:
    """Say what was flagged by what."""
    flagging = ms.get("flagging") or {}
    fractions = flagging.get("fractions") or flags.get("by_reason") or {}
    if not fractions:
        return Section("Flagging", missing="The stage flag did not run.")
    rows = tuple((reason, percent(part)) for reason, part in sorted(fractions.items(), key=lambda item: -item[1]))
    ailments = [str(text) for text in flagging.get("ailments") or ()]
    remarks = (*ailments, *(str(text) for text in flagging.get("remarks") or ()))
    lost = [(name, 1.0 - _good(parts)) for name, parts in (flags.get("antennas") or {}).items()]
    lost = sorted((item for item in lost if item[1] > 0.5), key=lambda item: -item[1])
    told = []
    if lost:
        worst = ", ".join(f"{name} ({percent(part)})" for name, part in lost[:12])
        told.append(Row("antennas mostly flagged", worst, f"{len(lost)} in all" if len(lost) > 12 else ""))
    return Section("Flagging", tuple(told), (Table(("samples", "part"), rows, frozenset({1})),), drawings, remarks)


def data_section(ms: Facts, facts: Facts) -> Section:
    """Say what the group is made of."""
    if not ms:
        return Section("Data", missing="The Measurement Set says nothing of itself.")
    site, missing = ms.get("site"), ms.get("missing") or []
    centre, calibrator = ms.get("phase_centre") or {}, ms.get("calibrator") or {}
    files = ms.get("files") or []
    n_bytes = sum(entry.get("bytes", 0) for entry in files)
    rows = [
        Row("subbands", f"{len(files)} of 16", f"missing: {', '.join(map(str, missing))}" if missing else ""),
        Row("read", f"{n_bytes / 1e9:.2f} GB" if n_bytes else NOTHING),
        Row("antennas, integrations", f"{ms.get('antennas', NOTHING)}, {ms.get('integrations', NOTHING)}"),
        Row("pointing", number(ms.get("pointing_dec_deg"), 5, "deg"), "apparent declination, on the meridian"),
    ]
    if known(centre.get("ra_deg")) and known(centre.get("dec_deg")):
        place = f"{right_ascension(centre['ra_deg'])} {declination(centre['dec_deg'])}"
        rows.append(Row("phase centre", place, str(centre.get("kind", ""))))
    if calibrator:
        model = f"{number(calibrator.get('flux_1p4ghz_jy'), 3, 'Jy')} at 1.4 GHz"
        rows.append(Row("calibrator", str(calibrator.get("name")), model))
    if site:
        rows.append(Row("site", f"{site[0]:.5f} N, {site[1]:.5f} E, {site[2]:.1f} m"))
    if known(ms.get("ut1_utc_s")):
        rows.append(Row("UT1 − UTC", f"{ms['ut1_utc_s']:.4f} s", str(ms.get("earth_orientation", ""))))
    if facts.get("command"):
        rows.append(Row("command", str(facts["command"])))
    aside = tuple(
        (str(bad.get("path", "")).rpartition("/")[2], str(bad.get("outcome", "")), str(bad.get("reason", "")))
        for bad in (ms.get("set_aside") or [])
    )
    tables = (Table(("file set aside", "outcome", "reason"), aside),) if aside else ()
    return Section("Data", tuple(rows), tables)


def imaging_section(record: Facts) -> Section:
    """Say how the image was made."""
    if not record:
        return Section("Imaging", missing="The imaging run left no figures.")
    weighting, averaging = record.get("weighting") or {}, record.get("averaging") or {}
    settings = record.get("settings") or {}
    outliers = record.get("outliers") or {}
    size = record.get("pixels")
    rows = [
        Row("pixels", f"{size} × {size} of {number(record.get('cell_arcsec'), 3)}″" if size else NOTHING),
        Row("weighting", _weighting(weighting), f"thermal noise {flux(record.get('thermal_jy'), '/beam')}"),
        Row("visibilities", number(record.get("visibilities"), 6), _averaged(averaging)),
    ]
    if known(averaging.get("loss")):
        rows.append(
            Row(
                "lost to smearing",
                f"≤ {percent(averaging['loss'])}",
                f"at the image's edge, {percent(averaging.get('limit'))} allowed",
            )
        )
    rows += [
        Row("primary beam", str(settings.get("beam", NOTHING)), "drifting" if settings.get("drift") else "constant"),
        Row("model", flux(record.get("model_jy")), "apparent, of all components"),
        Row("took", seconds(record.get("seconds"))),
    ]
    rows += others(outliers, {"sources"}, "outliers: ")
    cycles = record.get("cycles") or []
    columns = ("major cycle", "peak residual", "noise", "model", "iterations", "time")
    table = Table(
        columns,
        tuple(
            (
                str(k),
                flux(cycle.get("peak_jy"), "/beam"),
                flux(cycle.get("rms_jy"), "/beam"),
                flux(cycle.get("model_jy")),
                number(cycle.get("iterations"), 7),
                seconds(cycle.get("seconds")),
            )
            for k, cycle in enumerate(cycles, 1)
        ),
        frozenset(range(1, 6)),
    )
    remarks = ("The deconvolution diverged: what was before is kept.",) if record.get("diverged") else ()
    tables = (*((table,) if cycles else ()), *_outliers(outliers.get("sources") or ()))
    return Section("Imaging", tuple(rows), tables, remarks=remarks)


def surroundings_section(surroundings: Facts | None) -> Section:
    """Say what was in the sky besides."""
    if not surroundings:
        return Section("Bright and near", missing="Not known.")
    bright = [("Sun", surroundings.get("sun") or {}), *(surroundings.get("bright_sources") or {}).items()]
    bright = sorted(bright, key=lambda item: item[1].get("distance_deg", 360.0))[: _MOST_BRIGHT_SOURCES + 1]
    rows = tuple(
        (
            name,
            number(figures.get("distance_deg"), 3, "deg"),
            "below the horizon" if figures.get("elevation_deg", 0.0) < 0.0 else "up",
        )
        for name, figures in bright
    )
    return Section("Bright and near", tables=(Table(("source", "from the pointing", ""), rows, frozenset({1})),))


def others(facts: Facts, told: set[str], before: str = "") -> list[Row]:
    """Say whatever else there is: numbers and words, not what is made of several."""
    rows = []
    for name, value in facts.items():
        if name in told or isinstance(value, Mapping | list | tuple) or value is None:
            continue
        rows.append(Row(before + name.replace("_", " "), _text(value)))
    return rows


def _outliers(sources: Sequence[Facts]) -> tuple[Table, ...]:
    """Table the bright sources outside of the image that were taken out of the visibilities."""
    if not sources:
        return ()
    rows = tuple(
        (
            str(source.get("name")),
            number(source.get("distance_deg"), 3, "deg"),
            flux(source.get("expected_jy")),
            with_error(source.get("fitted_jy"), source.get("error_jy"), "Jy"),
            _text(source.get("subtracted", True)),
        )
        for source in sources
    )
    columns = ("source outside", "distance", "expected", "fitted", "subtracted")
    return (Table(columns, rows, frozenset({1, 2, 3})),)


def _text(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value, 4) if known(value) else str(value)


def _good(parts: Any) -> float:
    return float(parts.get("good", 0.0)) if isinstance(parts, Mapping) else 0.0


def _weighting(weighting: Facts) -> str:
    name = str(weighting.get("weighting", NOTHING))
    robust, taper = weighting.get("robust"), weighting.get("taper_arcsec")
    return name + (f" {robust:g}" if known(robust) else "") + (f", taper {taper:g}″" if known(taper) else "")


def _averaged(averaging: Facts) -> str:
    if not known(averaging.get("samples_before")):
        return ""
    return f"averaged from {number(averaging['samples_before'], 6)}, {averaging.get('channels_averaged')} channels to 1"
