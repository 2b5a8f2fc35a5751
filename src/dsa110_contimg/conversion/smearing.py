"""What averaging costs a source away from the phase centre.

While its phase turns by D radians over what is averaged, in frequency or in time, a source's visibility shrinks by
sin(D/2) / (D/2) (Bridle and Schwab 1999, in Synthesis Imaging in Radio Astronomy II, ASP 180, 371).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from dsa110_contimg.conversion.plan import ConversionPlan

#: Where smearing is stated: about where the beam falls to 0.4 [deg].
EDGE_DEG = 1.5
_POSITION_ANGLES = 16


class Smearing(NamedTuple):
    """Loss of a source at the field's edge, of 1, averaged over position angles.

    Attributes
    ----------
    mean : float
        Mean over the cross-correlations, that is in a naturally weighted image.
    longest : float
        On the longest baseline.
    """

    mean: float
    longest: float


def smearing(plan: ConversionPlan, offset_deg: float = EDGE_DEG) -> Smearing:
    """Work out the loss by the averaging of a plan, in channels and in time together, at the top of the band.

    Parameters
    ----------
    plan : ConversionPlan
        With its averaging; one that averages nothing still smears by its channels and integrations.
    offset_deg : float
        Distance of the source from the phase centre [deg].
    """
    description = plan.description
    cross = description.antenna1 != description.antenna2
    angle = 2 * np.pi * np.arange(_POSITION_ANGLES) / _POSITION_ANGLES
    radius = np.sin(np.radians(offset_deg))
    n_less_1 = np.full_like(angle, np.cos(np.radians(offset_deg)) - 1)
    # Direction of the source less that of the centre, as (l, m, n - 1).
    away = np.stack([radius * np.sin(angle), radius * np.cos(angle), n_less_1])
    middle = plan.times_mjd.size // 2
    path_m = plan.uvw_m[middle][cross] @ away
    turn_by_channel = 2 * np.pi * path_m / SPEED_OF_LIGHT * description.channel_width_hz
    loss = np.sinc(turn_by_channel / (2 * np.pi))
    if plan.times_mjd.size > 1:
        rate_m = (plan.uvw_m[-1] - plan.uvw_m[0])[cross] @ away / (plan.times_mjd.size - 1)
        turn_by_time = 2 * np.pi * rate_m / SPEED_OF_LIGHT * plan.freq_hz[-1] * plan.averaging.times
        loss *= np.sinc(turn_by_time / (2 * np.pi))
    lost = 1 - loss.mean(axis=1)
    longest = np.argmax(np.linalg.norm(plan.uvw_m[middle][cross], axis=1))
    return Smearing(float(lost.mean()), float(lost[longest]))
