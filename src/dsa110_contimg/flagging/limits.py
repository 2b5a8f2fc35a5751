"""Baselines outside limits of length, and antennas in each other's light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def outside_range(uvw_m: NDArray[np.float64], least_m: float | None, most_m: float | None) -> NDArray[np.bool_]:
    """Which projected baselines are shorter or longer than they may be.

    Parameters
    ----------
    uvw_m : (T, B, 3) float64
        [m].
    least_m, most_m : float, optional
        Limits of sqrt(u^2 + v^2) [m].

    Returns
    -------
    (T, B) bool
        Autocorrelations, which have no length, are never outside.
    """
    length_m = np.hypot(uvw_m[..., 0], uvw_m[..., 1])
    outside = np.zeros(length_m.shape, bool)
    if least_m is not None:
        outside |= length_m < least_m
    if most_m is not None:
        outside |= length_m > most_m
    return outside & (uvw_m != 0).any(axis=-1)


def in_shadow(
    uvw_m: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    diameters_m: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Which baselines have an antenna that stands in another's light.

    Two dishes overlap, seen from the source, where their projected distance is less than half the sum of their
    diameters; the one behind is in the shadow. With UVW = r_1 - r_2 and w towards the source, that is the second
    where w > 0.

    Parameters
    ----------
    uvw_m : (T, B, 3) float64
        [m], towards what the dishes point to.
    first, second : (B,) int64
        Positions of the baselines' antennas.
    diameters_m : (A,) float64
        Of the dishes [m].

    Returns
    -------
    (T, B) bool
        All baselines of an antenna in the shadow, with its autocorrelation.
    """
    distance_m = np.hypot(uvw_m[..., 0], uvw_m[..., 1])
    overlap = (distance_m < (diameters_m[first] + diameters_m[second]) / 2) & (first != second)
    behind = np.where(uvw_m[..., 2] > 0, second, first)
    dark = np.zeros((uvw_m.shape[0], diameters_m.size), bool)
    time, baseline = np.nonzero(overlap)
    dark[time, behind[time, baseline]] = True
    return dark[:, first] | dark[:, second]
