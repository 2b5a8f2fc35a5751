"""Thermal noise: what the system temperature leaves in cross- and autocorrelations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.telescope.band import CHANNEL_WIDTH_HZ, INTEGRATION_S, SEFD_JY

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Independent samples in one channel and integration.
SAMPLES = CHANNEL_WIDTH_HZ * INTEGRATION_S


def sample_rms_jy(sefd_jy: float = SEFD_JY) -> float:
    """Rms of the real (or imaginary) part of one visibility, SEFD / sqrt(2 dnu dt): 2.59 Jy for 6500 Jy.

    Thompson, Moran & Swenson, Interferometry and Synthesis in Radio Astronomy (3rd ed.), equation 6.50.
    """
    return float(sefd_jy / np.sqrt(2.0 * SAMPLES))


def sefd_of_rms_jy(rms_jy: float) -> float:
    """Undo `sample_rms_jy`."""
    return float(rms_jy * np.sqrt(2.0 * SAMPLES))


def noise_rms_jy(noise: str | float) -> float:
    """Rms per component for the option: ``"auto"`` is what the SEFD gives."""
    return sample_rms_jy() if noise == "auto" else float(noise)


def fill_unit_noise(rng: np.random.Generator, out: NDArray[np.complex64]) -> None:
    """Fill a contiguous array with complex numbers whose real and imaginary parts have unit variance."""
    rng.standard_normal(dtype=np.float32, out=out.view(np.float32))
