"""Images of the sky as FITS files: Stokes I on the tangent plane, with all that CASA, DS9 and astropy want to know.

Four axes (RA---SIN, DEC--SIN, FREQ, STOKES), ICRS, times in UTC; FITS Standard 4.0, sections 8 and 9. The cards are
those of WSClean, and what it leaves out: the frame, the end of the observation, the exposure and the bandwidth, which
TraP and VAST read.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS

from dsa110_contimg.errors import HeaderKeyError, HeaderValueError, UnreadableFileError, UsageError
from dsa110_contimg.naming import group_id_from_mjd
from dsa110_contimg.storage.files import output_errors, sync_tree
from dsa110_contimg.storage.publish import partial_directory, publish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_STOKES_I = 1.0
_DAY_S: Final = 86400.0
# Characters of a text in one card.
_LONGEST_TEXT: Final = 66
# Those of which nothing may be lost, for a file is found by them; CONTINUE cards have the rest (FITS, section 4.2.1.2).
_WHOLE = frozenset({"PBMODEL"})
# Cards that say how the file is laid out.
_LAYOUT = frozenset({"SIMPLE", "BITPIX", "NAXIS", "EXTEND", "BSCALE", "BZERO", "COMMENT", "HISTORY", "WCSAXES", ""})


class RestoringBeam(NamedTuple):
    """An elliptical Gaussian: full widths at half maximum, and the major axis from north through east [deg]."""

    major_deg: float
    minor_deg: float
    pa_deg: float


class Card(NamedTuple):
    """A line of a FITS header: a keyword of eight characters at most, its value, and a comment."""

    key: str
    value: str | float | int | bool
    comment: str = ""


class ImageHeader(NamedTuple):
    """What a FITS image says of itself.

    The phase centre is the pixel ``(n // 2, n // 2)``, counted from 0.

    Attributes
    ----------
    ra_deg, dec_deg : float
        Phase centre, ICRS [deg].
    cell_deg : float
        Pixel size at the phase centre [deg].
    freq_hz, bandwidth_hz : float
        Reference frequency, and the band that was averaged [Hz].
    start_mjd, middle_mjd, end_mjd : float
        The observation [MJD, UTC].
    beam : RestoringBeam
        What a point source looks like.
    telescope : str
        Name of the telescope.
    unit : str
        Of the pixels.
    quantity : str
        What they are: ``Intensity``, ``PrimaryBeam``.
    target : str
        Name of the field.
    exposure_s : float, optional
        Time that was integrated [s]; not given: from start to end.
    cards : tuple of Card
        Whatever else is to be said: where it comes from, how it was made.
    """

    ra_deg: float
    dec_deg: float
    cell_deg: float
    freq_hz: float
    bandwidth_hz: float
    start_mjd: float
    middle_mjd: float
    end_mjd: float
    beam: RestoringBeam
    telescope: str
    unit: str = "JY/BEAM"
    quantity: str = "Intensity"
    target: str = ""
    exposure_s: float | None = None
    cards: tuple[Card, ...] = ()


class SkyImage(NamedTuple):
    """A FITS image that was read: pixels (n_dec, n_ra) float32, header, and HISTORY line by line."""

    pixels: NDArray[np.float32]
    header: ImageHeader
    history: tuple[str, ...]


class Cutout(NamedTuple):
    """A part of an image: pixels (n, n) float32, the map between them and ICRS degrees, and the image's own header."""

    pixels: NDArray[np.float32]
    wcs: WCS
    header: ImageHeader


def write_image(
    path: Path,
    pixels: NDArray[np.floating],
    header: ImageHeader,
    history: Sequence[str] = (),
    *,
    overwrite: bool = False,
) -> None:
    """Write an image, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    pixels : (n_dec, n_ra) ndarray
        Right ascension falls along the second axis, declination rises along the first.
    header : ImageHeader
        What it is.
    history : sequence of str
        How it came to be; long lines are folded.
    overwrite : bool
        Whether a file that is there already is replaced.

    Raises
    ------
    UsageError
        The pixels are not a plane.
    OutputExistsError
        The file is there already.
    OutputError
        It cannot be written.
    """
    with partial_directory(path.parent, group_id_from_mjd(header.start_mjd)) as partial:
        product = partial / path.name
        write_plane(product, pixels, header, history)
        with output_errors(path):
            sync_tree(partial)
        publish(product, path, replace=overwrite)


def write_plane(path: Path, pixels: NDArray[np.floating], header: ImageHeader, history: Sequence[str] = ()) -> None:
    """Write an image into a directory that is published as a whole, over what is there.

    Raises
    ------
    UsageError
        The pixels are not a plane.
    OutputError
        It cannot be written.
    """
    if pixels.ndim != 2:
        raise UsageError(f"an image has two axes, not {pixels.ndim}", path=path)
    planes = np.asarray(pixels, dtype=np.float32)[None, None]
    hdu = fits.PrimaryHDU(planes, fits_header(header, (pixels.shape[0], pixels.shape[1]), history))
    with output_errors(path):
        hdu.writeto(path, overwrite=True)


def read_image(path: Path) -> SkyImage:
    """Read an image that `write_image` or `write_plane` wrote.

    Raises
    ------
    UnreadableFileError
        It is not there, or not FITS.
    HeaderKeyError, HeaderValueError
        Its header lacks something, or is of another kind of image.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            cards, planes = hdus[0].header, np.asarray(hdus[0].data)
    except OSError as error:
        raise UnreadableFileError(f"cannot be read as FITS ({error})", path=path) from error
    header = parse_header(cards, path)
    if planes.ndim != 4:
        raise HeaderValueError("has no pixels", path=path)
    history = tuple(str(line) for line in cards["HISTORY"]) if "HISTORY" in cards else ()
    return SkyImage(planes[0, 0].astype(np.float32, copy=False), header, history)


def parse_header(cards: fits.Header, path: Path | None = None) -> ImageHeader:
    """Undo `fits_header`.

    Raises
    ------
    HeaderKeyError, HeaderValueError
        Something is missing, or it is another kind of image.
    """
    if [cards.get(f"NAXIS{k}", 0) for k in (3, 4)] != [1, 1] or cards.get("CTYPE1") != "RA---SIN":
        raise HeaderValueError("is not one plane of sky in SIN projection", path=path)
    try:
        header = ImageHeader(
            ra_deg=cards["CRVAL1"] % 360.0,
            dec_deg=cards["CRVAL2"],
            cell_deg=cards["CDELT2"],
            freq_hz=cards["CRVAL3"],
            bandwidth_hz=cards["CDELT3"],
            start_mjd=cards["MJD-OBS"],
            middle_mjd=cards["MJD-AVG"],
            end_mjd=cards["MJD-END"],
            beam=RestoringBeam(cards["BMAJ"], cards["BMIN"], cards["BPA"]),
            telescope=cards["TELESCOP"],
            unit=cards["BUNIT"],
            quantity=cards.get("BTYPE", "Intensity"),
            target=cards.get("OBJECT", ""),
            exposure_s=cards.get("EXPTIME"),
        )
    except KeyError as error:
        raise HeaderKeyError(f"its header lacks {error}", path=path) from error
    known = _known()
    others = tuple(Card(card.keyword, card.value, card.comment) for card in cards.cards if card.keyword not in known)
    return header._replace(cards=others)


@cache
def _known() -> frozenset[str]:
    """Keywords that are read, or say how the file is laid out: of whatever image."""
    any_image = ImageHeader(0.0, 0.0, 1.0, 1.0, 1.0, 6e4, 6e4, 6e4, RestoringBeam(1.0, 1.0, 0.0), "")
    return frozenset(fits_header(any_image, (1, 1))) | _LAYOUT | {f"NAXIS{k}" for k in range(1, 5)}


def fits_header(header: ImageHeader, shape: tuple[int, int], history: Sequence[str] = ()) -> fits.Header:
    """Put together the cards of an image of this shape (n_dec, n_ra)."""
    n_dec, n_ra = shape
    exposure_s = (header.end_mjd - header.start_mjd) * _DAY_S if header.exposure_s is None else header.exposure_s
    cards: dict[str, Any] = {
        "BTYPE": header.quantity,
        "BUNIT": (header.unit, "unit of the pixels"),
        "BMAJ": (header.beam.major_deg, "[deg] major axis of the beam, FWHM"),
        "BMIN": (header.beam.minor_deg, "[deg] minor axis of the beam, FWHM"),
        "BPA": (header.beam.pa_deg, "[deg] of the major axis, north through east"),
        "RADESYS": "ICRS",
        "EQUINOX": 2000.0,
        "LONPOLE": 180.0,
        "CTYPE1": "RA---SIN",
        "CRVAL1": header.ra_deg,
        "CDELT1": -header.cell_deg,
        "CRPIX1": n_ra // 2 + 1.0,
        "CUNIT1": "deg",
        "CTYPE2": "DEC--SIN",
        "CRVAL2": header.dec_deg,
        "CDELT2": header.cell_deg,
        "CRPIX2": n_dec // 2 + 1.0,
        "CUNIT2": "deg",
        "CTYPE3": "FREQ",
        "CRVAL3": header.freq_hz,
        "CDELT3": header.bandwidth_hz,
        "CRPIX3": 1.0,
        "CUNIT3": "Hz",
        "CTYPE4": "STOKES",
        "CRVAL4": _STOKES_I,
        "CDELT4": 1.0,
        "CRPIX4": 1.0,
        "CUNIT4": "",
        "RESTFRQ": (header.freq_hz, "[Hz] as the frequency axis: a continuum image"),
        "RESTBW": (header.bandwidth_hz, "[Hz] band that was averaged"),
        "SPECSYS": "TOPOCENT",
        "TELESCOP": header.telescope,
        "OBSERVER": "DSA-110",
        "OBJECT": header.target,
        "TIMESYS": "UTC",
        "DATE-OBS": (_iso(header.start_mjd), "start of the first integration"),
        "MJD-OBS": header.start_mjd,
        "DATE-AVG": (_iso(header.middle_mjd), "middle of the observation"),
        "MJD-AVG": header.middle_mjd,
        "DATE-END": (_iso(header.end_mjd), "end of the last integration"),
        "MJD-END": header.end_mjd,
        "EXPTIME": (exposure_s, "[s] time that was integrated"),
        "DURATION": (exposure_s, "[s] the same, where VAST looks for it"),
        "ORIGIN": "dsa110-contimg",
    }
    made = fits.Header()
    for key, value in cards.items():
        made[key] = value
    for card in header.cards:
        if isinstance(card.value, float) and not math.isfinite(card.value):
            continue  # FITS has no card for it
        made[card.key] = _fitting(card)
    for line in history:
        made.add_history(line)
    return made


def _fitting(card: Card) -> tuple[str | float | int | bool, str]:
    """Value and comment that fit in one line of 80 characters: the comment gives way, then the end of the value."""
    if not isinstance(card.value, str) or card.key in _WHOLE:
        return card.value, card.comment
    value = card.value[:_LONGEST_TEXT]
    return value, card.comment if len(value) + len(card.comment) < _LONGEST_TEXT - 4 else ""


def read_cutout(path: Path, ra_deg: float, dec_deg: float, width_deg: float) -> Cutout:
    """Read a square around a place; where it reaches beyond the image, pixels are NaN.

    Parameters
    ----------
    path : Path
        An image that `write_image` or `write_plane` wrote; only the rows that are wanted are read.
    ra_deg, dec_deg : float
        Middle of the cutout, ICRS [deg].
    width_deg : float
        Its side [deg].

    Raises
    ------
    UnreadableFileError
        It is not there, or not FITS.
    UsageError
        The place is not in the image.
    """
    try:
        with fits.open(path) as hdus:
            header = parse_header(hdus[0].header, path)
            n_dec, n_ra = hdus[0].header["NAXIS2"], hdus[0].header["NAXIS1"]
            wcs = celestial_wcs(header, (n_dec, n_ra))
            x, y = (float(value) for value in wcs.all_world2pix(ra_deg, dec_deg, 0))
            if not (-0.5 <= x < n_ra - 0.5 and -0.5 <= y < n_dec - 0.5):
                raise UsageError(f"{ra_deg:.6f} {dec_deg:+.6f} deg is not in the image", path=path)
            half = max(1, round(width_deg / header.cell_deg / 2))
            left, bottom = round(x) - half, round(y) - half
            columns = slice(max(0, left), min(n_ra, left + 2 * half + 1))
            rows = slice(max(0, bottom), min(n_dec, bottom + 2 * half + 1))
            pixels = np.full((2 * half + 1, 2 * half + 1), np.nan, np.float32)
            inside = np.s_[rows.start - bottom : rows.stop - bottom, columns.start - left : columns.stop - left]
            pixels[inside] = hdus[0].section[0, 0, rows, columns]
    except OSError as error:
        raise UnreadableFileError(f"cannot be read as FITS ({error})", path=path) from error
    wcs.wcs.crpix = [wcs.wcs.crpix[0] - left, wcs.wcs.crpix[1] - bottom]
    return Cutout(pixels, wcs, header)


def celestial_wcs(header: ImageHeader, shape: tuple[int, int]) -> WCS:
    """Return the map between pixels (x to the west, y to the north, from 0) and ICRS degrees."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [header.ra_deg, header.dec_deg]
    wcs.wcs.cdelt = [-header.cell_deg, header.cell_deg]
    wcs.wcs.crpix = [shape[1] // 2 + 1.0, shape[0] // 2 + 1.0]
    wcs.wcs.radesys = "ICRS"
    return wcs


def _iso(mjd: float) -> str:
    return str(Time(mjd, format="mjd", scale="utc").isot)
