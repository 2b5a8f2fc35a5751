"""The demo from end to end, with few antennas, few pixels and one target."""

import re
import string
import subprocess
import sys
from pathlib import Path

import pytest

from dsa110_contimg.images.fits import read_image

SCRIPT = Path(__file__).parents[1] / "scripts" / "demo.py"


def run(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=550)


@pytest.mark.slow
def test_demo(tmp_path):
    home, picture = tmp_path / "demo", tmp_path / "small.png"
    done = run("--output", home, "--antennas", 20, "--pixels", 640, "--groups", 1, "--picture", picture)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^ ([A-Z])  .* ([\d.]+) +([\d.]+)  ok *$", done.stdout, re.MULTILINE)
    assert len(rows) >= 3
    assert [name for name, *_ in rows] == list(string.ascii_uppercase[: len(rows)])
    assert all(0.8 < float(ratio) < 1.25 and float(offset) < 5 for _, ratio, offset in rows)
    assert "OFF" not in done.stdout
    (report,) = re.findall(r"\S+-report\.html", done.stdout)
    directory = Path(report).parent
    assert "3C48" in Path(report).read_text()
    assert picture.read_bytes()[:4] == b"\x89PNG"
    (image,) = (path for path in directory.glob("*-image.fits") if re.search(r"\d-image", path.name))
    assert read_image(image).pixels.shape == (640, 640)


def test_what_is_not_the_demos_is_left_alone(tmp_path):
    precious = tmp_path / "thesis.tex"
    precious.touch()
    done = run("--output", tmp_path)
    assert done.returncode == 1
    assert "give another --output" in done.stderr
    assert precious.exists()
