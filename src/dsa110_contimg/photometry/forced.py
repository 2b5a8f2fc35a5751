"""Forced photometry: the flux density at every place of a reference list, in one image.

A beam is fitted at each place, neighbours together; see `forced_fit`. Three errors are kept apart: that of the noise,
with its correlation as it is measured in the image; that of the primary beam; and that of the flux scale.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from scipy.ndimage import map_coordinates

from dsa110_contimg.errors import UsageError
from dsa110_contimg.images.fits import celestial_wcs
from dsa110_contimg.photometry.forced_beam import error_at
from dsa110_contimg.photometry.forced_fit import FWHM, apart, fit, link, threaded
from dsa110_contimg.photometry.forced_kernels import blank_within
from dsa110_contimg.photometry.forced_noise import correlation_width, noise_around, usual_noise
from dsa110_contimg.photometry.forced_offset import image_offset
from dsa110_contimg.photometry.measurements import COLUMNS, SCHEMA, Flag
from dsa110_contimg.photometry.shapes import shape_of
from dsa110_contimg.telescope.transits import SIDEREAL_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from dsa110_contimg.config.settings import PhotometrySettings
    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.photometry.forced_beam import BeamError
    from dsa110_contimg.photometry.forced_places import Reference

log = logging.getLogger(__name__)

# `Flag.EDGE`: so near to where the image ends, or the beam so faint.
_EDGE_BEAMS, _FAINT_BEAM = 2.0, 0.2
# `Flag.HIGH_RMS`: so many times the noise of the image.
_HIGH_RMS = 2.0
# `Flag.EXTENDED`: so wide, over the beam, that the flux of a point is 4 per cent low.
_EXTENDED = 0.3
_LIMIT_SIGMA = 3.0


class Planes(NamedTuple):
    """An image to be measured.

    Attributes
    ----------
    pixels : (n_dec, n_ra) float32
        Brightness [Jy/beam]; what is not finite is blank.
    header : ImageHeader
        Of the image.
    pb : (n_dec, n_ra) ndarray or None
        Power of the primary beam that the image is seen through. None: it is corrected for it, as a mosaic is.
    rms : (n_dec, n_ra) ndarray or None
        How the noise should be, as a mosaic's weights predict it: what is measured is the ratio to it. None: even.
    """

    pixels: NDArray[np.float32]
    header: ImageHeader
    pb: NDArray[np.floating] | None = None
    rms: NDArray[np.floating] | None = None


class About(NamedTuple):
    """What rows say of their image; see `measurements.COLUMNS`.

    Attributes
    ----------
    epoch, image, kind, band, beam_version : str
        As the columns.
    bad_image, bad_epoch : bool
        What was judged bad.
    offset_arcsec : (float, float)
        How far east and north of the reference the image has its sources [arcsec].
    """

    epoch: str
    image: str
    kind: str
    band: str = "full"
    beam_version: str = ""
    bad_image: bool = False
    bad_epoch: bool = False
    offset_arcsec: tuple[float, float] = (0.0, 0.0)


def measure(
    planes: Planes,
    reference: Reference,
    about: About,
    settings: PhotometrySettings,
    beam_error: BeamError | None = None,
) -> pa.Table:
    """Measure the flux density at every place of a reference list.

    Parameters
    ----------
    planes : Planes
        The image.
    reference : Reference
        The places. Those merged into another are left out, and so is the fainter of two that are within a tenth of a
        beam: the image cannot part them.
    about : About
        What the rows say of the image.
    settings : PhotometrySettings
        What is a detection, a blend, too far out; the error of the flux scale.
    beam_error : callable, optional
        Gives the relative error of fluxes at right ascensions and declinations [deg] by that of the primary beam. Not
        given: the beam is taken as known.

    Returns
    -------
    pyarrow.Table
        With the columns of `measurements.SCHEMA`, in the reference's order: a row for each source inside of the image
        whose pixel is not blank and where the primary beam is at least ``settings.least_beam``. There is no relative
        scale yet: it is 1, its error NaN, and `Flag.UNSCALED` is set.

    Raises
    ------
    UsageError
        The planes are not of one shape, or the image has no beam.
    """
    began = time.perf_counter()
    header, pixels = planes.header, planes.pixels
    for other in (planes.pb, planes.rms):
        if other is not None and other.shape != pixels.shape:
            raise UsageError(f"the image has {pixels.shape} pixels, and its noise or primary beam {other.shape}")
    if not header.beam.minor_deg > 0:
        raise UsageError("the image has no beam", remedy="Its header should have BMAJ, BMIN and BPA.")
    covariance = shape_of(*header.beam) / header.cell_deg**2 / FWHM**2
    covariance = covariance * np.array([[1.0, -1.0], [-1.0, 1.0]])  # columns run to the west
    form = np.linalg.inv(covariance)
    chunks = threaded(settings.n_workers)

    index, place = _inside(planes, reference, about.offset_arcsec)
    flux_jy = np.asarray(reference.flux_jy, np.float64)
    parted = apart(place, form, flux_jy[index])
    if not parted.all():
        log.info("%s: %d sources are too near to brighter ones", about.image, np.count_nonzero(~parted))
    index, place = index[parted], place[parted]

    beam_pixels = FWHM * float(np.linalg.det(covariance)) ** 0.25
    even = pixels if planes.rms is None else _over(pixels, planes.rms)
    factor, usual = noise_around(even, place, beam_pixels, chunks), usual_noise(even, beam_pixels, chunks)
    # Where nearly all around is blank, the image's noise has to do.
    factor = np.where(factor > 0, factor, usual)
    correlation = correlation_width(even, covariance)
    rms = factor if planes.rms is None else factor * _at(planes.rms, place, order=0)

    links = link(place, form, flux_jy[index], settings.blend_beams)
    neighbours = np.bincount(links.blend, minlength=1)[links.blend] - 1 if len(place) else np.zeros(0, np.int64)
    shapes = _squeezed(covariance, place, planes)
    found = fit(pixels, place, shapes, correlation, links, rms, chunks)
    if settings.align:
        lone = neighbours == 0
        moved = image_offset(pixels, place[lone], shapes[lone], found.peak[lone], rms[lone], chunks)
        if moved is not None:
            place = place + moved
            found = fit(pixels, place, shapes, correlation, links, rms, chunks)
            offset = moved * [-1.0, 1.0] * header.cell_deg * 3600.0
            log.info('%s, %s band: sources are %+.2f" east, %+.2f" north', about.image, about.band, *offset)
    pb = np.ones(len(place)) if planes.pb is None else _at(planes.pb, place, order=1)
    radius = _EDGE_BEAMS * FWHM * np.sqrt(np.linalg.eigvalsh(covariance)[1])
    edges = chunks(len(place), lambda first, last: blank_within(pixels, place, radius, first, last))
    beam_arcsec = 3600.0 * np.sqrt(header.beam.major_deg * header.beam.minor_deg)
    flags = (
        Flag.UNSCALED
        | Flag.BAD_IMAGE * about.bad_image
        | Flag.BAD_EPOCH * about.bad_epoch
        | Flag.EDGE * ((np.concatenate(edges) if edges else np.zeros(0, bool)) | (pb < _FAINT_BEAM))
        | Flag.BLEND * (neighbours > 0)
        | Flag.HIGH_RMS * (factor > _HIGH_RMS * usual)
        | Flag.EXTENDED * (np.asarray(reference.major_arcsec)[index] > _EXTENDED * beam_arcsec)
    )
    columns = {
        "source_id": np.asarray(reference.source_id)[index],
        "mjd": _middle(header, np.asarray(reference.ra_deg)[index], about.kind),
        "freq_hz": np.full(len(index), header.freq_hz),
        "rms": rms,
        "pb": pb,
        "chi2": found.chi2,
        "neighbours": neighbours,
    }
    seen = np.where(pb > 0.0, pb, np.nan)
    columns |= _fluxes(found.peak / seen, found.error * rms / seen, settings)
    relative = 0.0 if beam_error is None else error_at(beam_error, header, pixels.shape, place)
    columns["e_beam"] = np.abs(columns["flux"]) * relative
    columns["e_corrected"] = np.sqrt(columns["e_flux"] ** 2 + columns["e_beam"] ** 2 + columns["e_calibration"] ** 2)
    columns["flags"] = flags | Flag.UPPER_LIMIT * np.isfinite(columns["upper_limit"])
    measured = (pb >= settings.least_beam) & np.isfinite(columns["flux"]) & (columns["e_flux"] > 0)
    log.info(
        "%s, %s band: %d sources measured, noise %.3g Jy/beam correlated over %.2f beams, in %.2f s",
        *(about.image, about.band, np.count_nonzero(measured), np.median(rms) if len(rms) else np.nan, correlation),
        time.perf_counter() - began,
    )
    return _table({name: np.asarray(values)[measured] for name, values in columns.items()}, about)


def _inside(
    planes: Planes, reference: Reference, offset_arcsec: tuple[float, float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which sources are on pixels that are not blank, and where: (S,) indices, (S, 2) columns and rows."""
    ra, dec = np.asarray(reference.ra_deg, np.float64), np.asarray(reference.dec_deg, np.float64)
    ra = ra + offset_arcsec[0] / 3600.0 / np.cos(np.radians(dec))
    dec = dec + offset_arcsec[1] / 3600.0
    header, shape = planes.header, planes.pixels.shape
    # Only what is on this side of the sky has a place in the plane.
    cosine = np.sin(np.radians(dec)) * np.sin(np.radians(header.dec_deg)) + np.cos(np.radians(dec)) * np.cos(
        np.radians(header.dec_deg)
    ) * np.cos(np.radians(ra - header.ra_deg))
    index = np.flatnonzero((np.asarray(reference.same_as) == 0) & (cosine > 0))
    place = celestial_wcs(header, (shape[0], shape[1])).all_world2pix(np.stack([ra[index], dec[index]], axis=-1), 0)
    nearest = np.rint(place).astype(np.int64)
    there = (nearest >= 0).all(axis=1) & (nearest[:, 0] < shape[1]) & (nearest[:, 1] < shape[0])
    there[there] = np.isfinite(planes.pixels[nearest[there, 1], nearest[there, 0]])
    return index[there], np.ascontiguousarray(place[there], np.float64)


def _over(pixels: NDArray[np.float32], rms: NDArray[np.floating]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore", invalid="ignore"):
        even = np.asarray(pixels / rms, np.float32)
    even[~(rms > 0)] = np.nan
    return even


def _at(plane: NDArray[np.floating], place: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Values of a plane at columns and rows: of the nearest pixel, or linear between pixels."""
    return np.asarray(map_coordinates(plane, place.T[::-1], np.float64, order=order, mode="nearest"))


def _squeezed(covariance: NDArray[np.float64], place: NDArray[np.float64], planes: Planes) -> NDArray[np.float64]:
    """The beam as an image has it at places, (S, 2, 2); a wide mosaic's, along the radius, squeezed.

    That is by the cosine of the distance: its images are smoothed each in its own plane, which is the sky there.
    """
    if planes.pb is not None:
        return np.broadcast_to(covariance, (len(place), 2, 2))
    n_dec, n_ra = planes.pixels.shape
    offset = (place - [n_ra // 2, n_dec // 2]) * np.radians(planes.header.cell_deg)
    square = np.sum(offset**2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        less = np.where(square > 0, (1.0 - np.sqrt(np.clip(1.0 - square, 0.0, None))) / square, 0.0)
    squeeze = np.eye(2) - less[:, None, None] * offset[:, :, None] * offset[:, None, :]
    return np.asarray(squeeze @ covariance @ squeeze)


def _middle(header: ImageHeader, ra_deg: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """When sources were seen [MJD]: in a mosaic as they crossed the meridian, within the time of its images."""
    if kind != "mosaic":
        return np.full(len(ra_deg), header.middle_mjd)
    east = (ra_deg - header.ra_deg + 180.0) % 360.0 - 180.0
    return np.clip(header.middle_mjd + east / 360.0 * SIDEREAL_DAY, header.start_mjd, header.end_mjd)


def _fluxes(
    flux: NDArray[np.float64], e_flux: NDArray[np.float64], settings: PhotometrySettings
) -> dict[str, NDArray[np.float64]]:
    """The columns that follow from flux and noise."""
    with np.errstate(invalid="ignore"):
        undetected = flux < settings.detection_sigma * e_flux
    return {
        "flux": flux,
        "e_flux": e_flux,
        "e_calibration": settings.flux_error * np.abs(flux),
        "scale": np.ones(len(flux)),
        "e_scale": np.full(len(flux), np.nan),
        "corrected": flux,
        "upper_limit": np.where(undetected, np.maximum(flux, 0.0) + _LIMIT_SIGMA * e_flux, np.nan),
    }


def _table(columns: Mapping[str, ArrayLike], about: About) -> pa.Table:
    """Put rows together."""
    n = len(np.asarray(columns["source_id"]))
    arrays = []
    for name in COLUMNS:
        dtype = SCHEMA.field(name).type
        if pa.types.is_dictionary(dtype):
            word = getattr(about, name)
            arrays.append(
                pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([word], pa.string()))
            )
        else:
            arrays.append(pa.array(np.asarray(columns[name]).astype(dtype.to_pandas_dtype())))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
