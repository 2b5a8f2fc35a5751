"""What a source's light curve may do as a lens of plasma drifts past it: shapes to search for, of unit size.

A diverging lens dims the source as long as it is in front of it and brightens it just before and after, where rays
cross (caustics: Clegg, Fey and Lazio 1998, ApJ 496, 253, figure 2); seen off its axis, or at a high frequency, only the
dimming is left. Where one caustic is crossed alone, the flux rises at once and falls slowly, or the reverse. Flares are
searched for, too: what is not a lens should have a name.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTHS_D = (2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0)
"""Widths that are searched [d]: days to weeks."""
LEAST_DAYS = 2
"""Days with data that an event has at least, on which the shape is above half of its peak."""
_SAMPLES = 16
# How far a template reaches from its middle [widths, and days more]: more than half of it is the flux beside the event.
_REACH, _REACH_D = 2.0, 3.0


class Shape(StrEnum):
    """Kinds of events; the size of each is above 0."""

    DIP = "dip"
    CAUSTICS = "dip-between-caustics"
    RISING = "caustic-rising"
    FALLING = "caustic-falling"
    FLARE = "flare"


LENSES = frozenset({Shape.DIP, Shape.CAUSTICS, Shape.RISING, Shape.FALLING})
"""Those that a lens makes."""


class Template(NamedTuple):
    """A shape of a width, by the day: (2 h + 1,) float64, its middle at h; its ends are the flux beside it."""

    shape: Shape
    width_d: float
    values: NDArray[np.float64]


def profile(shape: Shape, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a shape's change of flux at distances from its middle, in half widths."""
    if shape is Shape.DIP:
        return -np.exp(-(u**4))
    if shape is Shape.FLARE:
        return np.exp(-2.0 * np.log(2.0) * u**2)
    if shape is Shape.CAUSTICS:
        return np.exp(-(((np.abs(u) - 1.1) / 0.25) ** 2)) - np.exp(-((u / 0.8) ** 6))
    past = u + 1.0 if shape is Shape.RISING else 1.0 - u
    return np.where(past >= 0.0, np.exp(-np.maximum(past, 0.0) / 0.7), 0.0)


def templates(n_days: int, bin_d: float) -> list[Template]:
    """Give every shape in every width that has at least six times its width of data, and enough days inside.

    Parameters
    ----------
    n_days : int
        Days of the light curves.
    bin_d : float
        Length of a day [d].
    """
    made = []
    for width_d in WIDTHS_D:
        if width_d < 2.0 * bin_d or 6.0 * width_d > n_days * bin_d:
            continue
        half = int(np.ceil((_REACH * width_d + _REACH_D) / bin_d))
        day = np.arange(-half, half + 1)[:, None] + (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
        u = day * bin_d / (width_d / 2.0)
        made += [Template(shape, width_d, profile(shape, u).mean(axis=1)) for shape in Shape]
    return [one for one in made if (np.abs(one.values) > np.abs(one.values).max() / 2).sum() >= LEAST_DAYS]
