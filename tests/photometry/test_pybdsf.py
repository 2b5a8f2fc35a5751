"""The process of PyBDSF: what is put in place of its own parts says the same, and without work it ends."""

import subprocess
import sys

COMPARED = """
import numpy as np
from bdsf import functions
theirs = functions.get_maxima
from dsa110_contimg.photometry.pybdsf import load, maxima
assert load().functions.get_maxima is maxima
rng = np.random.default_rng(7)
n_peaks = 0
for shape in ((1, 1), (1, 6), (9, 14), (31, 23)) * 4:
    image = np.round(rng.normal(size=shape), 1).astype(np.float32)  # with some that are equal
    mask = rng.random(shape) < 0.2
    image[rng.random(shape) < 0.03] = np.nan
    for im_pos in (None, -image):
        expected = theirs(image, mask, np.float64(0.4), shape, (3.0, 2.0, 20.0), im_pos=im_pos)
        found = maxima(image, mask, np.float64(0.4), shape, (3.0, 2.0, 20.0), im_pos=im_pos)
        assert found[0] == expected[0] and [*map(tuple, found[1])] == [*map(tuple, expected[1])]
        assert np.array_equal(found[2], expected[2], equal_nan=True)
        n_peaks += len(found[0])
assert n_peaks > 100
"""


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_peaks_of_an_island_are_those_of_pybdsf() -> None:
    done = run("-c", COMPARED)
    assert done.returncode == 0, done.stderr


def test_without_work_it_ends() -> None:
    assert run("-m", "dsa110_contimg.photometry.pybdsf").returncode == 0
