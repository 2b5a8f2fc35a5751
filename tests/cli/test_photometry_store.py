"""``dsa110-contimg photometry collect`` and ``compact``."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.lightcurves.store import stored_epochs
from made_epochs import STRIP, epoch_of, made_rows, write_epoch


@pytest.fixture
def run(in_tmp, monkeypatch):
    monkeypatch.setenv("DSA110_CONTIMG_LIGHTCURVES__JOIN_EPOCHS", "3")
    monkeypatch.setenv("DSA110_CONTIMG_PATHS__MS", str(in_tmp / "ms"))
    (in_tmp / "ms").mkdir()

    def command(*arguments):
        result = CliRunner().invoke(app, ["photometry", *arguments], catch_exceptions=False)
        assert result.exit_code == 0
        return json.loads(result.stdout) if "--json" in arguments else result.stdout

    return command


def epochs(in_tmp, days):
    for day in days:
        write_epoch(in_tmp / "ms", day, made_rows(day, np.ones(4)))


def test_epochs_are_taken_in_and_joined_when_it_is_time(run, in_tmp):
    root = in_tmp / "lightcurves"
    epochs(in_tmp, (0, 1))
    assert run("collect", "--dry-run", "--json")["taken_in"] == [epoch_of(0), epoch_of(1)]
    assert not root.exists()
    assert "2 of 2 epochs taken into" in run("collect")
    assert run("compact").strip() == "nothing to join"
    epochs(in_tmp, (2,))
    told = run("collect", "--json")
    assert told["taken_in"] == [epoch_of(2)]
    assert [(one["month"], one["n_epochs"], one["n_rows"]) for one in told["joined"]] == [("2025-10", 3, 12)]
    assert "0 of 3 epochs" in run("collect", "ms")


def test_what_is_not_found_any_more_stays_unless_it_is_to_go(run, in_tmp):
    epochs(in_tmp, (0, 1))
    run("collect")
    (in_tmp / "ms" / f"{epoch_of(0)}-epoch" / "measurements.parquet").unlink()
    assert "1 in it were not found there" in run("collect")
    assert len(stored_epochs(in_tmp / "lightcurves")) == 2
    assert "would be withdrawn" in run("collect", "--withdraw", "--dry-run")
    assert run("collect", "--withdraw", "--json")["withdrawn"] == [epoch_of(0)]
    assert list(stored_epochs(in_tmp / "lightcurves")) == [epoch_of(1)]


def test_a_damaged_store_is_made_again(run, in_tmp):
    epochs(in_tmp, (0, 1, 2))
    run("collect")
    path = in_tmp / "lightcurves" / STRIP / "2025-10-0001.parquet"
    path.write_text("torn")
    out = run("collect", "--rebuild")
    assert f"set aside {path}.damaged" in out
    assert "3 of 3 epochs" in out
    assert "2025-10: 3 epochs, 12 rows in one file" in out


def test_months_are_joined_when_one_asks(run, in_tmp):
    epochs(in_tmp, (0, 30))
    run("collect", "ms")
    assert run("compact", "--all", "--dry-run") == f"{STRIP} 2025-10 would be joined\n{STRIP} 2025-11 would be joined\n"
    assert run("compact", "--all", "--dry-run", "--json")["months"][0] == {"strip": STRIP, "month": "2025-10"}
    assert run("compact", "--all", "--strip", "-10.0") == "nothing to join\n"
    told = run("compact", "--all", "--json", f"--strip={STRIP}")
    assert [one["month"] for one in told["months"]] == ["2025-10", "2025-11"]


def test_nothing_to_collect_is_an_error(run, in_tmp):
    result = CliRunner().invoke(app, ["photometry", "collect"])
    assert result.exit_code == 1
    assert "photometry epoch" in result.stderr


def test_a_strip_is_named_by_its_declination(run):
    result = CliRunner().invoke(app, ["photometry", "compact", "--strip", "north"])
    assert result.exit_code == 2
    assert "'north' does not name a strip" in result.stderr
