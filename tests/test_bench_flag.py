"""Whether the benchmark of flagging runs; how fast is for whoever runs it in full."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "bench_flag.py"


@pytest.mark.slow
def test_bench_of_a_tiny_group(tmp_path):
    results = tmp_path / "RESULTS.md"
    command = [sys.executable, SCRIPT, "--quick", "--runs", "1", "--data", tmp_path / "data", "--results", results]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    names = [line.split("|")[1].strip() for line in results.read_text().splitlines() if line.startswith("| ")][2:]
    assert names[:2] == ["ours, 1 worker", "ours, 2 workers"]
    assert not list((tmp_path / "data").iterdir())
