"""How wrong a flux may be because the primary beam is not known better.

Of a fitted beam it follows from the covariance of its parameters. A beam that was not fitted may be anywhere between an
evenly lit dish and a tapered one (`telescope.beams`); it counts as wrong by half their difference, at each place with
its sign. In a mosaic errors of its images have signs, too: one that is too far east errs one way while a source rises,
and the other way as it sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.photometry.beam_samples import Track, model_of, track
from dsa110_contimg.telescope.beams import AiryBeam, TaperedBeam
from dsa110_contimg.telescope.fitted_beams import FittedBeam, shaped_power

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.telescope.beams import BeamModel

# Nothing is worse than not to know the flux at all.
_MOST = 1.0
# Where the beam is below this, it is not known.
_LEAST_POWER = 1e-3
# Steps of the derivatives: of logarithms, and of degrees.
_STEPS = np.array([1e-3, 1e-3, 1e-3, 1e-2, 1e-2])


def beam_error(
    headers: Sequence[ImageHeader], ra_deg: ArrayLike, dec_deg: ArrayLike, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Relative error of the flux densities of sources from that of the primary beam.

    Parameters
    ----------
    headers : sequence of ImageHeader
        Of the image that they are measured on; of a mosaic, those of all images in it.
    ra_deg, dec_deg : (S,) array_like
        Positions, ICRS [deg].
    weights : (I,) array_like, optional
        1 / sigma^2 of the images of a mosaic; what they have of the beam is worked out here. Not given: equal.

    Returns
    -------
    (S,) float64
        One standard deviation; at most 1.

    Raises
    ------
    UsageError
        The file of a beam is not there any more.
    """
    ra, dec = np.atleast_1d(np.asarray(ra_deg, np.float64)), np.atleast_1d(np.asarray(dec_deg, np.float64))
    of_images = np.ones(len(headers)) if weights is None else np.asarray(weights, np.float64)
    total = np.zeros(ra.size)
    # Beams with the same description are one, with the same errors.
    models: dict[str, BeamModel] = {}
    sums: dict[str, NDArray[np.float64]] = {}
    for header, weight in zip(headers, of_images, strict=True):
        model = model_of(header)
        name = models.setdefault(model.description, model).description
        power, response = beam_response(model, track(header, ra, dec))
        share = weight * np.where(power > _LEAST_POWER, power, 0.0) ** 2
        total += share
        sums[name] = sums.get(name, 0.0) + share[:, None] * response
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = sum(_variance(models[name], moved / total[:, None]) for name, moved in sums.items())
    error = np.sqrt(np.asarray(variance, np.float64))
    return np.where(total > 0.0, np.minimum(error, _MOST), _MOST)


def beam_response(model: BeamModel, ways: Track) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the mean power along the ways of R sources, and how its logarithm goes with what is not known of it.

    Parameters
    ----------
    model : BeamModel
        The beam.
    ways : Track
        R sources in an image.

    Returns
    -------
    power : (R,) float64
        Mean power.
    response : (R, K) float64
        Derivatives by the K parameters of a fitted beam; of another, half of what parts the two models.
    """
    power = ways.mean_power(model.power)
    floor = np.maximum(power, _LEAST_POWER)
    if not isinstance(model, FittedBeam):
        apart = ways.mean_power(TaperedBeam().power) - ways.mean_power(AiryBeam().power)
        return power, (apart / 2.0 / floor)[:, None]
    columns = []
    for band in range(len(model.bands)):
        for step in _STEPS[:, None] * np.eye(len(_STEPS)):
            ends = [ways.mean_power(_Moved(model, band, sign * step).power) for sign in (1.0, -1.0)]
            columns.append((ends[0] - ends[1]) / (2.0 * step.sum()) / floor)
    return power, np.stack(columns, axis=-1)


class _Moved:
    """A fitted beam of which the shape of one band is a little different."""

    def __init__(self, beam: FittedBeam, band: int, step: NDArray[np.float64]) -> None:
        self._beam, self._shapes = beam, beam.shapes.copy()
        self._shapes[band] += step

    def power(self, x: ArrayLike, y: ArrayLike, freq_hz: ArrayLike) -> NDArray[np.float64]:
        """Power relative to the axis."""
        return shaped_power(self._beam.base, self._beam.share(freq_hz) @ self._shapes, x, y, freq_hz)


def _variance(model: BeamModel, response: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance (S,) of the logarithm of fluxes of which the response to parameters (S, K) is known."""
    covariance = model.covariance if isinstance(model, FittedBeam) else np.eye(1)
    return np.asarray(np.einsum("sj,jk,sk->s", response, covariance, response))
