"""Whether the benchmark of imaging runs; how fast is for whoever runs it in full."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "bench_image.py"


@pytest.mark.slow
def test_bench_of_a_small_group(tmp_path):
    results = tmp_path / "RESULTS.md"
    command = [sys.executable, SCRIPT, "--quick", "--no-wsclean", "--data", tmp_path / "data", "--results", results]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    text = results.read_text()
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][2:] == [
        "still",
        "drifting",
    ]
    assert "from subband files to report" in text
