"""Whether the benchmark runs; how fast is for `make bench` to say."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "bench_convert.py"


@pytest.mark.slow
def test_bench_of_a_tiny_group(tmp_path):
    results = tmp_path / "RESULTS.md"
    command = [sys.executable, SCRIPT, "--quick", "--runs", "1", "--pyuvdata-runs", "1", "--note", "a test"]
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
