"""Names of images and of what is made of them."""

import re
from enum import StrEnum
from typing import NamedTuple

from dsa110_contimg.errors import NamingError
from dsa110_contimg.naming.groups import compact, expand

_IMAGES = re.compile(r"(?P<compact>[0-9T]{15}[b-z]?)-images")
_IMAGE = re.compile(
    r"(?P<compact>[0-9T]{15}[b-z]?)(?:-(?P<band>lower|upper))?(?:-(?P<channel>[0-9]{4}))?-(?P<kind>[a-z]+)\.fits"
)


class ImageKind(StrEnum):
    """What an image file holds."""

    IMAGE = "image"
    PBCOR = "pbcor"
    PB = "pb"
    RESIDUAL = "residual"
    MODEL = "model"
    PSF = "psf"
    RMS = "rms"
    DIFFERENCE = "difference"  # (XX - YY)/2, not deconvolved


class Band(StrEnum):
    """A half of the band that is imaged by itself."""

    LOWER = "lower"
    UPPER = "upper"


class ImageName(NamedTuple):
    """What the name of an image says: group id, what it holds, and of which half of the band or sub-band of it."""

    group: str
    kind: ImageKind
    band: Band | None
    channel: int | None = None


def images_name(gid: str) -> str:
    """Name the directory of all that imaging a group leaves: ``20251005T123000-images``."""
    return f"{compact(gid)}-images"


def parse_images_name(name: str) -> str:
    """Undo `images_name`."""
    match = _IMAGES.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name a directory of images")
    return expand(match["compact"])


def image_stem(gid: str, band: Band | str | None = None) -> str:
    """Begin the names of a group's images: ``20251005T123000``, or ``20251005T123000-lower`` for half a band."""
    return compact(gid) if band is None else f"{compact(gid)}-{Band(band)}"


def image_file_name(stem: str, kind: ImageKind | str, channel: int | None = None) -> str:
    """Name an image by the stem of its group: ``STEM-image.fits``, or ``STEM-0002-image.fits`` of sub-band 2."""
    try:
        return f"{stem}{'' if channel is None else f'-{channel:04d}'}-{ImageKind(kind)}.fits"
    except ValueError as error:
        raise NamingError(f"{kind!r} cannot name an image") from error


def image_record_name(stem: str) -> str:
    """Name the figures of an imaging run, beside its images: ``STEM-image.json``."""
    return f"{stem}-image.json"


def sources_stem(stem: str) -> str:
    """Begin the names of the tables of an image's sources: ``STEM-sources``, before ``.ecsv`` and others."""
    return f"{stem}-sources"


def quality_name(stem: str) -> str:
    """Name what an image is worth, beside it: ``STEM-quality.json``."""
    return f"{stem}-quality.json"


def preview_name(stem: str) -> str:
    """Name the picture of an image: ``STEM-preview.png``."""
    return f"{stem}-preview.png"


def closeups_name(stem: str) -> str:
    """Name the pictures of its brightest sources: ``STEM-closeups.png``."""
    return f"{stem}-closeups.png"


def report_name(stem: str) -> str:
    """Name the page about a group: ``STEM-report.html``."""
    return f"{stem}-report.html"


def report_facts_name(stem: str) -> str:
    """Name the facts that the page about a group is made of: ``STEM-report.json``."""
    return f"{stem}-report.json"


def image_name(gid: str, kind: ImageKind | str, band: Band | str | None = None, channel: int | None = None) -> str:
    """Name an image of a group: ``20251005T123000-pbcor.fits``, ``20251005T123000-upper-image.fits``."""
    try:
        return image_file_name(image_stem(gid, band), kind, channel)
    except ValueError as error:
        raise NamingError(f"{kind!r}, {band!r} cannot name an image") from error


def parse_image_name(name: str) -> ImageName:
    """Undo `image_name`."""
    match = _IMAGE.fullmatch(name)
    if match is None or match["kind"] not in set(ImageKind):
        raise NamingError(f"{name!r} does not name an image")
    band = None if match["band"] is None else Band(match["band"])
    channel = None if match["channel"] is None else int(match["channel"])
    return ImageName(expand(match["compact"]), ImageKind(match["kind"]), band, channel)
