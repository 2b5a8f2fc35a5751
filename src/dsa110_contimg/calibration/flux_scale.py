"""The absolute scale: what a set's janskys rest on, and how far they may be off.

Gains are solved on any source, with the flux density that the list gives it. They are on the scale of Perley and Butler
(2017, ApJS 230, 7) if that source is one of theirs, steady, and within 0.7 deg of the beam's centre. Otherwise the flux
densities that reference sources of the strip have with these gains say by how much the gains are off.
"""

from __future__ import annotations

from dataclasses import replace
from math import hypot, radians, sin, sqrt
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dsa110_contimg.calibration.steadiness import is_flux_standard, steadiness
from dsa110_contimg.catalogue.spectra import REFERENCE_HZ
from dsa110_contimg.telescope.beams import AiryBeam, TaperedBeam
from dsa110_contimg.telescope.spread import robust_sigma

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from dsa110_contimg.calibration.solutions import Solutions
    from dsa110_contimg.catalogue.candidates import Candidate

STANDARD_OFFSET_DEG = 0.7
"""A standard further from the beam's centre gives no scale: the beam is not known well enough there."""
STANDARD_ERROR = 0.03
"""Of Perley and Butler's scale itself (2017, abstract: 3-5%, limited by the primary standards)."""
ENSEMBLE_ERROR = 0.10
"""What a scale from an ensemble may be off by before any is measured, for choosing calibrators."""
FEWEST_SOURCES = 5
"""An ensemble of fewer gives no scale."""
_CLIP_SIGMA = 3.0
# Survey catalogues at 1.4 GHz agree with each other to this (NVSS, Condon et al. 1998, AJ 115, 1693: 3%).
_CATALOGUE_ERROR = 0.03
# Scatter of one source's ratio that is not noise: variability, structure, the beam.
_LEAST_SCATTER = 0.02


class FluxScale(NamedTuple):
    """What the scale of a set rests on.

    Attributes
    ----------
    kind : {"standard", "ensemble", "carried", "assumed"}
        A standard source; an ensemble of reference sources; another set of the day; or the list's value for the
        calibrator alone.
    factor : float
        Flux densities measured with the gains as they were solved, over true ones.
    error : float
        Relative error of flux densities once the gains are corrected by it.
    n_sources : int
        How many sources it rests on.
    text : str
        The same in words, for histories.
    """

    kind: Literal["standard", "ensemble", "carried", "assumed"]
    factor: float
    error: float
    n_sources: int
    text: str

    def as_json(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return self._asdict()


def beam_error(offset_deg: float) -> float:
    """Relative difference of the two beams that the dishes may have at a distance from the centre, at 1.4 GHz."""
    at = sin(radians(offset_deg))
    airy, tapered = (float(beam.power(0.0, at, REFERENCE_HZ)) for beam in (AiryBeam(), TaperedBeam()))
    return abs(tapered - airy) / max(airy, tapered)


def scale_from_calibrator(candidate: Candidate) -> FluxScale:
    """Say what scale a set has that was solved on this source with the spectrum of the list.

    Returns
    -------
    FluxScale
        Of the kind "standard", or else "assumed"; its factor is 1.
    """
    source, offset_deg = candidate.calibrator, abs(candidate.offset_deg)
    held, beam = steadiness(source), beam_error(offset_deg)
    where = f"{source.label}, {offset_deg:.2f} deg from the beam's centre, where beams differ by {100 * beam:.1f}%"
    if is_flux_standard(source) and offset_deg <= STANDARD_OFFSET_DEG:
        error = sqrt(STANDARD_ERROR**2 + held.error**2 + beam**2)
        text = f"flux scale of {source.spectrum.origin} by {where}: to {100 * error:.1f}%"
        return FluxScale("standard", 1.0, error, 1, text)
    error = hypot(held.error, beam)
    why = "" if is_flux_standard(source) else f" ({held.name})"
    text = f"flux scale assumed, {source.spectrum.origin}{why}, by {where}: to {100 * error:.1f}%"
    return FluxScale("assumed", 1.0, error, 1, text)


def scale_from_ensemble(measured_jy: ArrayLike, true_jy: ArrayLike, error_jy: ArrayLike) -> FluxScale | None:
    """Compare reference sources with their catalogue: a weighted median of the ratios, outliers left out.

    Parameters
    ----------
    measured_jy, error_jy : (S,) array_like
        Flux densities at 1.4 GHz with the set's gains, corrected for the beam, and their noise [Jy].
    true_jy : (S,) array_like
        The catalogue's [Jy].

    Returns
    -------
    FluxScale or None
        None: there are fewer than `FEWEST_SOURCES`.
    """
    measured, true, error = (np.asarray(values, np.float64) for values in (measured_jy, true_jy, error_jy))
    fine = (measured > 0) & (true > 0) & np.isfinite(measured * true * error)
    log_ratio, sigma = np.log(measured[fine] / true[fine]), np.hypot(error[fine] / measured[fine], _LEAST_SCATTER)
    keep = np.ones(log_ratio.size, bool)
    for _ in range(10):
        if keep.sum() < FEWEST_SOURCES:
            return None
        middle = _weighted_median(log_ratio[keep], sigma[keep] ** -2)
        pulls = (log_ratio - middle) / sigma
        width = max(1.0, robust_sigma(pulls[keep], 0.0))
        kept = abs(pulls) <= _CLIP_SIGMA * width
        if np.array_equal(kept, keep):
            break
        keep = kept
    n = int(keep.sum())
    # The error of a median is 1.253 that of a mean.
    own = 1.253 * width / sqrt(float(np.sum(sigma[keep] ** -2)))
    total, factor = hypot(own, _CATALOGUE_ERROR), float(np.exp(middle))
    text = (
        f"flux scale by {n} reference sources ({fine.sum() - n} outliers left out): measured over catalogue "
        f"{factor:.3f} to {100 * own:.1f}%, with the catalogue's own to {100 * total:.1f}%"
    )
    return FluxScale("ensemble", factor, total, n, text)


def rescaled(gains: Solutions, scale: FluxScale) -> Solutions:
    """Bring G to a scale, which its facts and history then state.

    V = g g* M: flux densities too high by a factor mean gains too low by its root.
    """
    factor = sqrt(scale.factor)
    return replace(
        gains,
        values=gains.values * factor,
        error=(gains.error * factor).astype(np.float32),
        history=(*gains.history, scale.text),
        facts=gains.facts | {"flux_scale": scale.as_json()},
    )


class FluxFit:
    """Flux densities of some sources at once, from calibrated visibilities, by linear least squares.

    V = sum_s f_s M_s, where M_s are the visibilities that source s would have through the beam, were the catalogue
    right: f_s is then measured over catalogue. Normal equations are added up block by block.
    """

    def __init__(self, n_sources: int) -> None:
        self._normal = np.zeros((n_sources, n_sources))
        self._right = np.zeros(n_sources)
        self._square = 0.0
        self._n = 0

    def add(
        self, visibilities: NDArray[np.complexfloating], weights: ArrayLike, models: Sequence[NDArray[Any]]
    ) -> None:
        """Add a block; weights are 1/sigma^2 of a real part, 0 where flagged [1/Jy^2], and broadcast."""
        every = np.broadcast_to(np.asarray(weights, np.float64), visibilities.shape)
        self._square += float(np.sum(every * abs(visibilities) ** 2))
        self._n += 2 * int(np.count_nonzero(every))
        weighted = [every * np.conj(model) for model in models]
        for s, row in enumerate(weighted):
            self._right[s] += float(np.sum((row * visibilities).real))
            for t, model in enumerate(models[: s + 1]):
                value = float(np.sum((row * model).real))
                self._normal[s, t] = self._normal[t, s] = self._normal[s, t] + value

    def solve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give f_s and their errors, each (S,); not numbers for sources that no visibility speaks of."""
        seen = np.diag(self._normal) > 0
        ratio, error = np.full((2, seen.size), np.nan)
        if seen.any():
            covariance = np.linalg.inv(self._normal[np.ix_(seen, seen)])
            ratio[seen] = covariance @ self._right[seen]
            error[seen] = np.sqrt(np.diag(covariance))
        return ratio, error

    @property
    def reduced_chi2(self) -> float:
        """Mean square of what the sources do not explain, over what the weights say; 1 if weights are 1/sigma^2."""
        ratio, _ = self.solve()
        explained = float(np.nansum(ratio * self._right))
        return max(0.0, self._square - explained) / max(1, self._n - ratio.size)


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(0.5 * weights.sum(), below, values[order]))
