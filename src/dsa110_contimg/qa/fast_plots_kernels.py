"""The inner loop of the fast plots: every sample into its cells, compiled by numba without the interpreter's lock."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

#: Bins of amplitude: from 10^LOWEST_DEX, so many a decade.
LOWEST_DEX, BINS_A_DECADE, AMPLITUDE_BINS = -9, 100, 1800
#: Bins of phase, from -180 to 180 deg.
PHASE_BINS = 180


def _series(function: Callable[[NDArray[np.float64]], NDArray[np.float64]], degree: int) -> tuple[np.float32, ...]:
    """Coefficients of the polynomial that interpolates a function in Chebyshev's points of (0, 1)."""
    fitted = np.polynomial.Chebyshev.interpolate(function, degree, domain=[0.0, 1.0])
    return tuple(np.float32(value) for value in fitted.convert(kind=np.polynomial.Polynomial).coef)


# In single precision, as the samples are: log2(1 + x) / x, and arctan(x) / x as a function of x^2; both to 1e-6.
_LOG2 = _series(lambda x: np.log2(1.0 + x) / x, 8)
_ARCTAN = _series(lambda s: np.arctan(np.sqrt(s)) / np.sqrt(s), 8)
_BINS_AN_OCTAVE = np.float32(0.5 * BINS_A_DECADE * math.log10(2.0))
_BIN_OF_ONE = np.float32(-LOWEST_DEX * BINS_A_DECADE)
_LAST_BIN = np.float32(AMPLITUDE_BINS - 1)
_BINS_A_RADIAN = np.float32(PHASE_BINS / (2.0 * math.pi))
_BIN_OF_NO_PHASE = np.float32(PHASE_BINS / 2)
_LAST_PHASE = np.float32(PHASE_BINS - 1)
_PI, _HALF_PI = np.float32(math.pi), np.float32(math.pi / 2)
_ZERO, _ONE, _TINY, _HUGE = np.float32(0.0), np.float32(1.0), np.float32(1e-38), np.float32(3e38)


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
    per_m, log_per_m : (C,) float64
        Wavelengths in a metre [1/m], and the natural logarithm of that.
    correlations : (P,) int64
        Which of the tile's correlations are drawn.
    log_uv_low, uv_bins_a_log : float
        Natural logarithm of the least uv distance [wavelengths], and how many bins 1 of it has.
    plane_bins_a_wavelength : (2,) float64
        Of the whole uv plane, and of its middle.
    """

    column: NDArray[np.int64]
    per_m: NDArray[np.float64]
    log_per_m: NDArray[np.float64]
    correlations: NDArray[np.int64]
    log_uv_low: float
    uv_bins_a_log: float
    plane_bins_a_wavelength: NDArray[np.float64]


class Counts(NamedTuple):
    """What is counted: P polarizations, T bins of time, F of frequency, U of uv distance, A antennas.

    A sample is flagged by FLAG, by FLAG_ROW, or where it is not finite. `flagged` and `by_antenna` know all rows,
    `autos`, `auto_samples` and `autos_good` the autocorrelations, all others the unflagged samples of
    cross-correlations.

    Attributes
    ----------
    flagged : (P, T, F) int64
        How many are flagged.
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
    autos_good : (P, T, F) int64
        How many autocorrelations are not flagged.
    """

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
    autos_good: NDArray[np.int64]

    @property
    def samples(self) -> NDArray[np.int64]:
        """How many samples there are, flagged or not, shape (P, T, F)."""
        return self.flagged + self.good + self.autos_good


def no_counts(n_polarizations: int, n_times: int, n_columns: int, n_uv: int, n_antennas: int, n_plane: int) -> Counts:
    """Begin to count."""
    cells = (n_polarizations, n_times, n_columns)
    return Counts(
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
        autos_good=np.zeros(cells, np.int64),
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def find_bins(
    parts: NDArray[np.float32],
    amplitudes: NDArray[np.float32],
    amplitude_bins: NDArray[np.int32],
    phase_bins: NDArray[np.int32],
) -> None:
    """Find amplitude, and the bins of amplitude and phase, of some visibilities; without a branch, for vector units.

    Parameters
    ----------
    parts : (2 N,) float32
        Real and imaginary parts, in turns. What is not finite gets any bin.
    amplitudes, amplitude_bins, phase_bins : (N,) float32, int32, int32
        Written to. The phase of 0 is 0.
    """
    for k in range(amplitudes.size):
        re, im = parts[2 * k], parts[2 * k + 1]
        power = min(_HUGE, re * re + im * im)
        amplitudes[k] = np.sqrt(power)
        bits = np.float32(power).view(np.int32)
        x = np.int32((bits & 0x7FFFFF) | 0x3F800000).view(np.float32) - _ONE
        series = _LOG2[8]
        for n in range(7, -1, -1):
            series = series * x + _LOG2[n]
        octaves = np.float32((bits >> 23) - 127) + x * series
        bins = octaves * _BINS_AN_OCTAVE + _BIN_OF_ONE
        amplitude_bins[k] = np.int32(min(max(_ZERO, bins), _LAST_BIN))
        across, up = abs(re), abs(im)
        ratio = min(across, up) / max(_TINY, across, up)
        s = ratio * ratio
        series = _ARCTAN[8]
        for n in range(7, -1, -1):
            series = series * s + _ARCTAN[n]
        angle = ratio * series
        angle = _HALF_PI - angle if up > across else angle
        angle = _PI - angle if re < _ZERO else angle
        angle = -angle if im < _ZERO else angle
        phase_bins[k] = np.int32(min(max(_ZERO, angle * _BINS_A_RADIAN + _BIN_OF_NO_PHASE), _LAST_PHASE))


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
        All correlations of the tile, contiguous.
    rows, channels
        Where they belong.
    counts
        Added to.
    """
    # Taken out of their tuples: in the loop that would cost more than all the rest.
    autos_good, flagged, by_antenna = counts.autos_good, counts.flagged, counts.by_antenna
    amplitude_time, amplitude_frequency = counts.amplitude_time, counts.amplitude_frequency
    amplitude_uv, phase_time, phase_frequency = counts.amplitude_uv, counts.phase_time, counts.phase_frequency
    good, amplitude_sum, vector_sum = counts.good, counts.amplitude_sum, counts.vector_sum
    autos, auto_samples = counts.autos, counts.auto_samples
    column, correlations = channels.column, channels.correlations
    n_rows, n_channels, n_corr = visibilities.shape
    parts = visibilities.view(np.float32).reshape(n_rows, 2 * n_channels * n_corr)
    amplitudes = np.empty(n_channels * n_corr, np.float32)
    amplitude_bins = np.empty(n_channels * n_corr, np.int32)
    phase_bins = np.empty(n_channels * n_corr, np.int32)
    uv_bins, n_good = np.empty(n_channels, np.int64), np.empty(n_channels, np.uint32)
    for r in range(n_rows):
        t, first, second, row_flagged = rows.time[r], rows.antenna1[r], rows.antenna2[r], rows.flagged[r]
        is_cross, has_uv = first != second, math.isfinite(rows.log_uv[r])
        find_bins(parts[r], amplitudes, amplitude_bins, phase_bins)
        if has_uv:
            _find_uv_bins(rows.log_uv[r], channels, amplitude_uv.shape[1], uv_bins)
        n_good[:] = 0
        for p in range(correlations.size):
            n_bad = 0
            for c in range(n_channels):
                f, k = column[c], c * n_corr + correlations[p]
                re, im = parts[r, 2 * k], parts[r, 2 * k + 1]
                # What is not finite is no number when 0 times it is added.
                if row_flagged or flags[r, c, correlations[p]] or re * _ZERO + im * _ZERO != _ZERO:
                    flagged[p, t, f] += 1
                    n_bad += 1
                    continue
                if not is_cross:
                    autos_good[p, t, f] += 1
                    autos[p, first, f] += amplitudes[k]
                    auto_samples[p, first, f] += 1
                    continue
                n_good[c] += 1
                good[p, t, f] += 1
                amplitude_sum[p, t, f] += amplitudes[k]
                vector_sum[p, t, f] += complex(re, im)
                a = amplitude_bins[k]
                amplitude_time[p, t, a] += 1
                amplitude_frequency[p, f, a] += 1
                if amplitudes[k] > _ZERO:
                    phase_time[p, t, phase_bins[k]] += 1
                    phase_frequency[p, f, phase_bins[k]] += 1
                if has_uv:
                    amplitude_uv[p, uv_bins[c], a] += 1
            for end in range(2 if is_cross else 1):
                antenna = second if end else first
                by_antenna[0, p, antenna] += n_channels
                by_antenna[1, p, antenna] += n_bad
        if has_uv and is_cross:
            _count_in_plane(rows.u_m[r], rows.v_m[r], channels, n_good, counts.plane)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _find_uv_bins(log_uv: float, channels: Channels, n_bins: int, uv_bins: NDArray[np.int64]) -> None:
    """Find the bin of uv distance of each channel of a baseline; `log_uv`, of its length in metres, is finite."""
    for c in range(uv_bins.size):
        from_low = log_uv + channels.log_per_m[c] - channels.log_uv_low
        uv_bins[c] = min(max(int(from_low * channels.uv_bins_a_log), 0), n_bins - 1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _count_in_plane(
    u_m: float, v_m: float, channels: Channels, n_good: NDArray[np.uint32], plane: NDArray[np.uint32]
) -> None:
    """Add the samples of each channel of a baseline to the uv plane, and to its middle."""
    n = plane.shape[1]
    for z in range(plane.shape[0]):
        u, v = u_m * channels.plane_bins_a_wavelength[z], v_m * channels.plane_bins_a_wavelength[z]
        for c in range(n_good.size):
            x, y = math.floor(u * channels.per_m[c] + 0.5 * n), math.floor(v * channels.per_m[c] + 0.5 * n)
            if 0 <= x < n and 0 <= y < n:
                plane[z, y, x] += n_good[c]


def compile_kernels() -> None:
    """Take a small problem through the kernel, with arrays as reading has them."""
    whole, real = np.zeros(1, np.int64), np.ones(1)
    rows = Rows(whole, whole, whole, real, real, real, np.zeros(1, np.bool_))
    channels = Channels(whole, real, real, whole, 0.0, 1.0, np.ones(2))
    counts = no_counts(1, 1, 1, 1, 1, 2)
    count(np.ones((1, 1, 1), np.complex64), np.zeros((1, 1, 1), np.bool_), rows, channels, counts)
