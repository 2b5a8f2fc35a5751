"""Marking samples with the reason why they are flagged: the first in the order of `Reason` that applies to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from dsa110_contimg.flagging.reasons import Reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GOOD = np.uint8(Reason.GOOD)


@numba.njit(cache=True, nogil=True)
def mark_band(reasons: NDArray[np.uint8], known: NDArray[np.bool_], reason: np.uint8) -> None:
    """Mark channels and integrations (T, C) of all baselines of `reasons` (T, B, C, P)."""
    n_times, n_baselines, n_channels, n_corr = reasons.shape
    flat = reasons.reshape(n_times, n_baselines, n_channels * n_corr)
    row = np.empty(n_channels * n_corr, np.bool_)
    for t in range(n_times):
        for c in range(n_channels):
            row[c * n_corr : (c + 1) * n_corr] = known[t, c]
        if not row.any():
            continue
        for b in range(n_baselines):
            for n in range(row.size):
                now = flat[t, b, n]
                flat[t, b, n] = reason if row[n] & ((now == _GOOD) | (now > reason)) else now


@numba.njit(cache=True, nogil=True)
def mark_rows(reasons: NDArray[np.uint8], where: NDArray[np.bool_], reason: np.uint8) -> None:
    """Mark all channels of baselines and polarizations (T, B, P) of `reasons` (T, B, C, P)."""
    n_times, n_baselines, n_channels, n_corr = reasons.shape
    for t in range(n_times):
        for b in range(n_baselines):
            if not where[t, b].any():
                continue
            for c in range(n_channels):
                for p in range(n_corr):
                    now = reasons[t, b, c, p]
                    if where[t, b, p] and (now == _GOOD or now > reason):
                        reasons[t, b, c, p] = reason


@numba.njit(cache=True, nogil=True)
def mark_bits(reasons: NDArray[np.uint8], start: int, bits: NDArray[np.uint8], reason: np.uint8) -> None:
    """Mark what is set in bits (T, b, C/8), packed along the channels, in baselines of (T, B, C, P) from `start` on."""
    n_times, n_baselines, n_bytes = bits.shape
    n_channels, n_corr = reasons.shape[2:]
    for t in range(n_times):
        for b in range(n_baselines):
            for k in range(n_bytes):
                if bits[t, b, k] == 0:
                    continue
                for c in range(8 * k, min(8 * k + 8, n_channels)):
                    if bits[t, b, k] >> (7 - c % 8) & 1 == 0:
                        continue
                    for p in range(n_corr):
                        now = reasons[t, start + b, c, p]
                        if now == _GOOD or now > reason:
                            reasons[t, start + b, c, p] = reason
