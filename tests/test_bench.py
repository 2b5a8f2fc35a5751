"""Whether the benchmark runs; how fast is for `make bench` to say."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
def test_bench_of_a_tiny_group(tmp_path):
    results = tmp_path / "RESULTS.md"
    command = [
        sys.executable,
        BENCHMARKS / "bench_convert.py",
        "--quick",
        "--runs",
        "1",
        "--pyuvdata-runs",
        "1",
        "--note",
        "a test",
    ]
    results.write_text("# Timed\n\n## 0.0.1\n\nold\n")
    done = subprocess.run(
        [*command, "--data", tmp_path / "data", "--results", results], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = results.read_text()
    assert text.startswith("# Timed")
    assert text.index("\n## ") < text.index("\n## 0.0.1")  # a table a release, the newest first
    names = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][2:]
    assert names == ["byte copy", "direct-subband, 1 worker", "direct-subband, 2 workers", "pyuvdata"]
    assert "- a test" in text
    assert [entry.name for entry in (tmp_path / "data" / "quick").iterdir()] == ["group"]


@pytest.mark.slow
def test_bench_of_the_stream_and_of_the_ledger(tmp_path):
    for script, *more in (("bench_stream.py", "--quick", "--data", tmp_path), ("bench_ledger.py", "1000")):
        done = subprocess.run([sys.executable, BENCHMARKS / script, *more], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        for words in (
            ("groups/min", "ms a group", "lag of a full group") if "stream" in script else ("resume", "files/s")
        ):
            assert words in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_bench_of_calibrating(tmp_path):
    command = [sys.executable, BENCHMARKS / "bench_calibrate.py", "--quick", "--no-casa", "--data", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("calibrate, K + B + G", "deg rms", "times the conversion"):
        assert words in done.stdout


@pytest.mark.slow
def test_bench_of_light_curves(tmp_path):
    command = [sys.executable, BENCHMARKS / "bench_lightcurves.py", "--days", "2", "--sources", "40"]
    done = subprocess.run([*command, "--directory", tmp_path], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (
        "add an epoch",
        "join a day",
        "(48 points), warm",
        "mean, eta, V",
        "with events",
        "40 sources",
        "the verb",
    ):
        assert words in done.stdout
    assert list(tmp_path.iterdir()) == []
