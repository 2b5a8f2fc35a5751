"""How the places and fluxes of an image compare with those of a reference catalogue.

The ionosphere moves the whole image, and calibration scales it; both are small and the same for all sources, so they
are the weighted means over many, with those that disagree losing weight (bisquare, as in J. W. Tukey's M-estimator).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.matching import SkyIndex, match
from dsa110_contimg.catalogue.spectra import REFERENCE_HZ
from dsa110_contimg.catalogue.strips import reference_around
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.telescope.spread import robust_sigma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.catalogue.tables import Reference
    from dsa110_contimg.config.settings import CatalogueSettings
    from dsa110_contimg.photometry.sources import Sources

log = logging.getLogger(__name__)

# Sources so much above the noise, and references so near to it in flux, are compared.
_LEAST_SNR = 7.0
_MOST_RATIO = 5.0
# A neighbour of a matched reference within so many beams, with more than this part of its flux, confuses it.
_LONELY_BEAMS = 1.5
_CONFUSING = 0.1
_TUKEY = 4.685
_ROUNDS = 30


class Estimate(NamedTuple):
    """A mean, its error, and the scatter about it (one standard deviation, robust)."""

    value: float
    error: float
    scatter: float


class Ties(NamedTuple):
    """Image against reference; not a number where nothing matches.

    Attributes
    ----------
    n : int
        Sources that were compared.
    d_ra_arcsec, d_dec_arcsec : float
        How far east and north, on the sky, the image has its sources of where the reference has them [arcsec].
    flux_ratio : float
        Flux densities of the image over those of the reference, brought to its frequency.
    e_d_ra_arcsec, e_d_dec_arcsec, e_flux_ratio : float
        Errors of these.
    scatter_ra_arcsec, scatter_dec_arcsec, scatter_flux : float
        How single sources scatter about them (one standard deviation, robust); of fluxes, relative.
    n_reference : int
        Reference sources in the field that the image could show.
    reference : str
        What it was compared with.
    radius_arcsec : float
        How near a source had to be.
    """

    n: int
    d_ra_arcsec: float
    d_dec_arcsec: float
    flux_ratio: float
    e_d_ra_arcsec: float
    e_d_dec_arcsec: float
    e_flux_ratio: float
    scatter_ra_arcsec: float
    scatter_dec_arcsec: float
    scatter_flux: float
    n_reference: int
    reference: str
    radius_arcsec: float

    def as_json(self) -> dict[str, Any]:
        """Give plain values; not a number is null."""
        return {name: None if value != value else value for name, value in self._asdict().items()}  # noqa: PLR0124


def ties_of(sources: Sources, settings: CatalogueSettings) -> Ties | None:
    """Compare a catalogue of an image with the reference that is set; None if none is.

    Raises
    ------
    UsageError
        The reference cannot be read, or has not got that part of the sky.
    """
    if settings.reference is None:
        return None
    about = sources.meta
    place = (about["ra_deg"], about["dec_deg"], about["radius_deg"])
    reference = reference_around(settings.reference, settings.directory, *place)
    ties = measure_ties(sources, reference, settings.match_arcsec)
    log.info(
        '%d of %d sources of %s: offset %+.2f" +- %.2f", %+.2f" +- %.2f", flux ratio %.3f +- %.3f',
        *(ties.n, ties.n_reference, ties.reference, ties.d_ra_arcsec, ties.e_d_ra_arcsec, ties.d_dec_arcsec),
        *(ties.e_d_dec_arcsec, ties.flux_ratio, ties.e_flux_ratio),
    )
    return ties


def measure_ties(sources: Sources, reference: Reference, radius_arcsec: float | None = None) -> Ties:
    """Compare a catalogue of an image with a reference.

    Points above seven sigma are matched to the nearest reference source; a reference with another beside it that the
    beam does not part, and a flux more than five times off, say nothing and are left out.

    Parameters
    ----------
    sources : Sources
        Of an image.
    reference : Reference
        Sources of its field, and of more if need be.
    radius_arcsec : float, optional
        How near a source matches. Not given: half of the beam's major axis.

    Returns
    -------
    Ties
        Of no matches, and nothing but not a number, where there are none.
    """
    beam_arcsec = float(sources.meta["beam_arcsec"][0])
    radius = beam_arcsec / 2.0 if radius_arcsec is None else radius_arcsec
    frequency = float(sources.meta["freq_hz"])
    known = reference.sources
    flux = known.flux_jy * (frequency / REFERENCE_HZ) ** known.alpha
    usable = (values(sources, "snr") >= _LEAST_SNR) & ~values(sources, "resolved")
    picked = np.flatnonzero(usable)
    n_reference = _could_be_seen(sources, reference, flux)
    if not picked.size or not len(flux):
        return _no_ties(n_reference, reference.origin, radius)
    ra, dec = values(sources, "ra")[picked], values(sources, "dec")[picked]
    pairs = match(ra, dec, known.ra_deg, known.dec_deg, radius)
    ours, theirs = picked[pairs.first], pairs.second
    ratio = values(sources, "flux")[ours] / flux[theirs]
    good = (abs(np.log(ratio)) < np.log(_MOST_RATIO)) & _lonely(reference, flux, theirs, _LONELY_BEAMS * beam_arcsec)
    ours, theirs, ratio = ours[good], theirs[good], ratio[good]
    if not ours.size:
        return _no_ties(n_reference, reference.origin, radius)

    # What is common to all of a source's error, calibration, is what is being measured.
    own = float(sources.meta.get("position_error_arcsec", 0.0))
    scale = float(sources.meta.get("flux_error", 0.0))
    east = (values(sources, "ra")[ours] - known.ra_deg[theirs] + 180.0) % 360.0 - 180.0
    east *= np.cos(np.radians(known.dec_deg[theirs])) * 3600.0
    north = (values(sources, "dec")[ours] - known.dec_deg[theirs]) * 3600.0
    relative = np.sqrt(
        np.clip((values(sources, "e_flux")[ours] / values(sources, "flux")[ours]) ** 2 - scale**2, 0, None)
    )
    relative = np.hypot(relative, reference.e_flux_jy[theirs] / known.flux_jy[theirs])
    east_mean = robust_mean(east, np.hypot(_without(values(sources, "e_ra")[ours], own), reference.e_ra_arcsec[theirs]))
    north_mean = robust_mean(
        north, np.hypot(_without(values(sources, "e_dec")[ours], own), reference.e_dec_arcsec[theirs])
    )
    logarithm = robust_mean(np.log(ratio), relative)
    mean_ratio = float(np.exp(logarithm.value))
    return Ties(
        n=len(ours),
        d_ra_arcsec=east_mean.value,
        d_dec_arcsec=north_mean.value,
        flux_ratio=mean_ratio,
        e_d_ra_arcsec=east_mean.error,
        e_d_dec_arcsec=north_mean.error,
        e_flux_ratio=mean_ratio * logarithm.error,
        scatter_ra_arcsec=east_mean.scatter,
        scatter_dec_arcsec=north_mean.scatter,
        scatter_flux=logarithm.scatter,
        n_reference=n_reference,
        reference=reference.origin,
        radius_arcsec=radius,
    )


def robust_mean(numbers: NDArray[np.float64], errors: NDArray[np.float64]) -> Estimate:
    """Give the mean of numbers with errors, in which those far off lose their weight.

    Parameters
    ----------
    numbers, errors : (N,) ndarray
        Values and their standard deviations. What they scatter beyond these is taken to be the same for all.

    Returns
    -------
    Estimate
        Not a number for no numbers; of one, its error is its own.
    """
    if not numbers.size:
        return Estimate(np.nan, np.nan, np.nan)
    centre = float(np.median(numbers))
    scatter = robust_sigma(numbers, centre)
    # Errors alone would let a few bright sources outvote what all share: neighbours, the ionosphere's waves.
    extra = np.sqrt(max(scatter**2 - float(np.median(errors)) ** 2, 0.0))
    sigma = np.maximum(np.hypot(errors, extra), 1e-12 + 1e-9 * abs(centre))
    weight = 1.0 / sigma**2
    kept = weight
    for _ in range(_ROUNDS):
        pull = (numbers - centre) / (_TUKEY * sigma)
        kept = weight * np.where(abs(pull) < 1.0, (1.0 - pull**2) ** 2, 0.0)
        if not kept.sum() > 0.0:
            kept = weight
        before, centre = centre, float(np.average(numbers, weights=kept))
        if abs(centre - before) < 1e-6 * float(np.min(sigma)):
            break
    spread = robust_sigma(numbers, centre) if numbers.size > 1 else float(sigma[0])
    return Estimate(centre, float(np.sqrt(np.sum((kept * sigma) ** 2)) / kept.sum()), spread)


def _without(errors: NDArray[np.float64], own: float) -> NDArray[np.float64]:
    return np.sqrt(np.clip(errors**2 - own**2, 0.0, None))


def _lonely(
    reference: Reference, flux: NDArray[np.float64], index: NDArray[np.int64], radius_arcsec: float
) -> NDArray[np.bool_]:
    """Whether reference sources have no neighbour that a beam would add to them."""
    sky = SkyIndex(reference.sources.ra_deg, reference.sources.dec_deg)
    lonely = np.ones(len(index), bool)
    for at, one in enumerate(index):
        around = sky.within(reference.sources.ra_deg[one], reference.sources.dec_deg[one], radius_arcsec / 3600.0)
        lonely[at] = flux[around].sum() < (1.0 + _CONFUSING) * flux[one]
    return lonely


def _could_be_seen(sources: Sources, reference: Reference, flux: NDArray[np.float64]) -> int:
    """Reference sources as near to a source of the image as any, and as bright as its fainter ones are."""
    if not len(sources) or not len(flux):
        return 0
    ra, dec = values(sources, "ra"), values(sources, "dec")
    field = SkyIndex(ra, dec)
    nearest, apart = field.nearest(reference.sources.ra_deg, reference.sources.dec_deg)
    usual = 3.0 * float(np.median(field.nearest(ra, dec, neighbour=2)[1])) if len(ra) > 1 else np.inf
    least = _LEAST_SNR * values(sources, "rms") / values(sources, "pb")
    return int(np.count_nonzero((apart < usual) & (flux > least[nearest])))


def _no_ties(n_reference: int, origin: str, radius: float) -> Ties:
    none = float("nan")
    return Ties(0, none, none, none, none, none, none, none, none, none, n_reference, origin, radius)
