"""The sources of a mosaic, above the larger of the noise that its images predict and that around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.images.fits import read_image
from dsa110_contimg.imaging.noise import rms_map
from dsa110_contimg.photometry.finding import find_sources

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import CatalogueSettings
    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.photometry.sources import Sources


class MosaicSources(NamedTuple):
    """A mosaic and what was found on it.

    Attributes
    ----------
    header : ImageHeader
        Of the mosaic.
    pixels, predicted, rms : (n_dec, n_ra) float32
        Flux, the noise that its images predict, and the larger of that and what was measured [Jy/beam].
    sources : Sources
        What was found.
    """

    header: ImageHeader
    pixels: NDArray[np.float32]
    predicted: NDArray[np.float32]
    rms: NDArray[np.float32]
    sources: Sources


def find_on_mosaic(image: Path, rms: Path, settings: CatalogueSettings) -> MosaicSources:
    """Find the sources of a mosaic.

    Parameters
    ----------
    image, rms : Path
        The mosaic, and its noise as predicted.
    settings : CatalogueSettings
        Thresholds.

    Raises
    ------
    UnreadableFileError, HeaderKeyError, HeaderValueError
        One cannot be read.
    SourceFindingError
        PyBDSF failed.
    """
    sky, predicted = read_image(image), read_image(rms).pixels
    beam = sky.header.beam
    beam_pixels = float(np.sqrt(beam.major_deg * beam.minor_deg)) / sky.header.cell_deg
    times = rms_map(sky.pixels / predicted, beam_pixels)
    noise = np.asarray(np.maximum(times, 1.0) * predicted, np.float32)
    return MosaicSources(sky.header, sky.pixels, predicted, noise, find_sources(image, None, noise, settings))
