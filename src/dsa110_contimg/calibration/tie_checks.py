"""Whether a tie to the sky may be used: residuals must fall, and neither flux scale nor astrometry move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.calibration.residuals import Residuals, closure_rms_deg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.calibration.blocks import BlockSums

_ARCSEC = np.degrees(1.0) * 3600
# Antennas whose phase moved by less say where the sky is; the others would be taken for it.
_STEADY_RAD = np.radians(20.0)
_FEWEST_STEADY = 4


class Bounds(NamedTuple):
    """How far a tie may move what must not move.

    Attributes
    ----------
    flux : float
        Relative change of the flux scale, on antennas whose phases were steady.
    shift_arcsec : float
        Shift of the sky [arcsec].
    """

    flux: float = 0.03
    shift_arcsec: float = 1.0


class TieMeasures(NamedTuple):
    """What a tie changed.

    Attributes
    ----------
    rms_before, rms_after : float
        Of the residuals, over what the weights say.
    fall : float
        How much chi^2 fell, over the number of parameters that were solved for: 1 by chance.
    flux_change : float
        Relative change of the flux density that the field has, on steady antennas; not a number if there are few.
    shift_arcsec : float
        By how much the phases of steady antennas shift the sky [arcsec]; likewise.
    phase_deg, largest_deg : float
        Median and largest change of phase [deg].
    tied : int
        Antennas that were tied.
    """

    rms_before: float
    rms_after: float
    fall: float
    flux_change: float
    shift_arcsec: float
    phase_deg: float
    largest_deg: float
    tied: int

    def as_json(self) -> dict[str, Any]:
        """Return the same for JSON: None where it is not a number."""
        return {name: None if np.isnan(value) else value for name, value in self._asdict().items()}

    def __str__(self) -> str:
        return (
            f"{self.tied} antennas by {self.phase_deg:.1f} deg, at most {self.largest_deg:.0f}; residuals "
            f"{self.rms_before:.4f} to {self.rms_after:.4f} of thermal; flux scale {100 * self.flux_change:+.2f}%, "
            f"position {self.shift_arcsec:.2f} arcsec"
        )


def why_not(measures: TieMeasures, bounds: Bounds) -> tuple[str, ...]:
    """Say why a tie is not accepted; nothing if it is."""
    reasons = []
    if measures.tied == 0:
        reasons.append("no antenna sees the field well enough")
    if not measures.fall > 1.0:
        reasons.append("residuals do not fall")
    if np.isnan(measures.flux_change) or np.isnan(measures.shift_arcsec):
        reasons.append("so few antennas were steady that flux scale and position cannot be vouched for")
    if abs(measures.flux_change) > bounds.flux:
        reasons.append(f"the flux scale moves by {100 * measures.flux_change:+.1f}%")
    if measures.shift_arcsec > bounds.shift_arcsec:
        reasons.append(f"the sky moves by {measures.shift_arcsec:.2f} arcsec")
    return tuple(reasons)


def residuals_of_tie(
    sums: BlockSums,
    step: NDArray[np.complex128],
    rows: tuple[NDArray[np.int32], NDArray[np.int32]],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    rms_after: float,
) -> Residuals:
    """What a tie leaves of the data, for judging it as any set; `rows` are ANTENNA1 and ANTENNA2 of the baselines."""
    product = (step[pairs[0]] * step[pairs[1]].conj()).astype(np.complex64)
    ratio = (sums.cross * product.conj()).sum(axis=(1, 2), dtype=np.complex128)
    samples = int(sums.samples.sum())
    thermal_jy = float(np.sqrt(samples / sums.weight.sum())) if samples else float("nan")
    return Residuals(rms_after * thermal_jy, thermal_jy, closure_rms_deg(ratio, *rows), samples)


def measure_tie(
    sums: BlockSums,
    step: NDArray[np.complex128],
    tied: NDArray[np.bool_],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    uv_waves: NDArray[np.float64],
    n_parameters: int,
) -> TieMeasures:
    """Measure a tie.

    Parameters
    ----------
    sums : BlockSums
        (N, T, K, P), with the gains before.
    step : (A, T, K, P) complex128
        Gains after over gains before; 1 for antennas that were not tied.
    tied : (A, P) bool
        Antennas that were.
    pairs : ((N,) int64, (N,) int64)
        Antennas of the baselines.
    uv_waves : (A, 2) float64
        Place of each antenna east and north across the line of sight, in wavelengths of the middle of the band.
    n_parameters : int
        How many were solved for.
    """
    product = (step[pairs[0]] * step[pairs[1]].conj()).astype(np.complex64)
    energy, samples = float(sums.energy.sum()), max(int(sums.samples.sum()), 1)
    before = energy - 2.0 * float(sums.cross.real.sum(dtype=np.float64)) + float(sums.power.sum(dtype=np.float64))
    fitted, expected = (sums.cross * product.conj()).real, sums.power * np.abs(product) ** 2
    after = energy - 2.0 * float(fitted.sum(dtype=np.float64)) + float(expected.sum(dtype=np.float64))
    mean = step.mean(axis=(1, 2))
    common = mean[tied].sum() if tied.any() else 1.0
    phase = np.angle(mean * np.conj(common))
    steady = tied & (np.abs(phase) < _STEADY_RAD)
    both = (steady[pairs[0]] & steady[pairs[1]])[:, None, None]
    flux_change = shift = np.nan
    if steady.any(axis=1).sum() >= _FEWEST_STEADY:
        was = np.sum(sums.cross.real, where=both, dtype=np.float64) / np.sum(sums.power, where=both, dtype=np.float64)
        now = np.sum(fitted, where=both, dtype=np.float64) / np.sum(expected, where=both, dtype=np.float64)
        flux_change, shift = float(now / was - 1.0), _shift_arcsec(phase, steady, uv_waves)
    moved = np.abs(np.degrees(phase[tied])) if tied.any() else np.zeros(1)
    # w |V|^2 sums two components of unit variance.
    return TieMeasures(
        rms_before=float(np.sqrt(before / 2 / samples)),
        rms_after=float(np.sqrt(after / 2 / samples)),
        fall=(before - after) / max(n_parameters, 1),
        flux_change=flux_change,
        shift_arcsec=shift,
        phase_deg=float(np.median(moved)),
        largest_deg=float(moved.max()),
        tied=int(tied.any(axis=1).sum()),
    )


def _shift_arcsec(phase: NDArray[np.float64], steady: NDArray[np.bool_], uv_waves: NDArray[np.float64]) -> float:
    """Length of the shift whose phases 2 pi (u l + v m) fit those of the steady antennas best [arcsec]."""
    antenna, pol = np.nonzero(steady)
    offset = np.eye(steady.shape[1])[pol]
    matrix = np.hstack([2 * np.pi * uv_waves[antenna], offset])
    solution, *_ = np.linalg.lstsq(matrix, phase[antenna, pol], rcond=None)
    return float(np.hypot(*solution[:2]) * _ARCSEC)
