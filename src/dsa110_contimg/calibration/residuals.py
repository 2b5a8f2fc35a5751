"""What is left of a calibrator's visibilities when its model is taken away, against noise; and how triangles close."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.telescope.spread import robust_sigma

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Residuals(NamedTuple):
    """How well the calibrated data fit the model.

    Attributes
    ----------
    rms_jy, thermal_jy : float
        Of a real or imaginary part of calibrated data minus model, as found and as noise alone would give it [Jy].
    closure_deg : float
        Robust rms of the closure phases of data over model, averaged over the whole group; gains of antennas do not
        enter, so this is what no gains can mend [deg]. Not a number with fewer than three antennas.
    n_samples : int
        Visibilities that were used.
    """

    rms_jy: float
    thermal_jy: float
    closure_deg: float
    n_samples: int

    @property
    def ratio(self) -> float:
        """Residual rms over thermal."""
        return self.rms_jy / self.thermal_jy if self.thermal_jy > 0 else float("nan")


class ResidualMeter:
    """Adds up residuals block by block.

    Parameters
    ----------
    antenna1, antenna2 : (B,) int array
        Rows of ANTENNA of each baseline; autocorrelations are left out.
    n_pol : int
        Polarizations.
    """

    def __init__(self, antenna1: NDArray[np.int32], antenna2: NDArray[np.int32], n_pol: int = 2) -> None:
        self._cross = np.flatnonzero(antenna1 != antenna2)
        self._antenna1, self._antenna2 = antenna1[self._cross], antenna2[self._cross]
        self._squares = self._noise = 0.0
        self._n = 0
        self._ratio = np.zeros((self._cross.size, n_pol), np.complex128)

    def add(
        self,
        calibrated: NDArray[np.complexfloating],
        model: NDArray[np.complexfloating],
        flags: NDArray[np.bool_],
        sigma_jy: ArrayLike,
    ) -> None:
        """Add a block.

        Parameters
        ----------
        calibrated, model : (T, B, C, P) complex
            [Jy].
        flags : (T, B, C, P) bool
        sigma_jy : array_like
            Thermal noise of a real or imaginary part; broadcasts against the others [Jy].
        """
        take = (slice(None), self._cross)
        fine = ~flags[take]
        data, expected = calibrated[take], model[take]
        rest = np.where(fine, data - expected, 0)
        sigma = np.broadcast_to(np.asarray(sigma_jy, np.float64), calibrated.shape)[take]
        self._squares += float(np.sum(rest.real**2, dtype=np.float64) + np.sum(rest.imag**2, dtype=np.float64)) / 2
        self._noise += float(np.sum(np.where(fine, sigma, 0) ** 2))
        self._n += int(fine.sum())
        self._ratio += np.sum(np.where(fine, data * np.conj(expected), 0), axis=(0, 2), dtype=np.complex128)

    def result(self) -> Residuals:
        """Sum up; with nothing added, an rms is not a number."""
        if self._n == 0:
            return Residuals(float("nan"), float("nan"), float("nan"), 0)
        closure = closure_rms_deg(self._ratio, self._antenna1, self._antenna2)
        return Residuals(sqrt(self._squares / self._n), sqrt(self._noise / self._n), closure, self._n)


def closure_rms_deg(ratio: NDArray[np.complex128], antenna1: NDArray[np.int32], antenna2: NDArray[np.int32]) -> float:
    """Robust rms of the phases around all triangles, arg(r_12 r_23 r_31) [deg].

    Parameters
    ----------
    ratio : (B, P) complex
        Data over model of each baseline, of any amplitude; 0 where there is none.
    antenna1, antenna2 : (B,) int array
        Without autocorrelations.
    """
    antennas, index = np.unique(np.concatenate([antenna1, antenna2]), return_inverse=True)
    first, second = np.split(index, 2)
    medians = []
    for pol in range(ratio.shape[1]):
        matrix = np.zeros((antennas.size, antennas.size), np.complex64)
        matrix[first, second], matrix[second, first] = ratio[:, pol], np.conj(ratio[:, pol])
        found = []
        for i in range(antennas.size - 2):
            around = matrix[i, i + 1 :, None] * matrix[i + 1 :, i + 1 :] * np.conj(matrix[i, None, i + 1 :])
            triangles = around[np.triu_indices(around.shape[0], 1)]
            found.append(abs(np.angle(triangles[triangles != 0])))
        phases = np.concatenate(found) if found else np.zeros(0)
        if phases.size:
            medians.append(np.degrees(robust_sigma(phases, 0.0)))
    return float(np.mean(medians)) if medians else float("nan")
