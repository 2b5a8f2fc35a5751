import json
import logging
import warnings
from datetime import datetime
from pathlib import Path

import pytest

from dsa110_contimg.config.logs import StderrHandler, configure_logging, human_bytes, stage_line

ours = logging.getLogger("dsa110_contimg.tests")
theirs = logging.getLogger("somelib")


def test_text_lines_go_to_stderr(capsys):
    configure_logging()
    ours.info("one")
    ours.warning("two")
    ours.debug("not said")
    theirs.warning("three")
    theirs.info("not said")
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(" ", 1)[1] for line in err.splitlines()] == ["one", "warning: two", "warning: somelib: three"]


def test_json_lines_carry_the_extra_fields(capsys):
    configure_logging("debug", json=True)
    ours.debug("one %d", 1, extra={"group": "2025-10-05T12:30:00", "path": Path("/a"), "rms": float("nan")})
    line = json.loads(capsys.readouterr().err)
    assert datetime.fromisoformat(line.pop("time")).utcoffset().total_seconds() == 0
    assert line == {
        "level": "debug",
        "logger": "dsa110_contimg.tests",
        "message": "one 1",
        "group": "2025-10-05T12:30:00",
        "path": "/a",
        "rms": None,
    }


def test_json_lines_carry_a_traceback_in_one_line(capsys):
    configure_logging(json=True)
    try:
        raise ValueError("went wrong")
    except ValueError:
        ours.exception("oh")
    (line,) = capsys.readouterr().err.splitlines()
    assert "went wrong" in json.loads(line)["exception"]


def test_warnings_are_logged(capsys):
    configure_logging(json=True)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("stale tables", UserWarning, stacklevel=1)
    assert "stale tables" in json.loads(capsys.readouterr().err)["message"]


def test_configuring_again_replaces():
    configure_logging()
    configure_logging("error", json=True)
    assert len([handler for handler in logging.getLogger().handlers if isinstance(handler, StderrHandler)]) == 1
    assert not ours.isEnabledFor(logging.WARNING)


def test_a_stage_is_one_line_with_its_rate(capsys):
    configure_logging()
    stage_line(ours, "convert", "2025-10-05T12:30:00", 1_372_000_000, 4.2)
    assert capsys.readouterr().err.split(" ", 1)[1] == "convert 2025-10-05T12:30:00: 1.37 GB in 4.2 s (327 MB/s)\n"


def test_a_stage_in_json(capsys):
    configure_logging(json=True)
    stage_line(ours, "convert", "2025-10-05T12:30:00", 2_000_000, 0.5, attempt=2)
    line = json.loads(capsys.readouterr().err)
    assert (line["stage"], line["group"], line["nbytes"], line["seconds"]) == (
        "convert",
        "2025-10-05T12:30:00",
        2_000_000,
        0.5,
    )
    assert (line["rate_mb_s"], line["attempt"]) == (4.0, 2)


def test_a_stage_that_took_no_time_has_no_rate(capsys):
    configure_logging()
    stage_line(ours, "convert", "g", 5, 0.0)
    assert capsys.readouterr().err.endswith("convert g: 5 B in 0.0 s\n")


@pytest.mark.parametrize(
    ("nbytes", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (144_000_000, "144 MB"),
        (999_600_000, "1 GB"),
        (2_310_000_000, "2.31 GB"),
        (650_000_000_000, "650 GB"),
        (5_000_000_000_000_000, "5e+03 TB"),
    ],
)
def test_sizes(nbytes, said):
    assert human_bytes(nbytes) == said
