"""Gaussians put together to sources: noise left out, fluxes added, places and shapes by their moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.photometry.errors import fit_errors
from dsa110_contimg.photometry.fitting import Gaussians
from dsa110_contimg.photometry.shapes import area, shape_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.photometry.fitting import PixelBeam

_EIGHT_LN_2 = 8.0 * np.log(2.0)


class Merged(NamedTuple):
    """Sources as an image has them, each (S,).

    Attributes
    ----------
    x, y : float64
        Centres, weighted by flux [pixels].
    peak, flux : float64
        Brightness at the brightest centre [Jy/beam], and flux density [Jy].
    e_flux_over_rms : float64
        Error of the flux density over the noise [beams], those of the parts added in quadrature.
    shape : (S, 2, 2) float64
        Squared FWHM [pixels^2] in (east, north) of the image's plane, of the second moments.
    rms : float64
        Noise, as the finder had it [Jy/beam].
    island, n_gaussians : int64
        Number of the island, and of the Gaussians.
    fitted : bool
        Whether a Gaussian fits.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    peak: NDArray[np.float64]
    flux: NDArray[np.float64]
    e_flux_over_rms: NDArray[np.float64]
    shape: NDArray[np.float64]
    rms: NDArray[np.float64]
    island: NDArray[np.int64]
    n_gaussians: NDArray[np.int64]
    fitted: NDArray[np.bool_]


def significant(gaussians: Gaussians, beam: PixelBeam, peak_sigma: float) -> Gaussians:
    """Leave out what noise adds to an island.

    A bump of noise beside a source is in its island, and gets a Gaussian. One stays if its peak or its flux is above
    `peak_sigma` times its error, or if it is the brightest of its island.
    """
    shape, beam_shape = shape_of(gaussians.major, gaussians.minor, gaussians.pa_deg), shape_of(*beam)
    snr = gaussians.peak / gaussians.rms
    order = np.argsort(-snr, kind="stable")
    stays = np.zeros(len(snr), bool)
    stays[order[np.unique(gaussians.island[order], return_index=True)[1]]] = True
    stays |= snr > peak_sigma
    stays |= 1.0 / fit_errors(snr, shape, beam_shape).flux > peak_sigma
    return Gaussians(*(column[stays] for column in gaussians))


def merge(gaussians: Gaussians, beam: PixelBeam) -> Merged:
    """Put Gaussians of the same number of source together.

    Parameters
    ----------
    gaussians : Gaussians
        In pixels.
    beam : PixelBeam
        The beam that their fluxes are counted in.

    Returns
    -------
    Merged
        In the order of the numbers.
    """
    numbers, source = np.unique(gaussians.source, return_inverse=True)
    n = len(numbers)
    shape, beam_shape = shape_of(gaussians.major, gaussians.minor, gaussians.pa_deg), shape_of(*beam)
    beams = area(shape) / area(beam_shape)
    flux = gaussians.peak * beams
    e_flux = fit_errors(gaussians.peak / gaussians.rms, shape, beam_shape).flux * flux / gaussians.rms

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(source, values, minlength=n), np.float64)

    total = summed(flux)
    x, y = summed(flux * gaussians.x) / total, summed(flux * gaussians.y) / total
    # Offsets towards east and north, of which x is the opposite of the first.
    away = np.stack([x[source] - gaussians.x, gaussians.y - y[source]], axis=-1)
    moments = shape + _EIGHT_LN_2 * away[:, :, None] * away[:, None, :]
    combined = np.zeros((n, 2, 2))
    np.add.at(combined, source, flux[:, None, None] * moments)
    # Each of these is the same for all Gaussians of a source, or its brightest says it.
    first = np.unique(source, return_index=True)[1]
    return Merged(
        x=x,
        y=y,
        peak=_brightest(gaussians, shape, source, n),
        flux=total,
        e_flux_over_rms=np.sqrt(summed(e_flux**2)),
        shape=combined / total[:, None, None],
        rms=gaussians.rms[first],
        island=gaussians.island[first],
        n_gaussians=np.bincount(source, minlength=n),
        fitted=gaussians.fitted[first],
    )


def _brightest(
    gaussians: Gaussians, shape: NDArray[np.float64], source: NDArray[np.intp], n: int
) -> NDArray[np.float64]:
    """Brightness of all Gaussians of a source together, at that of their centres where it is most."""
    peak = np.zeros(n)
    for number in range(n):
        parts = np.flatnonzero(source == number)
        away = np.stack(
            [
                gaussians.x[parts][:, None] - gaussians.x[parts],
                gaussians.y[parts][None, :] - gaussians.y[parts][:, None],
            ],
            axis=-1,
        )
        exponent = np.einsum("abi,bij,abj->ab", away, np.linalg.inv(shape[parts]), away)
        peak[number] = np.max(np.exp(-_EIGHT_LN_2 / 2.0 * exponent) @ gaussians.peak[parts])
    return peak
