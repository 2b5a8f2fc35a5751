"""Gaussians to sources: moments, and noise beside a source."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.photometry.fitting import Gaussians, PixelBeam
from dsa110_contimg.photometry.merging import merge, significant
from dsa110_contimg.photometry.shapes import axes_of

BEAM = PixelBeam(8.0, 4.75, 20.0)


def gaussians(rows, rms=1e-3):
    """Rows of x, y, peak, major, minor, pa, island, source."""
    x, y, peak, major, minor, pa, island, source = np.array(rows, float).T
    numbers = (island.astype(int), source.astype(int))
    return Gaussians(x, y, peak, major, minor, pa, np.full(len(x), rms), *numbers, np.ones(len(x), bool))


def test_one_gaussian_is_itself():
    merged = merge(gaussians([(10.5, 20.25, 0.5, 8.0, 4.75, 20.0, 0, 0)]), BEAM)
    assert (merged.x[0], merged.y[0], merged.peak[0]) == (10.5, 20.25, 0.5)
    assert merged.flux[0] == pytest.approx(0.5)
    assert np.array(axes_of(merged.shape))[:, 0] == pytest.approx([8.0, 4.75, 20.0])
    assert merged.e_flux_over_rms[0] == pytest.approx(np.sqrt(3))


def test_two_of_one_source():
    """Equal points 6 pixels apart towards the west: between them, longer by 8 ln 2 times 3^2 along that line."""
    rows = [(10.0, 20.0, 0.5, 5.0, 5.0, 0.0, 3, 7), (16.0, 20.0, 0.5, 5.0, 5.0, 0.0, 3, 7)]
    merged = merge(gaussians(rows), PixelBeam(5.0, 5.0, 0.0))
    assert (merged.x[0], merged.y[0]) == (13.0, 20.0)
    assert merged.flux[0] == pytest.approx(1.0)
    assert merged.peak[0] == pytest.approx(0.5 * (1 + np.exp(-4 * np.log(2) * (6 / 5) ** 2)))
    major, minor, pa = np.array(axes_of(merged.shape))[:, 0]
    assert major == pytest.approx(np.sqrt(25 + 8 * np.log(2) * 9))
    assert (minor, pa) == pytest.approx((5.0, 90.0))
    assert (merged.n_gaussians[0], merged.island[0]) == (2, 3)


def test_a_line_to_the_north_east_leans_to_the_east():
    rows = [(10.0, 20.0, 0.5, 5.0, 5.0, 0.0, 0, 0), (7.0, 23.0, 0.5, 5.0, 5.0, 0.0, 0, 0)]
    assert axes_of(merge(gaussians(rows), BEAM).shape).pa_deg[0] == pytest.approx(45.0)


@given(st.permutations(range(5)))
def test_the_order_of_gaussians_does_not_matter(order):
    rows = np.array([(10.0 * k, 5.0 * k, 0.1 * (k + 1), 8.0 + k, 5.0, 10.0 * k, k // 2, k // 2) for k in range(5)])
    merged, other = merge(gaussians(rows), BEAM), merge(gaussians(rows[order]), BEAM)
    for one, two in zip(merged, other, strict=True):
        assert np.allclose(one, two)
    assert merged.flux.sum() == pytest.approx(other.flux.sum())


def test_noise_beside_a_source_is_left_out():
    rows = [
        (10.0, 10.0, 0.5, 8.0, 4.75, 20.0, 0, 0),
        (18.0, 10.0, 0.0032, 8.0, 4.75, 20.0, 0, 0),  # a bump of three sigma
        (40.0, 10.0, 0.0048, 8.0, 4.75, 20.0, 1, 1),  # faint, but the only one of its island
        (60.0, 10.0, 0.02, 8.0, 4.75, 20.0, 2, 2),
        (60.0, 14.0, 0.004, 40.0, 30.0, 20.0, 2, 2),  # faint and wide: much flux
    ]
    left = significant(gaussians(rows), BEAM, 5.0)
    assert left.peak.tolist() == [0.5, 0.0048, 0.02, 0.004]


def test_nothing():
    none = gaussians(np.zeros((0, 8)))
    assert len(merge(significant(none, BEAM, 5.0), BEAM).flux) == 0
