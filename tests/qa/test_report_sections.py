"""What the sections of the page say, of whatever is known."""

import pytest

from dsa110_contimg.qa.report_parts import Section
from dsa110_contimg.qa.report_sections import (
    calibration_section,
    data_section,
    flagging_section,
    imaging_section,
    sources_section,
    surroundings_section,
    ties_section,
)

SOURCE = {
    "name": "J081546.3+551549", "ra": 123.943, "dec": 55.2637, "flux": 0.801, "e_flux": 0.024, "apparent": 0.653,
    "snr": 326.0, "pb": 0.81, "true_major": 0.0, "true_minor": 0.0, "resolved": False, "flags": "",
}  # fmt: skip


def said(section: Section) -> str:
    rows = [cell for row in section.rows for cell in row]
    cells = [cell for table in section.tables for row in table.rows for cell in row]
    return " | ".join([*rows, *cells, *section.remarks, section.missing])


def test_sources() -> None:
    faint = SOURCE | {"pb": 0.1, "resolved": True, "true_major": 41.2, "true_minor": 12.0}
    section = sources_section([SOURCE, faint], 80)
    (table,) = section.tables
    assert table.rows[0][:4] == ("J081546.3+551549", "08:15:46.32", "+55:15:49.3", "801 ± 24 mJy")
    assert table.rows[1][7] == "41″ × 12″"
    assert table.tones == ("", "dim")
    assert table.note.startswith("2 of 80")


@pytest.mark.parametrize(("number", "why"), [(0, "No source was found"), (None, "did not run")])
def test_no_sources(number: int | None, why: str) -> None:
    assert why in sources_section([], number).missing


def test_ties() -> None:
    ties = {
        "n": 61, "n_reference": 70, "reference": "NVSS", "d_ra_arcsec": 4.1, "e_d_ra_arcsec": 0.23,
        "scatter_ra_arcsec": 1.8, "d_dec_arcsec": None, "flux_ratio": 0.93, "e_flux_ratio": 0.012,
        "radius_arcsec": 32.0,
    }  # fmt: skip
    text = said(ties_section(ties))
    for part in (
        "NVSS",
        "61 | of 70",
        "4.10 ± 0.23 arcsec | scatter 1.8 arcsec",
        "0.930 ± 0.012",
        "radius arcsec | 32.00",
    ):
        assert part in text
    assert "Not compared" in said(ties_section(None))


def test_calibration() -> None:
    calibration = {
        "sets": ["a.cal", "b.cal"], "rung": "between", "stale": True, "why": "between two", "scale_error": 0.043,
        "tie": "t",
    }  # fmt: skip
    section = calibration_section({"calibration": calibration})
    for part in ("a.cal, b.cal", "interpolated between", "stale", "between two", "4.3 %", "older than it should be"):
        assert part in said(section)
    assert "as the correlator left them" in said(calibration_section({}))


def test_flagging() -> None:
    ms = {"flagging": {"fractions": {"interference": 0.1, "good": 0.9}, "ailments": ["antenna 24 is dead"]}}
    flags = {"antennas": {"24": {"good": 0.02}, "25": {"good": 0.9}}}
    text = said(flagging_section(ms, flags))
    assert text.index("good") < text.index("interference")
    assert "antenna 24 is dead" in text
    assert "24 (98 %)" in text
    assert "25 (" not in text
    assert "did not run" in said(flagging_section({}, {}))
    assert "array" in said(flagging_section({}, {"by_reason": {"array": 0.2}}))


def test_data() -> None:
    ms = {
        "files": [{"bytes": 144_000_000}] * 15, "missing": [3], "antennas": 96, "integrations": 24,
        "pointing_dec_deg": 54.57, "phase_centre": {"kind": "meridian", "ra_deg": 120.0, "dec_deg": 54.5},
        "site": [37.2334051, -118.283, 1188.0519], "ut1_utc_s": 0.0931, "earth_orientation": "measured",
        "set_aside": [{"path": "/in/x_sb03.hdf5", "outcome": "truncated", "reason": "too short"}],
        "calibrator": {"name": "3C48", "flux_1p4ghz_jy": 16.0},
    }  # fmt: skip
    text = said(data_section(ms, {"command": "attempt 3"}))
    for part in (
        "15 of 16", "missing: 3", "2.16 GB", "96, 24", "54.570 deg", "08:00:00.00 +54:30:00.0", "measured",
        "x_sb03.hdf5 | truncated | too short", "3C48", "attempt 3",
    ):  # fmt: skip
        assert part in text
    assert "says nothing" in said(data_section({}, {}))


def test_imaging() -> None:
    record = {
        "pixels": 3600, "cell_arcsec": 6.0, "thermal_jy": 2.3e-4, "visibilities": 21_345_678,
        "weighting": {"weighting": "briggs", "robust": 0.5, "taper_arcsec": None},
        "averaging": {"loss": 0.0087, "limit": 0.01, "samples_before": 171_000_000, "channels_averaged": 4},
        "settings": {"beam": "airy", "drift": True}, "model_jy": 7.3, "seconds": 38.0, "diverged": True,
        "cycles": [{"peak_jy": 0.03, "rms_jy": 0.002, "model_jy": 5.6, "iterations": 3000, "seconds": 6.1}],
        "outliers": {"sources": [{"name": "Cas A", "distance_deg": 4.41, "expected_jy": 28.1, "fitted_jy": 26.9,
                                  "error_jy": 0.03, "subtracted": True}]},
    }  # fmt: skip
    text = said(imaging_section(record))
    for part in (
        "3600 × 3600 of 6.00″", "briggs 0.5", "0.230 mJy/beam", "21 345 678", "4 channels to 1", "≤ 0.87 %", "drifting",
        "1 | 30.0 mJy/beam", "3 000", "Cas A | 4.41 deg | 28.1 Jy | 26.900 ± 0.030 Jy | yes", "diverged",
    ):  # fmt: skip
        assert part in text
    assert "no figures" in said(imaging_section({}))


def test_surroundings() -> None:
    surroundings = {
        "sun": {"distance_deg": 88.4, "elevation_deg": -3.0},
        "bright_sources": {"Cas A": {"distance_deg": 4.4, "elevation_deg": 80.0}},
    }
    (table,) = surroundings_section(surroundings).tables
    assert [row[0] for row in table.rows] == ["Cas A", "Sun"]
    assert table.rows[1][2] == "below the horizon"
    assert surroundings_section(None).missing
