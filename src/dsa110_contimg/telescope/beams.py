"""The primary beam: how much of a source's flux density each dish receives.

No measured beam of the DSA-110 is public, so the beam is a model that can be replaced. A model is a power pattern in
direction cosines relative to the pointing: `x` to the east, `y` to the north, x^2 + y^2 = sin^2(angle off axis).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.special import j1, jv

from dsa110_contimg.errors import UsageError
from dsa110_contimg.telescope.band import DISH_DIAMETER_M
from dsa110_contimg.telescope.beam_files import FITS_ENDINGS, HDF5_ENDINGS, read_beam
from dsa110_contimg.telescope.fitted_beams import FITTED_ENDING, read_fitted_beam
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Edge of the tapered illumination (field at the rim over field at the centre): gives a FWHM of 3.17 deg at 1.4 GHz.
_TAPER_EDGE = 0.1307
# There the pattern is 1 to thirteen digits.
_SMALLEST_ARGUMENT = 1e-6


class BeamModel(Protocol):
    """A power pattern, 1 on the axis."""

    @property
    def description(self) -> str:
        """What it is, in words, for records."""

    def power(self, x: ArrayLike, y: ArrayLike, freq_hz: ArrayLike) -> NDArray[np.float64]:
        """Power received relative to the axis; the three arguments broadcast.

        Parameters
        ----------
        x, y : array_like
            Direction cosines to the east and north of the beam's axis.
        freq_hz : array_like
            Frequency [Hz].
        """


@dataclass(frozen=True)
class AiryBeam:
    """A uniformly lit circular aperture, (2 J1(a)/a)^2 with a = pi D sin(theta) nu/c: FWHM 2.72 deg at 1.4 GHz."""

    diameter_m: float = DISH_DIAMETER_M

    @property
    def description(self) -> str:
        """What it is, in words."""
        return f"Airy disc, uniform illumination, D={self.diameter_m:g} m"

    def power(self, x: ArrayLike, y: ArrayLike, freq_hz: ArrayLike) -> NDArray[np.float64]:
        """Power relative to the axis."""
        return np.asarray(_disc(_aperture_argument(self.diameter_m, x, y, freq_hz)) ** 2)


@dataclass(frozen=True)
class TaperedBeam:
    """An aperture lit parabolically on a pedestal: FWHM 3.17 deg at 1.4 GHz, first sidelobe -24 dB.

    The illumination is C + (1 - C)(1 - r^2) at the fraction r of the dish's radius; its pattern is a sum of
    2 J1(a)/a and 8 J2(a)/a^2 (Baars, The Paraboloidal Reflector Antenna, 2007, section 4.1).
    """

    diameter_m: float = DISH_DIAMETER_M
    edge: float = _TAPER_EDGE

    @property
    def description(self) -> str:
        """What it is, in words."""
        return f"parabolic taper to {self.edge:g} at the edge, D={self.diameter_m:g} m"

    def power(self, x: ArrayLike, y: ArrayLike, freq_hz: ArrayLike) -> NDArray[np.float64]:
        """Power relative to the axis."""
        a = _aperture_argument(self.diameter_m, x, y, freq_hz)
        parabola = 8.0 * jv(2, a) / a**2
        # The integral of each part over the aperture weighs it: 1 for the pedestal, 1/2 for the parabola.
        pedestal, dome = self.edge, (1.0 - self.edge) / 2.0
        return np.asarray(((pedestal * _disc(a) + dome * parabola) / (pedestal + dome)) ** 2)


@dataclass(frozen=True)
class GaussianBeam:
    """A Gaussian of the angle off axis whose width goes as 1/frequency."""

    fwhm_deg_at_1p4ghz: float

    @property
    def description(self) -> str:
        """What it is, in words."""
        return f"Gaussian, FWHM {self.fwhm_deg_at_1p4ghz:g} deg at 1.4 GHz"

    def power(self, x: ArrayLike, y: ArrayLike, freq_hz: ArrayLike) -> NDArray[np.float64]:
        """Power relative to the axis."""
        theta = np.arcsin(np.minimum(1.0, np.hypot(x, y)))
        fwhm = np.radians(self.fwhm_deg_at_1p4ghz) * 1.4e9 / np.asarray(freq_hz, dtype=np.float64)
        return np.asarray(np.exp(-4.0 * np.log(2.0) * (theta / fwhm) ** 2))


def beam_model(name: str) -> BeamModel:
    """Return the beam with this name: ``airy``, ``tapered``, ``gaussian:FWHM`` (degrees at 1.4 GHz), or a file's.

    A file is FITS or HDF5 (see `telescope.beam_files`), or JSON if it was fitted (see `telescope.fitted_beams`); what
    ends like one is taken for its path.

    Raises
    ------
    UsageError
        There is no such model, the width is not a positive number, or the file is not a beam.
    """
    kind, _, width = name.partition(":")
    if kind == "gaussian" and width:
        try:
            fwhm_deg = float(width)
        except ValueError:
            fwhm_deg = float("nan")
        if fwhm_deg > 0.0:
            return GaussianBeam(fwhm_deg)
    elif name == "airy":
        return AiryBeam()
    elif name == "tapered":
        return TaperedBeam()
    elif name.lower().endswith((*FITS_ENDINGS, *HDF5_ENDINGS)):
        return read_beam(Path(name).expanduser())
    elif name.lower().endswith(FITTED_ENDING):
        return read_fitted_beam(Path(name).expanduser())
    raise UsageError(
        f"{name!r} is not a beam model",
        remedy="Choose airy, tapered, gaussian:FWHM (degrees at 1.4 GHz), or a file, .fits, .h5 or .json.",
    )


def lasting_name(name: str) -> str:
    """Name a beam so that it is found from everywhere: a file by its whole path."""
    if name.lower().endswith((*FITS_ENDINGS, *HDF5_ENDINGS, FITTED_ENDING)):
        return str(Path(name).expanduser().absolute())
    return name


def beam_offsets(directions: NDArray[np.float64], dec_rad: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Direction cosines east and north of the meridian pointing.

    Parameters
    ----------
    directions : (..., 3) ndarray
        Unit vectors of the meridian frame.
    dec_rad : float
        Apparent declination of the pointing [rad].

    Returns
    -------
    x, y : (...) ndarray
        To the east, and to the north.
    """
    return directions[..., 1], directions[..., 2] * np.cos(dec_rad) - directions[..., 0] * np.sin(dec_rad)


def _aperture_argument(diameter_m: float, x: ArrayLike, y: ArrayLike, freq_hz: ArrayLike) -> NDArray[np.float64]:
    """Argument a = pi D sin(theta) nu/c of the aperture's pattern, kept off 0, where the pattern is 0/0."""
    a = np.pi * diameter_m / SPEED_OF_LIGHT * np.hypot(x, y) * np.asarray(freq_hz, dtype=np.float64)
    return np.maximum(a, _SMALLEST_ARGUMENT)


def _disc(a: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pattern 2 J1(a)/a of an evenly lit disc."""
    return np.asarray(2.0 * j1(a) / a)
