"""From images to a catalogue, a verdict, a picture and a report: what the verb ``image`` and the stages share."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.images.fits import read_image
from dsa110_contimg.naming import ImageKind, image_file_name, sources_stem
from dsa110_contimg.photometry.finding import find_sources
from dsa110_contimg.photometry.fitting import Fitter
from dsa110_contimg.photometry.records import write_sources
from dsa110_contimg.photometry.ties import ties_of
from dsa110_contimg.photometry.tying import apply_ties, tie_images
from dsa110_contimg.qa.closeups import draw_closeups
from dsa110_contimg.qa.preview import draw_preview
from dsa110_contimg.qa.quality import judge_images, measure_images

if TYPE_CHECKING:
    from dsa110_contimg.config.settings import CatalogueSettings, QualitySettings
    from dsa110_contimg.photometry.sources import Sources
    from dsa110_contimg.photometry.ties import Ties
    from dsa110_contimg.pipeline.imaging import Place
    from dsa110_contimg.qa.quality import Figures, Quality

log = logging.getLogger(__name__)


class Judged(NamedTuple):
    """The sources of an image, how they compare with a reference (None: there is none), and what it is worth."""

    sources: Sources
    ties: Ties | None
    quality: Quality


def catalogue_group(place: Place, settings: CatalogueSettings, gates: QualitySettings) -> Judged:
    """Find the sources of a group's image, compare them with a reference, judge the image, and draw it.

    Parameters
    ----------
    place : Place
        Where `imaging.image_group` wrote the images; the rest is written beside them.
    settings : CatalogueSettings
        How sources are found, and what they are compared with.
    gates : QualitySettings
        When an image is good, usable or bad.

    Raises
    ------
    SourceFindingError
        The sources cannot be found.
    UsageError
        The reference cannot be read.
    OutputError
        Something cannot be written.
    """
    image = place.directory / image_file_name(place.stem, ImageKind.IMAGE)

    @cache  # a tie moves coordinates alone: what was measured before stays right
    def figures() -> Figures:
        return measure_images(place.directory, place.stem)

    with Fitter() as fitter:  # it starts while the image is read
        pb, rms = (
            read_image(place.directory / image_file_name(place.stem, kind)).pixels
            for kind in (ImageKind.PB, ImageKind.RMS)
        )
        sources = find_sources(image, pb, rms, settings, fitter=fitter, meanwhile=figures)
    ties = ties_of(sources, settings)
    if ties is not None and settings.tie == "apply":
        sources = apply_ties(sources, ties)
        tie_images(sorted(place.directory.glob(f"{place.stem}-*.fits")), ties)
    write_sources(sources, place.directory, sources_stem(place.stem))
    quality = judge_images(place.directory, place.stem, gates, sources=sources, ties=ties, figures=figures())
    draw_preview(place.directory, place.stem, sources=sources, quality=quality)
    draw_closeups(place.directory, place.stem, sources)
    log.info("%s: %d sources; %s", place.stem, len(sources), quality)
    return Judged(sources, ties, quality)
