"""The inner loops of conversion: turning, flagging and averaging the visibilities of one subband and integration.

Compiled by numba without the interpreter's lock, so that threads share the cores. With ``NUMBA_DISABLE_JIT=1`` they
run as plain Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from dsa110_contimg.uvh5.visibilities import Integration, Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Rows(NamedTuple):
    """Where the file's baselines go, and how each turns.

    Attributes
    ----------
    place : (B,) int64
        Row of the output.
    conjugate : (B,) bool
        Whether the visibility is conjugated first.
    antenna_1, antenna_2 : (B,) int64
        Antennas, indices into the phasors.
    """

    place: NDArray[np.int64]
    conjugate: NDArray[np.bool_]
    antenna_1: NDArray[np.int64]
    antenna_2: NDArray[np.int64]


class Tile(NamedTuple):
    """One integration of one subband as a Measurement Set has it.

    Attributes
    ----------
    data : (B, C, 2) complex64
        Visibilities; those that are not finite are 0.
    flag : (B, C, 2) bool
        Flags.
    nsamples : (B, C, 2) float32
        Packets received.
    """

    data: NDArray[np.complex64]
    flag: NDArray[np.bool_]
    nsamples: NDArray[np.float32]


def empty_tile(n_baselines: int, n_channels: int) -> Tile:
    """Return a tile with undefined contents."""
    shape = (n_baselines, n_channels, 2)
    return Tile(np.empty(shape, np.complex64), np.empty(shape, np.bool_), np.empty(shape, np.float32))


def missing_tile(n_baselines: int, n_channels: int) -> Tile:
    """Return the tile of a subband that is not there: zeros, flagged."""
    shape = (n_baselines, n_channels, 2)
    return Tile(np.zeros(shape, np.complex64), np.ones(shape, np.bool_), np.zeros(shape, np.float32))


class Found(NamedTuple):
    """What `turn_and_flag` saw in one integration of one subband.

    Attributes
    ----------
    n_zero : int
        Samples that are exactly zero.
    n_flagged : int
        Samples flagged, for whatever reason.
    uniform : bool
        Whether nsamples is as expected in all samples, flagged or not.
    """

    n_zero: int
    n_flagged: int
    uniform: bool


def turn_and_flag(
    samples: Integration, rows: Rows, phasors: NDArray[np.complex64], tile: Tile, expected: float
) -> Found:
    """Bring one integration of a subband to its new phase centre, its rows in order, its bad samples flagged.

    A sample is flagged where the file flags it, where it is exactly zero (lost packets), not finite, or of no packets.

    Parameters
    ----------
    samples : Integration
        As read.
    rows : Rows
        Where baselines go.
    phasors : (A, C) complex64
        exp(2 pi i nu/c turn) of each antenna and channel (ascending).
    tile : Tile
        Filled.
    expected : float
        The value of nsamples that is usual.

    Returns
    -------
    Found
    """
    # Flags and packet counts that are all alike, as they nearly always are, need not be put in their places. Each is
    # dealt with on its own: together, their blocks' strides (multiples of 4096 bytes) would fight for one cache set.
    n_zero, n_flagged = _turn(samples.visdata, rows, phasors, tile.data, tile.flag)
    uniform = bool(expected > 0 and (samples.nsamples.values == expected).all())
    if uniform:
        tile.nsamples[:] = expected
    else:
        take(samples.nsamples, rows.place, tile.nsamples)
        uniform = bool(expected > 0 and (tile.nsamples == expected).all())
    if samples.flags.values.any() or not uniform:
        _add_flags(samples.flags, rows.place, tile.nsamples, tile.flag)
        n_flagged = int(np.count_nonzero(tile.flag))
    return Found(n_zero, n_flagged, uniform)


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _turn(
    visdata: Samples,
    rows: Rows,
    phasors: NDArray[np.complex64],
    data: NDArray[np.complex64],
    flag: NDArray[np.bool_],
) -> tuple[int, int]:
    """Fill ``data``, and ``flag`` for zeros and what is not finite; return how many are zero, and flagged.

    Arrays are flat, samples in the order of the output, so that each loop below runs along the SIMD lanes.
    """
    zero = np.float32(0.0)
    offsets = visdata.offsets.reshape(-1)
    data_rows = data.reshape(data.shape[0], -1)
    flag_rows = flag.reshape(flag.shape[0], -1)
    n = offsets.size
    re, im = np.empty(n, np.float32), np.empty(n, np.float32)
    turn_re, turn_im = np.empty(n, np.float32), np.empty(n, np.float32)
    n_zero = n_flagged = 0
    for b in range(rows.place.size):
        p1, p2 = phasors[rows.antenna_1[b]], phasors[rows.antenna_2[b]]
        for c in range(p1.size):
            turn = p1[c] * np.conj(p2[c])
            turn_re[2 * c] = turn_re[2 * c + 1] = turn.real
            turn_im[2 * c] = turn_im[2 * c + 1] = turn.imag
        if rows.antenna_1[b] == rows.antenna_2[b]:
            # Autocorrelations stay real to the bit.
            turn_re[:], turn_im[:] = np.float32(1.0), zero
        sign = np.float32(-1.0) if rows.conjugate[b] else np.float32(1.0)
        row = b + visdata.skip
        start = row // visdata.rows_per_block * visdata.block_stride + row % visdata.rows_per_block * visdata.row_stride
        for i in range(n):
            value = visdata.values[start + offsets[i]]
            re[i], im[i] = value.real, sign * value.imag
        out, flags = data_rows[rows.place[b]], flag_rows[rows.place[b]]
        n_bad = 0
        for i in range(n):
            nothing = (re[i] == zero) & (im[i] == zero)
            # Infinity less infinity is not zero, nor is anything with a NaN.
            bad = ((re[i] - re[i]) != zero) | ((im[i] - im[i]) != zero)
            n_zero += nothing
            n_bad += bad
            flags[i] = nothing | bad
        n_flagged += n_bad
        if n_bad:
            re[flags], im[flags] = zero, zero
        for i in range(n):
            out[i] = complex(re[i] * turn_re[i] - im[i] * turn_im[i], re[i] * turn_im[i] + im[i] * turn_re[i])
    return n_zero, n_flagged + n_zero


@numba.njit(cache=True, nogil=True)
def take(samples: Samples, place: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    """Put samples in their places, shape (B, C, 2)."""
    for b in range(place.size):
        row = b + samples.skip
        start = row // samples.rows_per_block * samples.block_stride + row % samples.rows_per_block * samples.row_stride
        for c in range(out.shape[1]):
            for p in range(2):
                out[place[b], c, p] = samples.values[start + samples.offsets[c, p]]


@numba.njit(cache=True, nogil=True)
def _add_flags(
    flags: Samples, place: NDArray[np.int64], nsamples: NDArray[np.float32], flag: NDArray[np.bool_]
) -> None:
    """Flag also what the file flags, and what is of no packets."""
    for b in range(place.size):
        row = b + flags.skip
        start = row // flags.rows_per_block * flags.block_stride + row % flags.rows_per_block * flags.row_stride
        out = place[b]
        for c in range(flag.shape[1]):
            for p in range(2):
                if flags.values[start + flags.offsets[c, p]] or not nsamples[out, c, p] > 0:
                    flag[out, c, p] = True


def tally(tile: Tile, weights: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
    """Add a tile's unflagged samples to the sums of its rows.

    Parameters
    ----------
    tile : Tile
        One integration of one subband.
    weights : (B, 2) float64
        Sum of nsamples of the unflagged samples, by correlation; added to.
    counts : (B, 2) int64
        Their number; added to.
    """
    good = ~tile.flag
    counts += good.sum(axis=1)
    weights += np.where(good, tile.nsamples, 0.0).sum(axis=1)


@numba.njit(cache=True, nogil=True)
def accumulate(tile: Tile, sums: NDArray[np.complex128], weights: NDArray[np.float64]) -> None:
    """Add the unflagged samples of a tile, weighted by nsamples, to a tile of fewer channels.

    Parameters
    ----------
    tile : Tile
        One integration of one subband, C channels.
    sums : (B, C', 2) complex128
        Sum of nsamples times visibility; C' divides C; added to.
    weights : (B, C', 2) float64
        Sum of nsamples; added to.
    """
    step = tile.data.shape[1] // sums.shape[1]
    for b in range(tile.data.shape[0]):
        for c in range(tile.data.shape[1]):
            for p in range(2):
                if not tile.flag[b, c, p]:
                    n = tile.nsamples[b, c, p]
                    sums[b, c // step, p] += n * tile.data[b, c, p]
                    weights[b, c // step, p] += n


def averaged_tile(sums: NDArray[np.complex128], weights: NDArray[np.float64]) -> Tile:
    """Divide what `accumulate` summed; samples without weight are 0 and flagged.

    Returns
    -------
    Tile
        Its ``nsamples`` is the summed weight.
    """
    flag = weights == 0
    data = np.divide(sums, weights, out=np.zeros_like(sums), where=~flag)
    return Tile(data.astype(np.complex64), flag, weights.astype(np.float32))


def compile_kernels() -> None:
    """Compile every kernel, or find it in numba's cache: set-up does so, that no conversion has to wait."""
    offsets = np.zeros((1, 2), np.int64)
    blocks = [Samples(np.zeros(2, dtype), 0, 1, 2, 2, offsets) for dtype in (np.complex64, np.bool_, np.float32)]
    one = np.zeros(1, np.int64)
    rows = Rows(one, np.zeros(1, np.bool_), one, one)
    tile = empty_tile(1, 1)
    turn_and_flag(Integration(*blocks), rows, np.ones((1, 1), np.complex64), tile, 1.0)
    accumulate(tile, np.zeros((1, 1, 2), np.complex128), np.zeros((1, 1, 2)))
