"""``dsa110-contimg convert``."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import casacore.tables as ct
import numpy as np
import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.ms.checks import check_ms
from dsa110_contimg.simulation import SimulationOptions, simulate
from dsa110_contimg.telescope.stations import load_stations
from stand_in_tools import only_path, stand_ins

START = datetime(2025, 10, 5, 12, 30, tzinfo=UTC)
ONE, TWO = "20251005T123000.ms", "20251005T123026.ms"


@pytest.fixture(scope="module")
def incoming(tmp_path_factory):
    """Two groups; the second lacks two subbands."""
    out = tmp_path_factory.mktemp("incoming")
    options = SimulationOptions(
        start=START, antennas=(24, 103, 11), integrations=2, groups=2, noise=0.0, sky="random:3"
    )
    groups = simulate(out, options).groups
    for subband in (4, 7):
        groups[1].files[subband].unlink()
    return out


@pytest.fixture
def run(in_tmp, incoming):
    return lambda *arguments: CliRunner().invoke(app, ["convert", str(incoming), *arguments])


def left(directory):
    return sorted(entry.name for entry in directory.iterdir())


def test_json(run, in_tmp):
    result = run("ms", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    one, two = report["groups"]
    assert (one["group"], one["outcome"], one["missing"]) == ("2025-10-05T12:30:00", "complete", [])
    assert (two["group"], two["outcome"], two["missing"]) == ("2025-10-05T12:30:26", "partial", [4, 7])
    assert one["ms"].endswith(f"ms/{ONE}")
    assert one["bytes_in"] > 0
    assert left(in_tmp / "ms") == [ONE, TWO]
    for name in (ONE, TWO):
        check_ms(in_tmp / "ms" / name)


def test_a_table_for_people(run):
    result = run("ms")
    assert result.exit_code == 0, result.output
    for word in ("group", "outcome", "2025-10-05T12:30:00", "complete", "2025-10-05T12:30:26", "partial", "4, 7"):
        assert word in result.stdout
    assert "MB/s" in result.stderr


def test_log_lines_for_machines(in_tmp, incoming):
    result = CliRunner().invoke(app, ["--log-json", "convert", str(incoming), "ms", "--json"])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    stages = [line for line in lines if line.get("stage") == "convert"]
    assert [line["group"] for line in stages] == ["2025-10-05T12:30:00", "2025-10-05T12:30:26"]


def test_dry_run_writes_nothing(run, in_tmp):
    result = run("ms", "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    groups = json.loads(result.stdout)["groups"]
    assert len(groups) == 2
    assert left(in_tmp) == []
    result = run("ms", "--dry-run")
    assert result.exit_code == 0
    assert "2025-10-05T12:30:26" in result.stdout
    assert left(in_tmp) == []


def test_a_range(run, in_tmp):
    result = run("ms", "--start", "2025-10-05T12:30:10", "--end", "2025-10-05T13:00:00")
    assert result.exit_code == 0, result.output
    assert left(in_tmp / "ms") == [TWO]


def test_scratch(run, in_tmp):
    result = run("ms", "--scratch", "scratch")
    assert result.exit_code == 0, result.output
    assert left(in_tmp / "ms") == [ONE, TWO]
    assert left(in_tmp / "scratch") == []


@pytest.mark.parametrize("arguments", [("ms", "--scratch"), ("ms", "--scratch", "--workers", "1")])
def test_on_the_scratch_root(run, in_tmp, monkeypatch, arguments):
    """Without a directory: written and validated on the root of staging, archived to the output, cleaned."""
    monkeypatch.setenv("SCRATCH_ROOT", str(in_tmp / "fast"))
    monkeypatch.setenv("DSA110_CONTIMG_SCRATCH__RESERVE_GB", "0")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert left(in_tmp / "ms") == [ONE, TWO]
    assert left(in_tmp / "fast") == []


def test_the_scratch_root_is_not_made_where_a_disk_should_be(run, in_tmp, monkeypatch):
    monkeypatch.setenv("SCRATCH_ROOT", str(in_tmp / "no disk" / "fast"))
    result = run("ms", "--scratch")
    assert result.exit_code == 1
    assert "the scratch root is not there" in result.stderr
    assert not (in_tmp / "ms").exists()


def test_the_root_file_system_keeps_its_floor(run, in_tmp, monkeypatch):
    if in_tmp.stat().st_dev != Path("/").stat().st_dev:
        pytest.skip("the temporary directory is not on the root file system")
    monkeypatch.setenv("SCRATCH_ROOT", str(in_tmp / "fast"))
    monkeypatch.setenv("DSA110_CONTIMG_SCRATCH__RESERVE_GB", "1e9")
    result = run("ms", "--scratch", "--json")
    assert result.exit_code == 1
    assert {group["kind"] for group in json.loads(result.stdout)["groups"]} == {"DiskFullError"}
    assert left(in_tmp / "fast") == []


def test_what_is_broken_on_scratch_is_not_archived(run, in_tmp, monkeypatch):
    """A disk that loses the last tile of DATA: found before anything has its final name."""
    from dsa110_contimg.conversion import group

    real = group.record

    def record(product, *rest):
        real(product, *rest)
        largest = max(product.glob("table.f*_TSM*"), key=lambda file: file.stat().st_size)
        os.truncate(largest, largest.stat().st_size - 1)

    monkeypatch.setattr(group, "record", record)
    result = run("ms", "--scratch", "scratch", "--json")
    assert result.exit_code == 1
    assert {item["kind"] for item in json.loads(result.stdout)["groups"]} == {"MeasurementSetError"}
    assert left(in_tmp / "ms") == left(in_tmp / "scratch") == []


def test_options_reach_the_conversion(run, in_tmp, incoming):
    table = load_stations()
    rows = [f"{n},{x!r},{y!r},{z!r}" for n, (x, y, z) in zip(table.numbers, (table.itrf_m + 1.0).tolist(), strict=True)]
    (in_tmp / "stations.csv").write_text("\n".join(["station,x_m,y_m,z_m", *rows]))
    result = run(
        "ms", "--phase-centre", "84.5,54.2", "--average-channels", "8", "--average-times", "2", "--workers", "1",
        "--antenna-positions", "stations.csv", "--end", "2025-10-05T12:30:01",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    with ct.table(str(in_tmp / "ms" / ONE), ack=False) as ms:
        assert ms.nrows() == 6
        assert ms.getcell("DATA", 0).shape == (96, 2)
    with ct.table(f"{in_tmp / 'ms' / ONE}::FIELD", ack=False) as field:
        assert np.degrees(field.getcell("PHASE_DIR", 0)[0]) == pytest.approx([84.5, 54.2])
    with ct.table(f"{in_tmp / 'ms' / ONE}::ANTENNA", ack=False) as antenna:
        assert antenna.getcol("POSITION") == pytest.approx(table.itrf_m + 1.0, abs=1e-6)


def test_the_reference_writer(run, in_tmp):
    result = run("ms", "--writer", "pyuvdata", "--phase-centre", "drift", "--end", "2025-10-05T12:30:01", "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads((in_tmp / "ms" / ONE / "contimg.json").read_text())
    assert facts["settings"]["writer"] == "pyuvdata"
    assert facts["phase_centre"]["kind"] == "drift"


def test_what_is_there_is_left_unless_overwritten(run, in_tmp):
    run("ms")
    stamp = (in_tmp / "ms" / ONE / "table.dat").stat().st_mtime_ns
    result = run("ms", "--json")
    assert result.exit_code == 0
    assert [group["outcome"] for group in json.loads(result.stdout)["groups"]] == ["exists", "exists"]
    assert (in_tmp / "ms" / ONE / "table.dat").stat().st_mtime_ns == stamp
    result = run("ms", "--overwrite", "--json")
    assert [group["outcome"] for group in json.loads(result.stdout)["groups"]] == ["complete", "partial"]
    assert (in_tmp / "ms" / ONE / "table.dat").stat().st_mtime_ns > stamp


def test_a_group_that_fails(run, in_tmp):
    """The other is converted; the exit status says that not all are."""
    result = run("ms", "--min-subbands", "16", "--json")
    assert result.exit_code == 1
    one, two = json.loads(result.stdout)["groups"]
    assert one["outcome"] == "complete"
    assert (two["outcome"], two["kind"]) == ("failed", "IncompleteGroupError")
    assert left(in_tmp / "ms") == [ONE]
    assert "only 14 of 16 subbands are good" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--phase-centre", "zenith"], "not a phase centre: 'zenith'"),
        (["--phase-centre", "10,100"], "not a phase centre"),
        (["--writer", "concat"], "concat"),
        (["--min-subbands", "17"], "min-subbands"),
        (["--workers", "0"], "workers"),
        (["--start", "yesterday"], "yesterday"),
        (["--antenna-positions", "nowhere.csv"], "nowhere.csv"),
        (["--end", "tomorrow"], "Write it as 2025-10-05T12:30:00"),
        (["--average-channels", "5"], "Give a divisor of 48"),
        (["--average-times", "0"], "cannot average 0 integrations"),
        (["--average-times", "2", "--phase-centre", "drift"], "cannot be averaged"),
        (["--average-channels", "2", "--writer", "pyuvdata"], "does not average"),
        (["--frobnicate"], "frobnicate"),
    ],
)
def test_wrong_usage(run, in_tmp, arguments, said):
    result = run("ms", *arguments)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert not (in_tmp / "ms").exists()


def test_averages_that_do_not_divide_a_group(run, in_tmp):
    """Another group may have another length: each says so for itself."""
    result = run("ms", "--average-times", "3")
    assert result.exit_code == 1, result.output
    assert result.stderr.count("Give a divisor of 2") == 2
    assert left(in_tmp / "ms") == []


def test_nothing_to_do(in_tmp):
    (in_tmp / "empty").mkdir()
    result = CliRunner().invoke(app, ["convert", "empty", "ms"])
    assert result.exit_code == 1
    assert "empty" in result.stderr
    result = CliRunner().invoke(app, ["convert", "nowhere", "ms"])
    assert result.exit_code == 1
    assert "nowhere" in result.stderr
    assert not (in_tmp / "ms").exists()


def test_an_output_that_cannot_be_written(run, in_tmp):
    (in_tmp / "ms").write_text("a file")
    result = run("ms")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    assert "Traceback" not in result.stderr


def test_as_a_process(incoming, in_tmp):
    """With --json, stdout is JSON alone; no warning, no traceback, no bar in a pipe."""
    command = [sys.executable, "-W", "error", "-m", "dsa110_contimg.cli", "convert", str(incoming), "ms", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["groups"]) == 2
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


class TestQa:
    @pytest.fixture(autouse=True)
    def _tools(self, in_tmp, monkeypatch):
        only_path(monkeypatch, stand_ins(in_tmp / "bin"))
        monkeypatch.setenv("DSA110_CONTIMG_QUICKLOOKS__MAX_PLOTS", "1")

    def test_each_that_was_written_is_drawn_once(self, run, in_tmp):
        result = run("ms", "--qa", "shadems", "--json")
        assert result.exit_code == 0, result.output
        pages = json.loads(result.stdout)["pages"]
        base = in_tmp / "contimg-data" / "state" / "qa"
        assert pages == [str(base / name.removesuffix(".ms") / "index.html") for name in (ONE, TWO)]
        assert json.loads(run("ms", "--qa", "shadems", "--json").stdout)["pages"] == []

    def test_the_settings_may_ask_for_it_and_a_failure_costs_a_warning(self, run, in_tmp, monkeypatch, caplog):
        monkeypatch.setenv("DSA110_CONTIMG_CONVERT__QA", "shadems")
        only_path(monkeypatch, in_tmp / "nowhere")
        result = run("ms", "--end", START.isoformat(), "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["pages"] == []
        assert left(in_tmp / "ms") == [ONE]
        assert "tools install shadems" in result.stderr
