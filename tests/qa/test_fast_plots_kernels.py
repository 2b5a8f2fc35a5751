"""Every sample in its cell."""

import numpy as np
import pytest
from hypothesis import given, strategies
from hypothesis.extra.numpy import arrays

from dsa110_contimg.qa.fast_plots_kernels import (
    AMPLITUDE_BINS,
    BINS_A_DECADE,
    LOWEST_DEX,
    PHASE_BINS,
    Channels,
    Rows,
    compile_kernels,
    count,
    find_bins,
    no_counts,
)

pytestmark = pytest.mark.kernel

PARTS = strategies.floats(-1e6, 1e6, width=32)


def bins_of(values):
    amplitudes, amplitude_bins, phase_bins = (np.empty(values.size, kind) for kind in (np.float32, np.int32, np.int32))
    find_bins(values.astype(np.complex64).view(np.float32), amplitudes, amplitude_bins, phase_bins)
    return amplitudes, amplitude_bins, phase_bins


@given(arrays(np.float32, (8, 2), elements=PARTS))
def test_bins_are_those_of_logarithm_and_angle(parts):
    values = np.ascontiguousarray(parts).view(np.complex64)[:, 0]
    amplitudes, amplitude_bins, phase_bins = bins_of(values)
    exact = values.astype(complex)
    seen = np.abs(exact) > 1e-8
    np.testing.assert_allclose(amplitudes[seen], np.abs(exact)[seen], rtol=1e-6)
    # A bin is half open; a sample on an edge, to a thousandth of a bin, may be on either side of it.
    bins = (np.log10(np.abs(exact[seen])) - LOWEST_DEX) * BINS_A_DECADE
    assert np.all(np.abs(amplitude_bins[seen] + 0.5 - bins) < 0.501)
    bins = (np.angle(exact[seen]) / (2 * np.pi) + 0.5) * PHASE_BINS
    away = np.abs(phase_bins[seen] + 0.5 - bins)
    assert np.all((away < 0.501) | (away > PHASE_BINS - 0.501))  # -180 deg is 180 deg


def test_the_smallest_and_the_largest_have_the_outer_bins():
    _, amplitude_bins, phase_bins = bins_of(np.array([0.0, 1e-12, 1e12j, 1e12]))
    np.testing.assert_array_equal(amplitude_bins, [0, 0, AMPLITUDE_BINS - 1, AMPLITUDE_BINS - 1])
    np.testing.assert_array_equal(phase_bins[2:], [PHASE_BINS * 3 // 4, PHASE_BINS // 2])


def test_each_sample_is_counted_once_where_it_belongs():
    """Rows: a cross-correlation, an autocorrelation, one that is flagged, one without coordinates."""
    visibilities = np.full((4, 2, 3), 10.5 + 0j, np.complex64)
    visibilities[:, :, 2] = -2.5j
    visibilities[0, 0, 0] = np.nan
    visibilities[0, 0, 2] = 0
    flags = np.zeros(visibilities.shape, bool)
    flags[0, 1, 0] = True
    rows = Rows(
        time=np.array([0, 0, 1, 1]),
        antenna1=np.array([0, 1, 0, 0]),
        antenna2=np.array([1, 1, 2, 2]),
        u_m=np.array([3.0, 0.0, 3.0, 0.0]),
        v_m=np.array([4.0, 0.0, 4.0, 0.0]),
        log_uv=np.array([np.log(5.0), -np.inf, np.log(5.0), -np.inf]),
        flagged=np.array([False, False, True, False]),
    )
    per_m = np.array([1.0, 2.0])
    # Correlations 0 and 2; uv bins of a factor of 2 from 4 wavelengths on; cells of 1, and of 4 wavelengths.
    channels = Channels(
        np.array([1, 0]), per_m, np.log(per_m), np.array([0, 2]), np.log(4.0), 1 / np.log(2.0), np.array([1.0, 0.25])
    )
    counts = no_counts(2, 2, 2, 2, 3, 20)
    count(visibilities, flags, rows, channels, counts)
    np.testing.assert_array_equal(counts.samples, np.full((2, 2, 2), 2))
    # (polarization, time, bin of frequency); the first channel is in bin 1
    np.testing.assert_array_equal(counts.flagged, [[[1, 1], [1, 1]], [[0, 0], [1, 1]]])
    np.testing.assert_array_equal(counts.good, [[[0, 0], [1, 1]], [[1, 1], [1, 1]]])
    np.testing.assert_array_equal(counts.autos_good, [[[1, 1], [0, 0]]] * 2)
    np.testing.assert_array_equal(counts.by_antenna[0], [[6, 4, 4]] * 2)
    np.testing.assert_array_equal(counts.by_antenna[1], [[4, 2, 2], [2, 0, 2]])
    np.testing.assert_allclose(counts.autos[:, 1], [[10.5, 10.5], [2.5, 2.5]], rtol=1e-6)
    np.testing.assert_array_equal(counts.auto_samples.sum(axis=(0, 2)), [0, 4, 0])
    np.testing.assert_allclose(counts.amplitude_sum, [[[0, 0], [10.5, 10.5]], [[2.5, 0], [2.5, 2.5]]], rtol=1e-6)
    np.testing.assert_allclose(counts.vector_sum, counts.amplitude_sum * np.array([1, -1j])[:, None, None], rtol=1e-6)
    ten, two = (int((np.log10(amplitude) - LOWEST_DEX) * BINS_A_DECADE) for amplitude in (10.5, 2.5))
    for cells, along in ((counts.amplitude_time, 2), (counts.amplitude_frequency, 1)):
        np.testing.assert_array_equal(cells.sum(axis=2), counts.good.sum(axis=along))
        assert cells[0].sum(axis=0)[ten] == 2
        assert cells[1].sum(axis=0)[two] == 3
        assert cells[1].sum(axis=0)[0] == 1  # the zero
    # 5 wavelengths, and 10, of the one row with coordinates that is not flagged
    np.testing.assert_array_equal(counts.amplitude_uv.sum(axis=2), [[0, 0], [1, 1]])
    assert counts.phase_time[0].sum(axis=0)[PHASE_BINS // 2] == 2
    np.testing.assert_array_equal(counts.phase_time[1].sum(axis=0).nonzero()[0], [PHASE_BINS // 4])
    assert counts.phase_frequency[1].sum() == 3  # a zero has no phase
    np.testing.assert_array_equal(np.argwhere(counts.plane), [[0, 14, 13], [0, 18, 16], [1, 11, 10], [1, 12, 11]])
    assert set(counts.plane[counts.plane > 0]) == {1}


def test_it_compiles():
    compile_kernels()
