"""Whether the benchmark of staging runs; how fast is for `make bench` to say."""

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[1] / "benchmarks" / "bench_scratch.py"


def test_bench_of_small_trees(tmp_path):
    command = [sys.executable, BENCH, "--quick", "--runs", "1", "--data", tmp_path / "data"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()][1:]
    assert [row[0] for row in rows] == ["big-file", "small-files", "measurement-set"]
    assert [row[1] for row in rows] == ["1", "50", "72"]
    assert list((tmp_path / "data").iterdir()) == []
