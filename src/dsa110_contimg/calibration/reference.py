"""The reference antenna, whose phase is 0: one that works, far out, and the same for all of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.errors import CalibrationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Name of the station that is preferred; after it come the other outriggers.
PREFERRED = "103"
# Further than this from the middle of the array a station is an outrigger [m].
_OUTRIGGER_M = 400.0
# A reference has at least this part of the array's median strength, and of its channels.
_LEAST_STRENGTH = 0.5
_LEAST_CHANNELS = 0.9


def preference(names: Sequence[str], itrf_m: NDArray[np.float64], first: Sequence[str] = (PREFERRED,)) -> list[int]:
    """Rows of ANTENNA in the order in which they are preferred as reference.

    Parameters
    ----------
    names : (A,) sequence of str
        Station names.
    itrf_m : (A, 3) float64
        Their positions [m].
    first : sequence of str
        Those that come first.

    Returns
    -------
    list of int
        `first`, the other outriggers from the nearest on, and the core from its middle outwards: what the array's
        middle sees is closest to what all see, but its short baselines are dirty.
    """
    distance_m = np.linalg.norm(itrf_m - np.median(itrf_m, axis=0), axis=1)
    asked = {name: place for place, name in enumerate(first)}
    return sorted(
        range(len(names)),
        key=lambda row: (asked.get(names[row], len(asked)), distance_m[row] < _OUTRIGGER_M, distance_m[row]),
    )


def choose_reference(
    preferred: Sequence[int], strength: NDArray[np.float64], channels: NDArray[np.float64]
) -> tuple[int, str]:
    """Choose the first of those preferred that is healthy.

    Parameters
    ----------
    preferred : sequence of int
        Indices of antennas, the most wanted first.
    strength : (A, P) float64
        Signal-to-noise ratio with which each sees the source; 0 if not at all.
    channels : (A, P) float64
        Part of the channels in which it has data.

    Returns
    -------
    int, str
        Its index, and why it was chosen.

    Raises
    ------
    CalibrationError
        None sees the source in both polarizations.
    """
    seeing = strength > 0.0
    if not seeing.all(axis=1).any():
        raise CalibrationError(
            "no antenna sees the calibrator in both polarizations",
            remedy="Check that it transits in this Measurement Set, and what is flagged",
        )
    typical = np.array([np.median(column[column > 0.0]) for column in strength.T])
    healthy = (strength >= _LEAST_STRENGTH * typical).all(axis=1) & (channels >= _LEAST_CHANNELS * channels.max()).all(
        axis=1
    )
    for place, antenna in enumerate(preferred):
        if healthy[antenna]:
            return antenna, "first choice" if place == 0 else f"choice {place + 1}, those before it do not do"
    antenna = int(np.argmax(np.where(seeing.all(axis=1), strength.min(axis=1), -1.0)))
    return antenna, "none of those preferred is healthy; it sees the calibrator best"
