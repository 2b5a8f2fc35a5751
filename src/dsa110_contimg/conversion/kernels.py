"""The inner loops of conversion: turning, flagging and averaging the visibilities of one subband and integration.

Compiled by numba without the interpreter's lock, so that threads share the cores. With ``NUMBA_DISABLE_JIT=1`` they
run as plain Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Samples(NamedTuple):
    """One integration of one data set, in the blocks of its file (see `uvh5.visibilities.SampleReader`).

    Attributes
    ----------
    values : 1-d ndarray
        The blocks.
    skip : int
        Rows before the first.
    rows_per_block, block_stride, row_stride : int
        Steps in ``values``.
    offsets : (C, 2) int64
        Places of channel (ascending) and polarization in a row's block.
    """

    values: NDArray[np.generic]
    skip: int
    rows_per_block: int
    block_stride: int
    row_stride: int
    offsets: NDArray[np.int64]


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


@numba.njit(cache=True, nogil=True)
def turn_and_flag(
    visdata: Samples, flags: Samples, nsamples: Samples, rows: Rows, phasors: NDArray[np.complex64], tile: Tile
) -> int:
    """Bring one integration of a subband to its new phase centre, its rows in order, its bad samples flagged.

    A sample is flagged where the file flags it, where it is exactly zero (lost packets), not finite, or of no packets.

    Parameters
    ----------
    visdata, flags, nsamples : Samples
        The integration as read.
    rows : Rows
        Where baselines go.
    phasors : (A, C) complex64
        exp(2 pi i nu/c turn) of each antenna and channel (ascending).
    tile : Tile
        Filled.

    Returns
    -------
    int
        Number of samples that are exactly zero.
    """
    n_zero = 0
    for b in range(rows.place.size):
        out = rows.place[b]
        p1 = phasors[rows.antenna_1[b]]
        p2 = phasors[rows.antenna_2[b]]
        sign = np.float32(-1.0) if rows.conjugate[b] else np.float32(1.0)
        v = b + visdata.skip
        at_v = (v // visdata.rows_per_block) * visdata.block_stride + (v % visdata.rows_per_block) * visdata.row_stride
        f = b + flags.skip
        at_f = (f // flags.rows_per_block) * flags.block_stride + (f % flags.rows_per_block) * flags.row_stride
        n = b + nsamples.skip
        at_n = (n // nsamples.rows_per_block) * nsamples.block_stride + (
            n % nsamples.rows_per_block
        ) * nsamples.row_stride
        for c in range(p1.size):
            turn = p1[c] * np.conj(p2[c])
            for p in range(2):
                value = visdata.values[at_v + visdata.offsets[c, p]]
                count = nsamples.values[at_n + nsamples.offsets[c, p]]
                re, im = value.real, sign * value.imag
                zero = re == 0 and im == 0
                bad = not (np.isfinite(re) and np.isfinite(im))
                n_zero += zero
                if bad:
                    re = im = np.float32(0.0)
                tile.data[out, c, p] = complex(re * turn.real - im * turn.imag, re * turn.imag + im * turn.real)
                tile.flag[out, c, p] = flags.values[at_f + flags.offsets[c, p]] or zero or bad or not count > 0
                tile.nsamples[out, c, p] = count
    return n_zero


@numba.njit(cache=True, nogil=True)
def tally(tile: Tile, expected: float, weights: NDArray[np.float64], counts: NDArray[np.int64]) -> bool:
    """Add a tile's unflagged samples to the sums of its rows.

    Parameters
    ----------
    tile : Tile
        One integration of one subband.
    expected : float
        The value of nsamples that is looked for.
    weights : (B, 2) float64
        Sum of nsamples of the unflagged samples, by correlation; added to.
    counts : (B, 2) int64
        Their number; added to.

    Returns
    -------
    bool
        Whether nsamples is as expected in all samples, flagged or not.
    """
    same = True
    for b in range(tile.flag.shape[0]):
        for c in range(tile.flag.shape[1]):
            for p in range(2):
                n = tile.nsamples[b, c, p]
                same = same and n == expected
                if not tile.flag[b, c, p]:
                    weights[b, p] += n
                    counts[b, p] += 1
    return same


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
