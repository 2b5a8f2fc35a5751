"""What averaging costs a source away from the phase centre, on every baseline.

A source at (l, m) turns the phase of a visibility against that of the phase centre by 2 pi nu/c times the path
u l + v m + w (n - 1). Over N channels or integrations, between which it turns by D, their mean loses
1 - |sin(N D/2) / (N sin(D/2))| of the amplitude; each of them has already lost 1 - |sin(D/2) / (D/2)| by its own width
(Bridle and Schwab 1999, in Synthesis Imaging in Radio Astronomy II, ASP 180, 371).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.observation import Observation

#: Directions in which a source may lie from the phase centre.
POSITION_ANGLES = 16
# Half the step of the numerical derivative of UVW in time [s].
_STEP_S = 30.0
# Moments of an observation at which its baselines are looked at: its sixth parts.
_MOMENTS = np.array([1, 3, 5]) / 6
_DAYS = 86400.0


class Turns(NamedTuple):
    """How fast a source turns the phase of P baselines, at M moments, for K position angles [turns].

    Attributes
    ----------
    by_channel, by_time : (M, P, K) float64
        From one channel to the next, and at the middle of the band from one integration to the next.
    """

    by_channel: NDArray[np.float64]
    by_time: NDArray[np.float64]


def turns(observation: Observation, radius_rad: float) -> Turns:
    """Work out how fast sources at a distance from the phase centre turn.

    Parameters
    ----------
    observation : Observation
        Its working antennas, channels and times.
    radius_rad : float
        Distance of the sources [rad].
    """
    angle = 2 * np.pi * np.arange(POSITION_ANGLES) / POSITION_ANGLES
    radius = np.sin(radius_rad)
    # Direction of the source less that of the centre, as (l, m, n - 1).
    away = np.stack([radius * np.sin(angle), radius * np.cos(angle), np.full(angle.size, np.cos(radius_rad) - 1)])
    moments = observation.start_mjd + _MOMENTS * (observation.end_mjd - observation.start_mjd)
    now_m, before_m, after_m = (observation.uvw_m(moments + step / _DAYS) for step in (0, -_STEP_S, _STEP_S))
    rate_m_s = (after_m - before_m) / (2 * _STEP_S)
    by_channel = now_m @ away / SPEED_OF_LIGHT * observation.channel_width_hz
    by_time = rate_m_s @ away / SPEED_OF_LIGHT * observation.freq_hz.mean() * observation.interval_s
    return Turns(by_channel, by_time)


def kept(turn: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Amplitude that is kept, of 1, when `count` neighbours are averaged between which the phase turns so [turns]."""
    if count == 1:
        return np.ones_like(turn)
    # sin(N D/2) / (N sin(D/2)) is a ratio of two sinc functions; whole turns, where both are 0, do not occur: the
    # samples themselves would be lost.
    return np.abs(np.sinc(count * turn) / np.sinc(turn))


def kept_by_samples(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Amplitude, of 1, that a single channel or integration keeps over whose width the phase turns so [turns]."""
    return np.abs(np.sinc(turn))
