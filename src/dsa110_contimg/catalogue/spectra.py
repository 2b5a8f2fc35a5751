"""Spectra of calibrators: the flux density scale of Perley and Butler, and power laws for everything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Frequency that the list's 20 cm flux densities are taken to be at [Hz].
REFERENCE_HZ = 1.4e9
#: Spectral index of a source for which nothing but its 20 cm flux density is known.
DEFAULT_ALPHA = -0.7

# Perley & Butler 2017, ApJS 230, 7, table 6, to the digits that CASA's PerleyButler2017Coeffs has: a0, a1, ... of
# log10 S = a0 + a1 log10 nu + a2 (log10 nu)^2 + ..., S in Jy, nu in GHz.
_PERLEY_BUTLER_2017 = {
    "3C48": (1.3253, -0.7553, -0.1914, 0.0498),
    "3C138": (1.0088, -0.4981, -0.1552, -0.0102, 0.0223),
    "3C147": (1.4516, -0.6961, -0.2007, 0.0640, -0.0464, 0.0289),
    "3C196": (1.2872, -0.8530, -0.1534, -0.0200, 0.0201),
    "3C286": (1.2481, -0.4507, -0.1798, 0.0357),
    "3C295": (1.4701, -0.7658, -0.2780, -0.0347, 0.0399),
    "3C380": (1.2320, -0.7909, 0.0947, 0.0976, -0.1794, -0.1566),
}


@dataclass(frozen=True)
class Spectrum:
    """A Stokes I spectrum, log10 S = a0 + a1 x + a2 x^2 + ... with S in Jy and x = log10(nu / 1 GHz).

    Attributes
    ----------
    coefficients : tuple of float
        a0, a1, ...
    origin : str
        Where they come from, in words, for records.
    """

    coefficients: tuple[float, ...]
    origin: str

    def flux_jy(self, freq_hz: ArrayLike) -> NDArray[np.float64]:
        """Flux density at some frequencies [Jy], in their shape."""
        x = np.log10(np.asarray(freq_hz, dtype=np.float64) / 1e9)
        return np.asarray(10.0 ** np.polynomial.polynomial.polyval(x, self.coefficients))


def power_law(flux_jy: float, alpha: float = DEFAULT_ALPHA, origin: str = "") -> Spectrum:
    """S(nu) = S(1.4 GHz) (nu / 1.4 GHz)^alpha.

    Parameters
    ----------
    flux_jy : float
        Flux density at 1.4 GHz [Jy].
    alpha : float
        Spectral index.
    origin : str
        Where they come from.
    """
    text = f"power law, {flux_jy:g} Jy at 1.4 GHz, spectral index {alpha:g}"
    a0 = np.log10(flux_jy) - alpha * np.log10(REFERENCE_HZ / 1e9)
    return Spectrum((float(a0), alpha), f"{text} ({origin})" if origin else text)


def standard_spectrum(source: str) -> Spectrum | None:
    """Return the spectrum of a primary flux calibrator by its 3C name ("3C286"), or None if it is not one."""
    coefficients = _PERLEY_BUTLER_2017.get(source)
    return None if coefficients is None else Spectrum(coefficients, "Perley & Butler 2017")
