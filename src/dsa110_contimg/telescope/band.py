"""The correlator's grid in frequency and time, and the figures of the dishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.telescope.site import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_SUBBANDS = 16
CHANNELS_PER_SUBBAND = 48
N_CHANNELS = N_SUBBANDS * CHANNELS_PER_SUBBAND

#: Channel width [Hz]: 250 MHz of digitised band in 1024 channels.
CHANNEL_WIDTH_HZ = 250e6 / 1024
#: Centre of the highest channel, the first of sb00 [Hz].
TOP_HZ = 1530e6 - (1024 + 3.5) * 250e6 / 8192

#: One integration [s].
INTEGRATION_S = 12.884901888
INTEGRATIONS_PER_GROUP = 24
#: AIPS codes of the two linear polarizations in a file: XX, YY.
POLARIZATIONS = (-5, -6)

DISH_DIAMETER_M = 4.65
#: System equivalent flux density of one dish [Jy].
SEFD_JY = 6500.0
#: ``nsamples`` of an integration in which no packet was lost.
FULL_NSAMPLES = 96.0

#: The site that the files' headers give; for simulations. Readers take the header's own.
HEADER_SITE = Site(37.2334051, -118.2830000, 1188.0519)


def subband_frequencies_hz(subband: int) -> NDArray[np.float64]:
    """Channel centres of one subband in the order of its file, shape (48,), descending [Hz]."""
    first = subband * CHANNELS_PER_SUBBAND
    return TOP_HZ - np.arange(first, first + CHANNELS_PER_SUBBAND, dtype=np.float64) * CHANNEL_WIDTH_HZ


def band_frequencies_hz() -> NDArray[np.float64]:
    """Channel centres of the whole band, shape (768,), ascending [Hz]."""
    return TOP_HZ - np.arange(N_CHANNELS, dtype=np.float64)[::-1] * CHANNEL_WIDTH_HZ


def subband_of(highest_freq_hz: float) -> int:
    """Return the subband whose highest channel is at this frequency.

    Raises
    ------
    ValueError
        The frequency is further than 1 kHz from the highest channel of every subband.
    """
    subband = round((TOP_HZ - highest_freq_hz) / (CHANNELS_PER_SUBBAND * CHANNEL_WIDTH_HZ))
    if subband not in range(N_SUBBANDS) or abs(subband_frequencies_hz(subband)[0] - highest_freq_hz) > 1e3:
        raise ValueError(f"{highest_freq_hz / 1e6:.6f} MHz is not the highest channel of any subband")
    return subband
