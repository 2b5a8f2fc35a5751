"""What the page about a group shows, out of facts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.qa.report_view import GROUP_S, log_lines, noise_bar, time_table, times_bar, view_of

stage_times = st.lists(st.floats(0.01, 500.0), min_size=1, max_size=12)


def stages_of(times: list[float]) -> list[dict[str, object]]:
    return [
        {"name": f"stage {k}", "seconds": time_s, "bytes_in": 10**9, "bytes_out": 5} for k, time_s in enumerate(times)
    ]


@given(stage_times)
def test_the_bar_of_times_fits(times: list[float]) -> None:
    bar = times_bar(stages_of(times))
    assert bar is not None
    assert bar.mark is not None
    widths = [span.width for span in bar.spans]
    assert sum(widths) <= 100.0
    assert bar.mark <= 100.0
    # The mark is where a stage that takes as long as the sky would end.
    assert sum(widths) / bar.mark == pytest.approx(sum(times) / GROUP_S)


def test_a_group_takes_309_s() -> None:
    assert pytest.approx(24 * 12.884901888) == GROUP_S


def test_times() -> None:
    table = time_table(stages_of([30.92376, 61.84752]), 92.77128)
    assert table is not None
    assert table.rows[0] == ("stage 0", "31 s", "10 %", "1.00 GB", "0.0 MB")
    assert table.rows[-1][:3] == ("all", "93 s", "30 %")
    assert times_bar([]) is None
    assert time_table([], 0.0) is None


def test_the_bar_of_noise_is_of_squares() -> None:
    bar = noise_bar({"thermal_jy": 3e-3, "confusion_jy": 0.0, "dynamic_range_jy": 4e-3})
    assert bar is not None
    assert [span.width for span in bar.spans] == pytest.approx([36, 0, 64])
    assert noise_bar({"thermal_jy": None, "confusion_jy": 1e-4}) is None


def test_log_lines() -> None:
    lines = log_lines(
        [
            "12:30:00 convert: done",
            "12:30:01 warning: antenna 24 is dead",
            "12:30:02 error: no disk",
            "Traceback (most recent call last):",
            '{"time": "2025-10-05T12:30:03.000Z", "level": "error", "message": "no disk"}',
            '{"time": "2025-10-05T12:30:04.000Z", "level": "info", "message": "fine"}',
            '{"not": "ours"}',
        ]
    )
    assert [line.tone for line in lines] == ["", "warning", "error", "error", "error", "", ""]
    assert lines[4].text == "12:30:03 error: no disk"
    assert lines[5].text.split() == ["12:30:04", "fine"]


def test_the_log_is_cut_at_its_beginning() -> None:
    assert log_lines([str(k) for k in range(500)])[-1].text == "499"
    assert len(log_lines([str(k) for k in range(500)])) < 100


def test_nothing_is_known() -> None:
    view = view_of({}, {}, {})
    assert view["verdict"] == "unknown"
    assert "not judged" in view["reasons"][0]
    assert all(section.missing for section in view["sections"])
    assert {card.value for card in view["cards"]} == {"–"}


def test_cards() -> None:
    quality = {
        "verdict": "good", "noise": {"rms_jy": 2e-3, "thermal_jy": 1e-3},
        "sources": {"number": 80, "brightest_jy": 0.8},
        "beam": {"major_arcsec": 64.0, "minor_arcsec": 38.0, "pa_deg": -20.0},
        "peak": {"dynamic_range": 322.1, "image_jy": 0.64},
    }  # fmt: skip
    view = view_of({"stages": stages_of([GROUP_S / 4])}, {}, quality)
    assert [card.value for card in view["cards"]] == ["2.00 mJy/beam", "80", "64″ × 38″", "322", "77 s"]
    assert view["cards"][0].note == "2.0 × thermal"
    assert view["cards"][-1].note == "4.0 × as fast as the sky"
    assert view["reasons"] == ["Nothing speaks against it."]
