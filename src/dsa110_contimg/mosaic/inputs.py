"""The images that a mosaic is made of, and which of them belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from astropy.io import fits

from dsa110_contimg.errors import MosaicError, NamingError, UnreadableFileError
from dsa110_contimg.images.fits import parse_header
from dsa110_contimg.images.verdicts import verdict_of
from dsa110_contimg.mosaic.plane import Plane
from dsa110_contimg.naming import (
    ImageKind,
    image_file_name,
    image_stem,
    parse_image_name,
    parse_images_name,
    quality_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from dsa110_contimg.images.fits import ImageHeader

# Images of one strip have the same declination, within half of what a stale header may be off by.
STRIP_DEG = 0.25
_SAME_FREQUENCY = 0.01


class Input(NamedTuple):
    """An image with its primary beam.

    Attributes
    ----------
    group : str
        Group id.
    image, pb : Path
        FITS files: flux as seen through the beam, and the beam's mean power.
    header : ImageHeader
        Of the image.
    plane : Plane
        Its pixels.
    verdict : str
        What quality was found: ``good``, ``usable``, ``bad``, or nothing.
    """

    group: str
    image: Path
    pb: Path
    header: ImageHeader
    plane: Plane
    verdict: str


def find_inputs(paths: Iterable[Path]) -> list[Input]:
    """Find images: of files as they are named, and of directories ``*-images``, or of such directories below one.

    Parameters
    ----------
    paths : iterable of Path
        Images (``*-image.fits``) or directories.

    Returns
    -------
    list of Input
        The oldest first, each group once.

    Raises
    ------
    MosaicError
        Something is no image of ours, or its primary beam is missing.
    UnreadableFileError, HeaderKeyError, HeaderValueError
        One cannot be read.
    """
    found: dict[str, Input] = {}
    for path in paths:
        for image in _images_of(path):
            one = read_input(image)
            found.setdefault(one.group, one)
    return sorted(found.values(), key=lambda one: one.header.middle_mjd)


def read_input(image: Path) -> Input:
    """Read what an image says of itself; its pixels are left where they are.

    Raises
    ------
    MosaicError
        It is no image of ours, or its primary beam is missing.
    UnreadableFileError, HeaderKeyError, HeaderValueError
        It cannot be read.
    """
    try:
        name = parse_image_name(image.name)
    except NamingError as error:
        raise MosaicError(str(error.message), path=image, remedy="Name *-image.fits files, or *-images.") from error
    stem = image_stem(name.group, name.band)
    pb = image.with_name(image_file_name(stem, ImageKind.PB))
    if name.kind is not ImageKind.IMAGE or name.channel is not None:
        raise MosaicError(f"is a {name.kind}, not an image of the band", path=image, remedy="Name *-image.fits files.")
    if not pb.exists():
        raise MosaicError("has no primary beam beside it", path=image, remedy=f"It should be {pb.name}.")
    try:
        with fits.open(image) as hdus:
            cards = hdus[0].header
            header = parse_header(cards, image)
            shape = cards["NAXIS2"], cards["NAXIS1"]
    except OSError as error:
        raise UnreadableFileError(f"cannot be read as FITS ({error})", path=image) from error
    plane = Plane(header.ra_deg, header.dec_deg, header.cell_deg, *shape)
    return Input(
        name.group, image, pb, header, plane, verdict_of(image.with_name(quality_name(image_stem(name.group))))
    )


def require_alike(inputs: Sequence[Input]) -> None:
    """See that images may be joined: one strip, one band.

    Raises
    ------
    MosaicError
        There are none, or one is of another declination or frequency; it is named.
    """
    if not inputs:
        raise MosaicError("there are no images to join", remedy="Name *-images directories, or a time with some.")
    dec_deg = float(np.median([one.plane.dec_deg for one in inputs]))
    freq_hz = float(np.median([one.header.freq_hz for one in inputs]))
    for one in inputs:
        if abs(one.plane.dec_deg - dec_deg) > STRIP_DEG:
            raise MosaicError(
                f"is of declination {one.plane.dec_deg:.2f}, the others of {dec_deg:.2f}",
                path=one.image,
                remedy="Join the images of one strip.",
            )
        if abs(one.header.freq_hz / freq_hz - 1) > _SAME_FREQUENCY:
            raise MosaicError(
                f"is of {one.header.freq_hz / 1e6:.1f} MHz, the others of {freq_hz / 1e6:.1f} MHz",
                path=one.image,
                remedy="Join the images of one band.",
            )


def _images_of(path: Path) -> list[Path]:
    if not path.exists():
        raise MosaicError("is not there", path=path, remedy="Name *-image.fits files, or directories with *-images.")
    if not path.is_dir():
        return [path]
    try:
        stem = image_stem(parse_images_name(path.name))
    except NamingError:
        return [image for below in sorted(path.glob("*-images")) for image in _images_of(below) if image.exists()]
    return [path / image_file_name(stem, ImageKind.IMAGE)]
