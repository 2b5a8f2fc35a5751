"""The demo from end to end, with few antennas."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dsa110_contimg.images.fits import read_image

SCRIPT = Path(__file__).parents[1] / "scripts" / "demo.py"


def run(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_demo(tmp_path):
    home, picture = tmp_path / "demo", tmp_path / "small.png"
    done = run("--output", home, "--antennas", 14, "--picture", picture)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^ ([A-H])  .* ([\d.]+) +[\d.]+ +[\d.]+ +[\d.]+ +([\d.]+)  ok", done.stdout, re.MULTILINE)
    assert [name for name, *_ in rows] == list("ABCDEFGH")
    assert all(float(offset) < 0.5 and abs(float(ratio) - 1) < 0.02 for _, offset, ratio in rows)
    assert "OFF" not in done.stdout
    assert (home / "20251005T123000-dirty.png").read_bytes()[:4] == b"\x89PNG"
    assert picture.stat().st_size < 400_000
    assert read_image(home / "20251005T123000-dirty.fits").pixels.shape == (1800, 1800)
    assert (home / "ms" / "20251005T123000.ms").is_dir()


def test_what_is_not_the_demos_is_left_alone(tmp_path):
    precious = tmp_path / "thesis.tex"
    precious.touch()
    done = run("--output", tmp_path)
    assert done.returncode == 1
    assert "give another --output" in done.stderr
    assert precious.exists()
