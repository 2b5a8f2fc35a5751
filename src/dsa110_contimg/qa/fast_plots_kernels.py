"""The inner loop of the fast plots: every sample into its cells, compiled by numba without the interpreter's lock."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Bins of amplitude: from 10^LOWEST_DEX, so many a decade.
LOWEST_DEX, BINS_A_DECADE, AMPLITUDE_BINS = -9, 100, 1800
#: Bins of phase, from -180 to 180 deg.
PHASE_BINS = 180

# In single precision, as the samples are.
_BINS_A_LOG = np.float32(0.5 * BINS_A_DECADE / math.log(10.0))
_BIN_OF_ONE = np.float32(-LOWEST_DEX * BINS_A_DECADE)
_FIRST_BIN, _LAST_BIN = np.float32(0), np.float32(AMPLITUDE_BINS - 1)
_BINS_A_RADIAN = np.float32(PHASE_BINS / (2.0 * math.pi))
_BIN_OF_NO_PHASE = np.float32(PHASE_BINS / 2)


class Rows(NamedTuple):
    """Where the R rows of a tile belong.

    Attributes
    ----------
    time : (R,) int64
        Bin of time.
    antenna1, antenna2 : (R,) int64
        Rows of ANTENNA.
    u_m, v_m : (R,) float64
        [m].
    log_uv : (R,) float64
        Natural logarithm of the uv distance [m]; not finite where there is none.
    flagged : (R,) bool
        FLAG_ROW.
    """

    time: NDArray[np.int64]
    antenna1: NDArray[np.int64]
    antenna2: NDArray[np.int64]
    u_m: NDArray[np.float64]
    v_m: NDArray[np.float64]
    log_uv: NDArray[np.float64]
    flagged: NDArray[np.bool_]


class Channels(NamedTuple):
    """Where the C channels and the correlations of a tile belong, and the grids of the uv plane.

    Attributes
    ----------
    column : (C,) int64
        Bin of frequency.
    per_m : (C,) float64
        Wavelengths in a metre [1/m].
    correlations : (P,) int64
        Which of the tile's correlations are drawn.
    log_uv_low, uv_bins_a_log : float
        Natural logarithm of the least uv distance [wavelengths], and how many bins 1 of it has.
    plane_bins_a_wavelength : (2,) float64
        Of the whole uv plane, and of its middle.
    """

    column: NDArray[np.int64]
    per_m: NDArray[np.float64]
    correlations: NDArray[np.int64]
    log_uv_low: float
    uv_bins_a_log: float
    plane_bins_a_wavelength: NDArray[np.float64]


class Counts(NamedTuple):
    """What is counted: P polarizations, T bins of time, F of frequency, U of uv distance, A antennas.

    A sample is flagged by FLAG, by FLAG_ROW, or where it is not finite. `samples`, `flagged` and `by_antenna` know all
    rows, `autos` the autocorrelations, all others the unflagged samples of cross-correlations.

    Attributes
    ----------
    samples, flagged : (P, T, F) int64
        How many there are, and how many of them are flagged.
    by_antenna : (2, P, A) int64
        The same for each antenna: samples, and flagged ones; of a cross-correlation for both of its antennas.
    amplitude_time : (P, T, AMPLITUDE_BINS) uint32
        Counts; the first bin has what is smaller, and zeros; the last what is larger.
    amplitude_frequency : (P, F, AMPLITUDE_BINS) uint32
        As above.
    amplitude_uv : (P, U, AMPLITUDE_BINS) uint32
        As above.
    phase_time : (P, T, PHASE_BINS) uint32
        Counts of what is not 0.
    phase_frequency : (P, F, PHASE_BINS) uint32
        As above.
    good : (P, T, F) int64
        How many are not flagged.
    amplitude_sum : (P, T, F) float64
        Sum of their amplitudes.
    vector_sum : (P, T, F) complex128
        Sum of the visibilities themselves.
    plane : (2, N, N) uint32
        Counts by v and u, once for each baseline: the whole plane, and its middle.
    autos : (P, A, F) float64
        Sum of the amplitudes of autocorrelations.
    auto_samples : (P, A, F) int64
        How many.
    """

    samples: NDArray[np.int64]
    flagged: NDArray[np.int64]
    by_antenna: NDArray[np.int64]
    amplitude_time: NDArray[np.uint32]
    amplitude_frequency: NDArray[np.uint32]
    amplitude_uv: NDArray[np.uint32]
    phase_time: NDArray[np.uint32]
    phase_frequency: NDArray[np.uint32]
    good: NDArray[np.int64]
    amplitude_sum: NDArray[np.float64]
    vector_sum: NDArray[np.complex128]
    plane: NDArray[np.uint32]
    autos: NDArray[np.float64]
    auto_samples: NDArray[np.int64]


def no_counts(n_polarizations: int, n_times: int, n_columns: int, n_uv: int, n_antennas: int, n_plane: int) -> Counts:
    """Begin to count."""
    cells = (n_polarizations, n_times, n_columns)
    return Counts(
        samples=np.zeros(cells, np.int64),
        flagged=np.zeros(cells, np.int64),
        by_antenna=np.zeros((2, n_polarizations, n_antennas), np.int64),
        amplitude_time=np.zeros((n_polarizations, n_times, AMPLITUDE_BINS), np.uint32),
        amplitude_frequency=np.zeros((n_polarizations, n_columns, AMPLITUDE_BINS), np.uint32),
        amplitude_uv=np.zeros((n_polarizations, n_uv, AMPLITUDE_BINS), np.uint32),
        phase_time=np.zeros((n_polarizations, n_times, PHASE_BINS), np.uint32),
        phase_frequency=np.zeros((n_polarizations, n_columns, PHASE_BINS), np.uint32),
        good=np.zeros(cells, np.int64),
        amplitude_sum=np.zeros(cells),
        vector_sum=np.zeros(cells, np.complex128),
        plane=np.zeros((2, n_plane, n_plane), np.uint32),
        autos=np.zeros((n_polarizations, n_antennas, n_columns)),
        auto_samples=np.zeros((n_polarizations, n_antennas, n_columns), np.int64),
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def amplitude_bin(power: np.float32) -> int:
    """Bin of an amplitude, of which this is the square."""
    if not power > 0.0:
        return 0
    bins = math.log(power) * _BINS_A_LOG + _BIN_OF_ONE
    return int(min(max(bins, _FIRST_BIN), _LAST_BIN))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def phase_bin(value: np.complex64) -> int:
    """Bin of the phase of a visibility."""
    turned = math.atan2(value.imag, value.real) * _BINS_A_RADIAN + _BIN_OF_NO_PHASE
    return min(int(turned), PHASE_BINS - 1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def count(
    visibilities: NDArray[np.complex64],
    flags: NDArray[np.bool_],
    rows: Rows,
    channels: Channels,
    counts: Counts,
) -> None:
    """Add every sample of a tile to its cells.

    Parameters
    ----------
    visibilities, flags : (R, C, any) complex64, bool
        All correlations of the tile.
    rows, channels
        Where they belong.
    counts
        Added to.
    """
    # Taken out of their tuples: in the loop that would cost more than all the rest.
    samples, flagged, by_antenna = counts.samples, counts.flagged, counts.by_antenna
    amplitude_time, amplitude_frequency = counts.amplitude_time, counts.amplitude_frequency
    amplitude_uv, phase_time, phase_frequency = counts.amplitude_uv, counts.phase_time, counts.phase_frequency
    good, amplitude_sum, vector_sum = counts.good, counts.amplitude_sum, counts.vector_sum
    plane, autos, auto_samples = counts.plane, counts.autos, counts.auto_samples
    column, correlations, per_m = channels.column, channels.correlations, channels.per_m
    log_per_m = np.log(per_m)
    plane_bins = channels.plane_bins_a_wavelength
    uv_low, uv_bins = channels.log_uv_low, channels.uv_bins_a_log
    n_plane, n_uv = plane.shape[1], amplitude_uv.shape[1]
    for r in range(visibilities.shape[0]):
        t, first, second, row_flagged = rows.time[r], rows.antenna1[r], rows.antenna2[r], rows.flagged[r]
        u_m, v_m, log_uv = rows.u_m[r], rows.v_m[r], rows.log_uv[r]
        is_cross, has_uv = first != second, math.isfinite(rows.log_uv[r])
        for p in range(correlations.size):
            k = correlations[p]
            n_bad = 0
            for c in range(visibilities.shape[1]):
                f, value = column[c], visibilities[r, c, k]
                power = value.real * value.real + value.imag * value.imag
                samples[p, t, f] += 1
                if row_flagged or flags[r, c, k] or not math.isfinite(value.real + value.imag):
                    flagged[p, t, f] += 1
                    n_bad += 1
                    continue
                amplitude = math.sqrt(power)
                if not is_cross:
                    autos[p, first, f] += amplitude
                    auto_samples[p, first, f] += 1
                    continue
                good[p, t, f] += 1
                amplitude_sum[p, t, f] += amplitude
                vector_sum[p, t, f] += value
                a = amplitude_bin(power)
                if power > 0.0:
                    phase = phase_bin(value)
                    phase_time[p, t, phase] += 1
                    phase_frequency[p, f, phase] += 1
                amplitude_time[p, t, a] += 1
                amplitude_frequency[p, f, a] += 1
                if has_uv:
                    uv_bin = int((log_uv + log_per_m[c] - uv_low) * uv_bins)
                    amplitude_uv[p, min(max(uv_bin, 0), n_uv - 1), a] += 1
                    for z in range(2):
                        scale = per_m[c] * plane_bins[z]
                        x = math.floor(u_m * scale + 0.5 * n_plane)
                        y = math.floor(v_m * scale + 0.5 * n_plane)
                        if 0 <= x < n_plane and 0 <= y < n_plane:
                            plane[z, y, x] += 1
            for end in range(2 if is_cross else 1):
                antenna = second if end else first
                by_antenna[0, p, antenna] += visibilities.shape[1]
                by_antenna[1, p, antenna] += n_bad


def compile_kernels() -> None:
    """Take a small problem through the kernel, with arrays as reading has them."""
    whole, real = np.zeros(1, np.int64), np.ones(1)
    rows = Rows(whole, whole, whole, real, real, real, np.zeros(1, np.bool_))
    channels = Channels(whole, real, whole, 0.0, 1.0, np.ones(2))
    counts = no_counts(1, 1, 1, 1, 1, 2)
    count(np.ones((1, 1, 1), np.complex64), np.zeros((1, 1, 1), np.bool_), rows, channels, counts)
