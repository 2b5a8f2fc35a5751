"""What there is to look at in a directory of images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.errors import NamingError, UsageError
from dsa110_contimg.images.fits import read_image
from dsa110_contimg.naming import compact, image_file_name, parse_images_name

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from dsa110_contimg.images.fits import ImageHeader


class Planes(NamedTuple):
    """The images of a group, (N, N) float32 as in FITS order; what is not there is None.

    Attributes
    ----------
    image, residual : (N, N) float32
        [Jy/beam], as seen through the primary beam.
    rms : (N, N) float32
        Noise around every pixel [Jy/beam].
    pb : (N, N) float32 or None
        Power of the primary beam.
    psf : (N, N) float32 or None
        1 in the middle.
    """

    image: NDArray[np.float32]
    residual: NDArray[np.float32]
    rms: NDArray[np.float32]
    pb: NDArray[np.float32] | None = None
    psf: NDArray[np.float32] | None = None


def read_planes(directory: Path, stem: str) -> tuple[Planes, ImageHeader]:
    """Read the images of a directory, and the header of the one that is called so.

    Raises
    ------
    UnreadableFileError
        Image, residual or noise are not there; without a primary beam and a PSF there are fewer figures.
    """
    image = read_image(directory / image_file_name(stem, "image"))
    residual, rms = (read_image(directory / image_file_name(stem, kind)).pixels for kind in ("residual", "rms"))
    pb, psf = (read_if_there(directory, stem, kind) for kind in ("pb", "psf"))
    return Planes(image.pixels, residual, rms, pb, psf), image.header


def read_if_there(directory: Path, stem: str, kind: str) -> NDArray[np.float32] | None:
    """Read the pixels of one kind of image; None if it was not made."""
    path = directory / image_file_name(stem, kind)
    return read_image(path).pixels if path.exists() else None


def read_facts(path: Path) -> dict[str, Any]:
    """Read a JSON file of facts; nothing if it is not there."""
    facts: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return facts


def stem_of(directory: Path) -> str:
    """Tell with what the names in a published directory of images begin.

    Raises
    ------
    UsageError
        Its name is not that of a directory of images.
    """
    try:
        return compact(parse_images_name(directory.resolve().name))
    except NamingError as error:
        raise UsageError(
            "is not called as a directory of images is", path=directory, remedy="Say how the names in it begin."
        ) from error
