"""What the autocorrelations say: how noisy each antenna is.

The power A_p of an antenna's own product is |g_p|^2 (SEFD_p + S), S being the sky in its beam, and the real and the
imaginary part of the product of two antennas each have the variance

    sigma_pq^2 = A_p A_q / (2 dnu dt)

(Thompson, Moran & Swenson, Interferometry and Synthesis in Radio Astronomy, 3rd ed., equation 6.50). So the weight
of a visibility is s_p s_q with s = sqrt(2 dnu dt) / A, and once g is known, SEFD = A / |g|^2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# An antenna whose power is less than this part of the array's median has no receiver.
_DEAD_POWER = 0.05


def auto_power(
    data: NDArray[np.complex64], flags: NDArray[np.bool_], auto_rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Power of each antenna in one integration.

    Parameters
    ----------
    data, flags : (B, C, P)
        Visibilities [counts], and their flags.
    auto_rows : (A,) int64
        Row of each antenna's autocorrelation.

    Returns
    -------
    (A, C, P) float32
        [counts]; 0 where there is none. A flag does not count where there is power: outliers of autocorrelations are
        flagged for being high, and high they are.
    """
    power = data[auto_rows].real.copy()
    power[~(np.isfinite(power) & (power > 0.0))] = 0.0
    # What was never there is flagged and 0.
    power[flags[auto_rows] & (power <= 0.0)] = 0.0
    return np.asarray(power, dtype=np.float32)


def sensitivity(power: NDArray[np.float32], channel_width_hz: float, exposure_s: float) -> NDArray[np.float32]:
    """Square root of the weight that an antenna's power gives a baseline, s with weight s_p s_q.

    Parameters
    ----------
    power : (A, C, P) float32
        From `auto_power` [counts].
    channel_width_hz, exposure_s : float
        Of a sample [Hz, s].

    Returns
    -------
    (A, C, P) float32
        [1/counts]. An antenna whose power is lacking in a channel has the median of its other channels; 0 if it has
        none at all.
    """
    lacking = power <= 0.0
    if lacking.any():
        known = np.where(lacking, np.nan, power)
        some = ~lacking.all(axis=1)
        typical = np.zeros_like(power[:, 0])
        typical[some] = np.nanmedian(np.moveaxis(known, 1, 2)[some], axis=-1)
        power = np.where(lacking, typical[:, None], power)
    result = np.zeros_like(power)
    np.divide(np.sqrt(2.0 * channel_width_hz * exposure_s), power, out=result, where=power > 0.0)
    return result


def sefd_jy(
    power: NDArray[np.float32], gains: NDArray[np.complex128], solved: NDArray[np.bool_], sky_jy: float
) -> NDArray[np.float64]:
    """System equivalent flux density of each antenna and polarization, the median over channels.

    Parameters
    ----------
    power : (A, C, P) float32
        Mean power over time [counts]; 0 where there is none.
    gains : (A, C, P) complex128
        [sqrt(counts/Jy)].
    solved : (A, C, P) bool
        Where gains are.
    sky_jy : float
        Flux density of the sky in the beam, which the power holds as well [Jy].

    Returns
    -------
    (A, P) float64
        [Jy]; not a number where nothing is known.
    """
    good = solved & (power > 0.0) & (np.abs(gains) > 0.0)
    sefd = np.full(power.shape, np.nan)
    np.divide(power, np.abs(gains) ** 2, out=sefd, where=good)
    result = np.full((power.shape[0], power.shape[2]), np.nan)
    some = good.any(axis=1)
    result[some] = np.nanmedian(np.moveaxis(sefd, 1, 2)[some], axis=-1) - sky_jy
    return result


def without_power(power: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find antennas whose power is under a twentieth of the array's median, (A, P), from the (A, C, P) mean power."""
    known = np.where(power > 0.0, power, np.nan)
    level = np.zeros((power.shape[0], power.shape[2]))
    some = (power > 0.0).any(axis=1)
    level[some] = np.nanmedian(np.moveaxis(known, 1, 2)[some], axis=-1)
    # The median of both polarizations: where one is dead in most antennas, it is known by the other.
    typical = np.median(level[level > 0.0]) if (level > 0.0).any() else 0.0
    return np.asarray(level <= _DEAD_POWER * typical)
