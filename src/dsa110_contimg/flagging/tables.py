"""What was flagged by what: antenna by antenna, channel by channel, integration by integration."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np

from dsa110_contimg.flagging.reasons import Reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.flagging.flags import Found

FORMAT = 1
_GOOD, _ARRAY, _BASELINE = int(Reason.GOOD), int(Reason.ARRAY), int(Reason.BASELINE)
_DIGITS = 5


class FlagTable(NamedTuple):
    """Fractions of samples by reason, R of them in the order of `Reason`.

    Attributes
    ----------
    antennas : (A,) tuple of str
        Names of the stations with data.
    total : (R,) float64
        Of all samples.
    by_antenna : (A, R) float64
        Of those of each antenna.
    by_channel : (C, R) float64
        Of those in each channel.
    by_time : (T, R) float64
        Of those in each integration.
    by_correlation : (P, R) float64
        Of those of each polarization.
    occupied : (T, C) float64
        Fraction of the cross-correlations, of those that are good otherwise, with interference; NaN without any.
    """

    antennas: tuple[str, ...]
    total: NDArray[np.float64]
    by_antenna: NDArray[np.float64]
    by_channel: NDArray[np.float64]
    by_time: NDArray[np.float64]
    by_correlation: NDArray[np.float64]
    occupied: NDArray[np.float64]

    @property
    def occupancy(self) -> NDArray[np.float64]:
        """How much of the time each channel has interference, shape (C,); NaN without good data."""
        there = np.isfinite(self.occupied)
        mean = np.full(self.occupied.shape[1], np.nan)
        total = np.where(there, self.occupied, 0.0).sum(axis=0)
        np.divide(total, there.sum(axis=0), out=mean, where=there.any(axis=0))
        return mean


def tabulate(found: Found, workers: int = 1) -> FlagTable:
    """Count what was found, with so many threads."""
    reasons, info = found.reasons, found.info
    antennas = info.working
    first, second = (np.searchsorted(antennas, column) for column in (info.antenna1, info.antenna2))
    n_times, _, n_channels, n_corr = reasons.shape
    of_antennas, of_channels, of_correlations = (
        np.zeros((n_times, n, len(Reason)), np.int64) for n in (antennas.size, n_channels, n_corr)
    )
    with_interference, without = np.zeros((2, n_times, n_channels), np.int64)

    def count_one(time: int) -> None:
        count(
            reasons[time], first, second, of_antennas[time], of_channels[time], of_correlations[time],
            with_interference[time], without[time],
        )  # fmt: skip

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(count_one, range(n_times)))
    by_antenna, by_channel, by_correlation = (
        counts.sum(axis=0) for counts in (of_antennas, of_channels, of_correlations)
    )
    by_time = of_correlations.sum(axis=1)
    both = with_interference + without
    occupied = np.full(both.shape, np.nan)
    np.divide(with_interference, both, out=occupied, where=both > 0)
    return FlagTable(
        tuple(info.antenna_names[antenna] for antenna in antennas),
        by_time.sum(axis=0) / reasons.size,
        _fractions(by_antenna),
        _fractions(by_channel),
        _fractions(by_time),
        _fractions(by_correlation),
        occupied,
    )


def record(found: Found, table: FlagTable, settings: dict[str, Any]) -> dict[str, Any]:
    """Put together all that is known of a flagging, as JSON can hold it.

    Parameters
    ----------
    found : Found
        What was found.
    table : FlagTable
        Counts of it.
    settings : dict
        With what it was looked for.
    """
    info = found.info
    half_d = info.interval_s / 2 / 86400.0
    return {
        "format": FORMAT,
        "ms": found.ms.name,
        "start_mjd": float(info.times_mjd[0] - half_d),
        "end_mjd": float(info.times_mjd[-1] + half_d),
        "first_channel_hz": float(info.freq_hz[0]),
        "channel_width_hz": info.channel_width_hz,
        "flagged": round(float(1 - table.total[Reason.GOOD]), _DIGITS),
        "by_reason": _named(table.total),
        "antennas": {name: _named(row) for name, row in zip(table.antennas, table.by_antenna, strict=True)},
        "channels": _columns(table.by_channel),
        "integrations": _columns(table.by_time),
        "polarizations": _columns(table.by_correlation),
        "occupancy": [None if np.isnan(value) else round(float(value), _DIGITS) for value in table.occupancy],
        "ailments": [dict(ailment._asdict(), kind=str(ailment.kind)) for ailment in found.ailments],
        "remarks": list(found.remarks),
        "settings": settings,
        "seconds": found.seconds,
    }


def as_csv(found: Found, table: FlagTable) -> str:
    """Write the table for spreadsheets: a row for each antenna, channel and integration."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("of", "which", *(reason.title for reason in Reason)))
    megahertz = [f"{freq_hz / 1e6:.4f} MHz" for freq_hz in found.info.freq_hz]
    times = [f"MJD {mjd:.7f}" for mjd in found.info.times_mjd]
    parts = (
        ("antenna", table.antennas, table.by_antenna),
        ("channel", megahertz, table.by_channel),
        ("integration", times, table.by_time),
    )
    for of, names, values in parts:
        rows.writerows((of, name, *(f"{value:.5f}" for value in row)) for name, row in zip(names, values, strict=True))
    return text.getvalue()


@numba.njit(cache=True, nogil=True)
def count(
    reasons: NDArray[np.uint8],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    by_antenna: NDArray[np.int64],
    by_channel: NDArray[np.int64],
    by_correlation: NDArray[np.int64],
    with_interference: NDArray[np.int64],
    without: NDArray[np.int64],
) -> None:
    """Add one integration (B, C, P) to the counts; a sample counts for both of its antennas.

    Good samples are most of them: they are what the others leave.
    """
    n_baselines, n_channels, n_corr = reasons.shape
    n_cross = 0
    of_baseline = np.empty((n_corr, by_antenna.shape[1]), np.int64)
    for b in range(n_baselines):
        i, j = first[b], second[b]
        cross = i != j
        n_cross += cross
        of_baseline[:] = 0
        of_baseline[:, _GOOD] = n_channels
        for c in range(n_channels):
            for p in range(n_corr):
                reason = reasons[b, c, p]
                if reason == _GOOD:
                    continue
                of_baseline[p, _GOOD] -= 1
                of_baseline[p, reason] += 1
                by_channel[c, _GOOD] -= 1
                by_channel[c, reason] += 1
                if cross:
                    with_interference[c] += reason in (_ARRAY, _BASELINE)
                    without[c] -= 1
        by_correlation += of_baseline
        for p in range(n_corr):
            by_antenna[i] += of_baseline[p]
            if cross:
                by_antenna[j] += of_baseline[p]
    by_channel[:, _GOOD] += n_baselines * n_corr
    without += n_cross * n_corr


def _fractions(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)


def _named(fractions: NDArray[np.float64]) -> dict[str, float]:
    return {reason.name.lower(): round(float(fractions[reason]), _DIGITS) for reason in Reason}


def _columns(fractions: NDArray[np.float64]) -> dict[str, list[float]]:
    """Lists by reason, of those that there are."""
    return {
        reason.name.lower(): [round(float(value), _DIGITS) for value in fractions[:, reason]]
        for reason in Reason
        if fractions[:, reason].any()
    }
