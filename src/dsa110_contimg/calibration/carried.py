"""A flux scale carried from another set of the day: amplitudes of gains hold better than blazars do."""

from __future__ import annotations

from math import exp, hypot, sqrt
from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.calibration.flux_scale import FluxScale
from dsa110_contimg.telescope.spread import robust_sigma

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dsa110_contimg.calibration.solutions import Solutions

STABILITY = 0.05
"""By how much the array's mean flux scale is taken to wander in a day."""
_FEWEST = 6


def scale_from_set(
    tables: Sequence[Solutions], others: Sequence[Solutions], error: float, name: str
) -> FluxScale | None:
    """Compare the amplitudes of two sets.

    Parameters
    ----------
    tables : sequence of Solutions
        K, B and G as they were solved.
    others : sequence of Solutions
        Those of a set whose scale is known; the telescope has stayed as it was.
    error : float
        Relative error of that scale.
    name : str
        Name of that set.

    Returns
    -------
    FluxScale or None
        None: they have too few solutions in common.
    """
    # V = g g* M: a model that is too faint makes gains too high, and flux densities too low by the square of that.
    ratio = 2 * (_log_gain(others) - _log_gain(tables))
    ratio = ratio[np.isfinite(ratio)]
    if ratio.size < _FEWEST:
        return None
    middle = float(np.median(ratio))
    own = 1.253 * robust_sigma(ratio, middle) / sqrt(ratio.size)
    total, factor = hypot(error, STABILITY, own), exp(middle)
    text = (
        f"flux scale carried from {name} by the amplitudes of {ratio.size} gains: measured over true {factor:.3f}, "
        f"to {100 * total:.1f}%"
    )
    return FluxScale("carried", factor, total, 1, text)


def _log_gain(tables: Sequence[Solutions]) -> NDArray[np.float64]:
    """Logarithm of each antenna's and polarization's amplitude (A, P), not a number where there is none."""
    level = np.zeros(())
    for table in tables:
        if table.kind == "K":
            continue
        log_gain = np.where(table.flags, np.nan, np.log(np.maximum(abs(table.values), 1e-30)))
        known = ~table.flags.all(axis=(0, 2), keepdims=True)
        median = np.nanmedian(np.where(known, log_gain, 0.0), axis=(0, 2), keepdims=True)
        level = level + np.squeeze(np.where(known, median, np.nan), axis=(0, 2))
    return np.asarray(level, np.float64)
