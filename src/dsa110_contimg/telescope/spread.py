"""How far values scatter, whatever a few of them do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGMA_OF_MEDIAN = 1.4826
"""Standard deviation of a Gaussian over its median absolute deviation: 1 / quantile(0.75) of a normal distribution."""


def robust_sigma(values: NDArray[np.floating], about: float | None = None) -> float:
    """Give the standard deviation of Gaussian values, from the median of their absolute deviations.

    Parameters
    ----------
    values : array, any shape
        At least one, all finite.
    about : float, optional
        What they scatter about, where that is known; by default their median.

    Returns
    -------
    float
        In the unit of the values. `SIGMA_OF_MEDIAN` times the median absolute deviation (Hampel 1974, J. Am. Stat.
        Assoc. 69, 383).
    """
    middle = float(np.median(values)) if about is None else about
    return SIGMA_OF_MEDIAN * float(np.median(np.abs(values - middle)))
