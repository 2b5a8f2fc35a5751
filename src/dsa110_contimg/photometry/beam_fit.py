"""The primary beam that explains best how bright sources were as they crossed it.

What is seen of source s in image i is F_s exp(u_s + g_i + k) P(theta), with the power P averaged along the way of the
source. Solved for, in each band by itself, are the shape theta (`telescope.fitted_beams.Shape`), a scale k, the scale
g_i of each image (as far as calibration may err), and the departure u_s of each source from its flux in the catalogue
(as far as catalogues err, which is found out); a source without one has any flux. Gauss-Newton steps, in which the
sources are eliminated first (the normal matrix is diagonal in them), with weights after Huber for measurements and for
catalogue fluxes, so that a variable source or a bad image does not move the beam.

The covariance is that of independent sources, each with all its measurements in both bands (a "sandwich", clustered by
source: Huber 1967; Liang & Zeger 1986, Biometrika 73, 13), and no less than what the weights promise.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.errors import BeamFitError
from dsa110_contimg.photometry.beam_solver import PRIOR, BandSolver, huber_weights
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.fitted_beams import N_SHAPE, FittedBeam, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.photometry.beam_crossings import BeamData, Crossings
    from dsa110_contimg.telescope.beams import BeamModel

log = logging.getLogger(__name__)

# A parameter counts as measured if its error is less than this part of what was thought.
_MEASURED = 0.5
_FEWEST_SOURCES = 5


class BandFit(NamedTuple):
    """A beam in one band; S sources, I images, N measurements.

    Attributes
    ----------
    band : str
        ``full``, ``lower`` or ``upper``.
    freq_hz : float
        Its frequency [Hz].
    shape : (5,) float64
        `Shape`.
    covariance : (5, 5) float64
        Of it.
    influence : (5, S) float64
        How far each source has moved it.
    flux_jy : (S,) float64
        Flux densities as fitted [Jy].
    image_scale : (I,) float64
        Factors of the images.
    power : (N,) float64
        Power that each measurement says, and
    e_power : (N,) float64
        its error;
    fitted_power : (N,) float64
        what the fit says.
    weight : (N,) float64
        From 1 down to 0 for those that do not fit.
    departure : float
        Scatter of catalogue fluxes; NaN if there are none.
    fraction : float
        Scatter of measurements beyond their noise.
    cost : float
        Half of what chi-square would be if all weights were 1.
    """

    band: str
    freq_hz: float
    shape: NDArray[np.float64]
    covariance: NDArray[np.float64]
    influence: NDArray[np.float64]
    flux_jy: NDArray[np.float64]
    image_scale: NDArray[np.float64]
    power: NDArray[np.float64]
    e_power: NDArray[np.float64]
    fitted_power: NDArray[np.float64]
    weight: NDArray[np.float64]
    departure: float
    fraction: float
    cost: float


class BeamFit(NamedTuple):
    """A beam, fitted.

    Attributes
    ----------
    bands : tuple of BandFit
        As in the data.
    covariance : (5 B, 5 B) float64
        Of the shapes of all bands.
    base : str
        Name of the model that is shaped.
    """

    bands: tuple[BandFit, ...]
    covariance: NDArray[np.float64]
    base: str

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which parameters (B, 5) the data say something of."""
        errors = np.sqrt(np.diag(self.covariance)).reshape(-1, N_SHAPE)
        return np.asarray(errors < _MEASURED * PRIOR)

    @property
    def mean(self) -> tuple[Shape, Shape]:
        """Shape in the middle of the band, and its errors."""
        n = len(self.bands)
        over = np.tile(np.eye(N_SHAPE) / n, (1, n))
        return (
            Shape(*np.mean([one.shape for one in self.bands], axis=0).tolist()),
            Shape(*np.sqrt(np.diag(over @ self.covariance @ over.T)).tolist()),
        )

    @property
    def squint(self) -> tuple[Shape, Shape] | None:
        """Shape in the upper half less that in the lower, and its errors; None of the whole band."""
        if len(self.bands) == 1:
            return None
        less = np.hstack([-np.eye(N_SHAPE), np.eye(N_SHAPE)])
        return (
            Shape(*(self.bands[1].shape - self.bands[0].shape).tolist()),
            Shape(*np.sqrt(np.diag(less @ self.covariance @ less.T)).tolist()),
        )

    @property
    def cost(self) -> float:
        """Of all bands together."""
        return sum(one.cost for one in self.bands)


def fit_beam(data: BeamData, base: str | None = None) -> BeamFit:
    """Fit the shape of a beam to what sources did in it.

    Parameters
    ----------
    data : BeamData
        What was measured.
    base : str, optional
        Name of the model that is shaped. Not given: the one that the images were made with (of a fitted one, its base).

    Raises
    ------
    BeamFitError
        There are too few sources.
    """
    if len(data.source_id) < _FEWEST_SOURCES:
        raise BeamFitError(
            f"{len(data.source_id)} sources are too few to fit a beam to", remedy="Take more groups of the strip."
        )
    name = base_name(data.model) if base is None else base
    model = beam_model(name)
    if isinstance(model, FittedBeam):
        raise BeamFitError("a fitted beam cannot be the base of another", remedy=f"Take its own: {model.base_name}.")
    bands = tuple(_fit_band(crossings, model, len(data.groups)) for crossings in data.bands)
    influence = np.concatenate([one.influence for one in bands])
    covariance = influence @ influence.T
    # Between the bands as their sources are, within them as they were found.
    for k, one in enumerate(bands):
        here = slice(k * N_SHAPE, (k + 1) * N_SHAPE)
        more = np.sqrt(np.diag(one.covariance) / np.diag(covariance)[here])
        covariance[here] *= more[:, None]
        covariance[:, here] *= more
        covariance[here, here] = one.covariance
    return BeamFit(bands, _definite(covariance), name)


def base_name(model: str) -> str:
    """Name the base of a beam: itself, unless it was fitted."""
    beam = beam_model(model)
    return beam.base_name if isinstance(beam, FittedBeam) else model


def fitted_beam(fit: BeamFit, version: str, facts: dict[str, object]) -> FittedBeam:
    """Make a beam of a fit."""
    return FittedBeam(
        version,
        beam_model(fit.base),
        fit.base,
        tuple(one.band for one in fit.bands),
        np.array([one.freq_hz for one in fit.bands]),
        np.array([one.shape for one in fit.bands]),
        fit.covariance,
        facts,
    )


def _fit_band(data: Crossings, model: BeamModel, n_images: int) -> BandFit:
    band = BandSolver(data, model, n_images)
    equations = band.solve()
    inverse, state = equations.inverse, band.state
    n_used = max(int(np.count_nonzero(band.present)), N_SHAPE + 1)
    influence = (inverse @ equations.scores)[:N_SHAPE] * np.sqrt(n_used / (n_used - N_SHAPE))
    promised = inverse[:N_SHAPE, :N_SHAPE]
    covariance = influence @ influence.T
    more = np.sqrt(np.maximum(1.0, np.diag(promised) / np.diag(covariance)))
    covariance = covariance * np.outer(more, more)
    power, flux = band.power(state.theta), band.flux(state)
    errors = band.errors(flux * power)
    residual = (data.apparent_jy - flux * power) / errors
    log.info(
        "%s: %d measurements of %d sources in %d images; catalogue fluxes scatter by %.1f%%, measurements by %.1f%%",
        *(data.band, len(power), n_used, n_images, 100 * band.departure, 100 * band.fraction),
    )
    return BandFit(
        data.band,
        data.freq_hz,
        state.theta,
        covariance,
        influence,
        band.flux_jy * np.exp(state.sources),
        np.exp(state.images),
        data.apparent_jy / flux / data.exactness,
        errors / flux / data.exactness,
        power / data.exactness,
        huber_weights(residual),
        band.departure if band.known.any() else np.nan,
        band.fraction,
        band.cost(state, errors),
    )


def _definite(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take off what rounding and patching have made negative."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    return np.asarray((vectors * np.maximum(values, 1e-12 * values.max())) @ vectors.T)
