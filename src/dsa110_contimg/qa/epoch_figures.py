"""What tells how good an epoch is: its mosaic's noise, and its sources against the strip's list."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.matching import unit_vectors
from dsa110_contimg.catalogue.spectra import DEFAULT_ALPHA
from dsa110_contimg.mosaic.plane import Plane
from dsa110_contimg.photometry.association import Relation
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.photometry.ties import Estimate, robust_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.photometry.association import Association, Offset
    from dsa110_contimg.photometry.reference import ReferenceList
    from dsa110_contimg.photometry.sources import Sources
    from dsa110_contimg.photometry.ties import Ties

# A listed source that is so many times above the noise should be found, were it as bright as the list says.
_EXPECTED_SIGMA = 8.0
# Sources so much above the noise are compared in flux.
_COMPARED_SIGMA = 7.0
_EDGE_BEAMS = 2.0
# The noise is judged where it is at most so many times the least: a strip's middle, not its edges.
_MIDDLE = 2.0


class EpochFigures(NamedTuple):
    """What is known of an epoch.

    Attributes
    ----------
    n_images, n_left_out : int
        Images that were joined, and bad ones that were not.
    rms_jy, predicted_rms_jy : float
        Noise of the mosaic's middle, as measured and as the images' predict it [Jy/beam].
    flux_ratio : Estimate
        Flux densities found over those of the list; NaN where nothing can be compared.
    n_compared : int
        Sources that it is from.
    n_expected, n_missing : int
        Sources of the list that should stand out, and how many of them were not found.
    offset : Offset
        Of the places found.
    beam_arcsec : float
        Major axis of the beam.
    ties : Ties or None
        Against the reference catalogue, if one is set.
    """

    n_images: int
    n_left_out: int
    rms_jy: float
    predicted_rms_jy: float
    flux_ratio: Estimate
    n_compared: int
    n_expected: int
    n_missing: int
    offset: Offset
    beam_arcsec: float
    ties: Ties | None

    @property
    def missing(self) -> float:
        """Part of the expected sources that was not found; NaN if none was expected."""
        return self.n_missing / self.n_expected if self.n_expected else float("nan")


def middle_noise(rms: NDArray[np.floating], predicted: NDArray[np.floating]) -> tuple[float, float]:
    """Noise of the middle of a mosaic, where images overlap: medians of what was measured, and what was predicted.

    Parameters
    ----------
    rms, predicted : (n_dec, n_ra) ndarray
        Noise of each pixel [Jy/beam]; NaN where there is no sky.

    Returns
    -------
    float, float
        NaN for a mosaic of nothing.
    """
    there = np.isfinite(predicted) & (predicted > 0)
    if not there.any():
        return float("nan"), float("nan")
    middle = there & (predicted <= _MIDDLE * np.min(predicted[there]))
    return float(np.median(rms[middle])), float(np.median(predicted[middle]))


def flux_ratio_to(sources: Sources, listed: ReferenceList, who: Association) -> tuple[Estimate, int]:
    """Compare flux densities of points that were found, each as one of the list, with those that the list has.

    Parameters
    ----------
    sources : Sources
        What was found.
    listed : ReferenceList
        What it was associated with.
    who : Association
        Of the two.

    Returns
    -------
    Estimate, int
        Robust mean of the ratio, and of how many sources. The error of calibration, which all share, is not in it.
    """
    alone = np.array([relation is Relation.ONE_TO_ONE for relation in who.relation], bool)
    ours = np.flatnonzero(alone & (values(sources, "snr") >= _COMPARED_SIGMA) & ~values(sources, "resolved"))
    theirs = who.listed[ours]
    flux = _listed_flux(listed, float(sources.meta["freq_hz"]))[theirs]
    with np.errstate(invalid="ignore"):
        usable = (flux > 0) & (listed.major_arcsec[theirs] == 0)
    ours, theirs, flux = ours[usable], theirs[usable], flux[usable]
    found = values(sources, "flux")[ours]
    own = float(sources.meta.get("flux_error", 0.0))
    error = np.sqrt(np.clip((values(sources, "e_flux")[ours] / found) ** 2 - own**2, 0, None))
    known = listed.e_flux_jy[theirs] / listed.flux_jy[theirs]
    error = np.hypot(error, np.where(np.isfinite(known), np.sqrt(np.clip(known**2 - own**2, 0, None)), 0.0))
    mean = robust_mean(np.log(found / flux), error)
    ratio = float(np.exp(mean.value))
    return Estimate(ratio, ratio * mean.error, mean.scatter), len(ours)


def missing_of(
    listed: ReferenceList, who: Association, header: ImageHeader, rms: NDArray[np.floating]
) -> tuple[int, int]:
    """Count the listed sources that should stand out of a mosaic, and those of them that were not found.

    Parameters
    ----------
    listed : ReferenceList
        What is measured of the strip.
    who : Association
        Of what was found with it.
    header : ImageHeader
        Of the mosaic.
    rms : (n_dec, n_ra) ndarray
        Its noise [Jy/beam]; NaN where there is no sky.

    Returns
    -------
    int, int
        Those nearer than two beams to the mosaic's edge do not count.
    """
    n_dec, n_ra = rms.shape
    plane = Plane(header.ra_deg, header.dec_deg, header.cell_deg, n_dec, n_ra)
    x, y = (
        plane.pixels(unit_vectors(listed.ra_deg, listed.dec_deg)) if len(listed.ra_deg) else (np.zeros(0), np.zeros(0))
    )
    reach = int(np.ceil(_EDGE_BEAMS * header.beam.major_deg / header.cell_deg))
    found = {int(one) for one in who.listed if one >= 0} | {one for some in who.rivals for one in some}
    flux = _listed_flux(listed, header.freq_hz)
    n_expected = n_missing = 0
    for one in np.flatnonzero(np.isfinite(x)).tolist():
        row, column = round(float(y[one])), round(float(x[one]))
        if not (reach <= row < n_dec - reach and reach <= column < n_ra - reach):
            continue
        around = rms[row - reach : row + reach + 1 : reach, column - reach : column + reach + 1 : reach]
        if not np.isfinite(around).all() or not flux[one] >= _EXPECTED_SIGMA * float(rms[row, column]):
            continue
        n_expected += 1
        n_missing += one not in found
    return n_expected, n_missing


def _listed_flux(listed: ReferenceList, freq_hz: float) -> NDArray[np.float64]:
    """Flux densities of the list at a frequency [Jy]; NaN where it has none."""
    alpha = np.where(np.isnan(listed.alpha), DEFAULT_ALPHA, listed.alpha)
    at = np.where(np.isnan(listed.freq_hz), freq_hz, listed.freq_hz)
    return np.asarray(listed.flux_jy * (freq_hz / at) ** alpha)
