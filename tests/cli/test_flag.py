"""The verb flag."""

import json
import shutil

import casacore.tables as ct
import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from flagged_groups import ANTENNAS, DEAD, converted, write_sky


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    directory = tmp_path_factory.mktemp("flag_verb")
    options = {"antennas": ANTENNAS[3:9], "integrations": 3, "dead": (DEAD,), "rfi": True}
    return converted(directory, sky=write_sky(directory / "sky.json", []), **options)[0]


@pytest.fixture
def ms(small, in_tmp):
    return shutil.copytree(small, in_tmp / small.name)


def run(*arguments):
    return CliRunner().invoke(app, ["--log-level", "error", "flag", *map(str, arguments)])


def flags_of(ms):
    with ct.table(str(ms), ack=False) as table:
        return table.getcol("FLAG")


def test_a_dry_run_writes_nothing(ms, in_tmp):
    done = run(ms, "--dry-run", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert "station 46 XX is dead" in done.stdout
    assert "nothing was written" in done.stdout
    assert not flags_of(ms).any()
    assert list(in_tmp.iterdir()) == [ms]


def test_flagging_keeps_what_was_and_can_be_undone(ms, in_tmp):
    done = run(ms, "--qa", in_tmp / "qa", "--workers", 1, "--min-uv", 200, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["kept"] == "contimg_1"
    assert told["flagged"] == pytest.approx(flags_of(ms).mean(), abs=1e-3)
    assert told["by_reason"]["uv_range"] > 0
    assert sorted(path.name for path in (in_tmp / "qa").iterdir()) == [
        f"{ms.stem}.flags.{suffix}" for suffix in ("csv", "json", "png")
    ]
    assert json.loads(run(ms, "--list", "--json").stdout)["versions"] == [
        {"name": "contimg_1", "comment": "before dsa110-contimg flag"}
    ]
    assert "contimg_1" in run(ms, "--list").stdout
    assert run(ms, "--restore", "contimg_1").stdout == "the flags are contimg_1 again\n"
    assert not flags_of(ms).any()
    assert json.loads(run(ms, "--restore", "contimg_1", "--json").stdout)["restored"] == "contimg_1"


def test_a_version_that_is_not_kept_is_an_error_that_says_which_are(ms):
    done = run(ms, "--restore", "nothing")
    assert done.exit_code == 1
    assert "no flags named nothing are kept" in done.stderr
    assert "None are kept" in done.stderr
    assert "no flags are kept" in run(ms, "--list").stdout


def test_history_of_the_groups_that_were_flagged(ms, in_tmp):
    assert run(ms, "--qa", "qa", "--workers", 1).exit_code == 0
    done = run("--history", "band.png", "--qa", "qa")
    assert done.exit_code == 0, done.output
    assert "1487-1499" in done.stdout
    assert "1 groups are drawn in band.png" in done.stdout
    assert (in_tmp / "band.png").stat().st_size > 1000
    told = json.loads(run("--history", "band.png", "--qa", "qa", "--json").stdout)
    assert told["groups"] == [ms.name]
    assert len(told["mean"]) == 768


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ((), 2, "no Measurement Set is given"),
        (("none.ms",), 1, "cannot be read"),
        (("none.ms", "--list"), 1, "is not a Measurement Set"),
        (("none.ms", "--restore", "x"), 1, "is not a Measurement Set"),
        (("none.ms", "--workers", "0"), 2, "flag.workers"),
        (("--history", "x.png", "--qa", "nowhere"), 1, "no flagging has left a record"),
    ],
)
def test_what_cannot_be_done(in_tmp, arguments, status, text):
    done = run(*arguments)
    assert done.exit_code == status
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
