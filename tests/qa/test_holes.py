"""Negative peaks are counted, beside each other as one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.qa.holes import count_holes

EVERYWHERE = np.ones((100, 120), bool)
RMS = np.full((100, 120), 1e-3)


def image_of(peaks: list[tuple[int, int, float]]) -> np.ndarray:
    image = np.random.default_rng(2).normal(0, 1e-3, RMS.shape).clip(-3e-3, 3e-3)
    for row, column, height in peaks:
        image[row : row + 2, column : column + 2] = height
    return image


@given(st.integers(0, 8), st.integers(1, 8))
def test_they_are_counted(n_holes: int, n_peaks: int) -> None:
    holes = [(10 * k + 5, 20, -0.02) for k in range(n_holes)]
    peaks = [(10 * k + 5, 70, 0.02) for k in range(n_peaks)]
    found = count_holes(image_of(holes + peaks), RMS, EVERYWHERE, 4.0)
    assert (found.number, found.peaks) == (n_holes, n_peaks)
    assert found.ratio == pytest.approx(max(0, n_holes - 3) / n_peaks)


def test_rings_count_once() -> None:
    ring = [(50, 50, -0.02), (50, 53, -0.02), (53, 50, -0.02)]
    assert count_holes(image_of(ring), RMS, EVERYWHERE, 6.0).number == 1


def test_only_where_sources_are_looked_for() -> None:
    image = image_of([(50, 20, -0.02), (50, 80, -0.02), (20, 80, 0.02)])
    where = EVERYWHERE.copy()
    where[:, :60] = False
    image[80, 80] = np.nan
    assert count_holes(image, RMS, where, 4.0).number == 1


def test_without_peaks_there_is_no_ratio() -> None:
    assert count_holes(np.zeros_like(RMS), 0 * RMS, EVERYWHERE, 4.0).ratio is None
