"""From calibrated visibilities to images: what the verb ``image`` and the stage of that name share."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.calibration.apply import ApplyOptions, calibrated_blocks
from dsa110_contimg.catalogue.strips import reference_around
from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.config.heap import freed_memory_kept
from dsa110_contimg.errors import ImagingError, UsageError
from dsa110_contimg.imaging.averaging import collect
from dsa110_contimg.imaging.cycle import begin_part, make_image
from dsa110_contimg.imaging.field import choose_grid
from dsa110_contimg.imaging.observation import observe
from dsa110_contimg.imaging.outlier_subtraction import subtract_outliers
from dsa110_contimg.imaging.outliers import find_outliers
from dsa110_contimg.imaging.products import Provenance, image_header, write_images
from dsa110_contimg.imaging.seeding import seed_mask
from dsa110_contimg.imaging.surroundings import surroundings
from dsa110_contimg.imaging.wsclean import run_wsclean
from dsa110_contimg.ms.reading import read_blocks
from dsa110_contimg.naming import Band, ImageKind
from dsa110_contimg.telescope.beams import beam_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.calibration.solutions import Solutions
    from dsa110_contimg.config.settings import CatalogueSettings, ImageSettings
    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.imaged import Imaged
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.imaging.samples import Samples
    from dsa110_contimg.ms.blocks import VisibilityBlock
    from dsa110_contimg.telescope.beams import BeamModel
    from dsa110_contimg.telescope.prediction import PointSources

log = logging.getLogger(__name__)

# Of half a band: the rest can be made of them and of the whole band's.
_HALF_BAND_KINDS = (ImageKind.IMAGE, ImageKind.PBCOR, ImageKind.PB, ImageKind.RMS)
_FEWEST_CHANNELS = 2
# Sources of the reference are looked at up to here: the second sidelobe of the dishes [deg].
_AROUND_DEG = 6.0


@dataclass(frozen=True)
class Calibrated:
    """A Measurement Set, and how its calibrated visibilities are read.

    Attributes
    ----------
    ms : Path
    solutions : tuple of Solutions
        What calibrates DATA; with none, `column` is read as it is.
    apply : ApplyOptions
        How they are applied.
    column : str
        ``DATA``, ``CORRECTED_DATA`` or ``MODEL_DATA``.
    """

    ms: Path
    solutions: tuple[Solutions, ...] = ()
    apply: ApplyOptions = field(default_factory=ApplyOptions)
    column: str = "DATA"

    def blocks(self, threads: int) -> Iterator[VisibilityBlock]:
        """Read it, one integration after another; errors as of `calibrated_blocks` and `read_blocks`."""
        if self.solutions:
            return calibrated_blocks(self.ms, self.solutions, self.apply, threads)
        return read_blocks(self.ms, self.column, threads)


class Place(NamedTuple):
    """Where images go: a directory that is published as a whole, and the beginning of all names in it."""

    directory: Path
    stem: str


@freed_memory_kept()
def image_group(
    source: Calibrated,
    place: Place,
    settings: ImageSettings,
    provenance: Provenance,
    catalogue: CatalogueSettings,
) -> dict[str, Path]:
    """Image a group, and write what comes of it.

    Parameters
    ----------
    source : Calibrated
        The visibilities.
    place : Place
        Where images go; the directory is there already.
    settings : ImageSettings
        How.
    provenance : Provenance
        Where the visibilities come from, for the records.
    catalogue : CatalogueSettings
        Its reference has sources that may be outside of the image, and bright.

    Returns
    -------
    dict of str to Path
        The whole band's images by kind, and ``record``.

    Raises
    ------
    ImagingError
        There is nothing to image.
    MeasurementSetError, CalibrationError, OutputError
        It cannot be read, or calibrated so; or the images cannot be written.
    """
    began = time.monotonic()
    observation, beam = observe(source.ms), beam_model(settings.beam)
    grid = choose_grid(observation, settings, beam)
    log.info(
        "%s: %d x %d pixels of %.2f arcsec", place.stem, grid.n_pixels, grid.n_pixels, np.degrees(grid.cell_rad) * 3600
    )
    edge_rad = grid.n_pixels / 2 * grid.cell_rad
    collected = collect(source.blocks(settings.n_threads), observation, settings, edge_rad)
    read_s = time.monotonic() - began
    samples = collected.samples
    known = _known_sources(observation, catalogue) if settings.outliers else None
    outliers = find_outliers(observation, grid, settings, beam, known)
    removed = subtract_outliers(samples, observation, outliers, beam)
    subtract_s = time.monotonic() - began - read_s
    mask = None if settings.seed is None else _seed(settings.seed, samples, observation, grid, settings, beam)
    imaged = make_image(samples, observation, grid, settings, mask=mask, beam=beam)
    difference = None
    if collected.difference is not None:
        difference = _dirty(collected.difference, observation, grid, settings, beam).image
    figures = {
        "averaging": collected.plan.as_json() | {"noise_scale": collected.noise_scale},
        "outliers": removed.as_json(),
        "surroundings": surroundings(observation),
        "read_seconds": round(read_s, 2),
        "outlier_seconds": round(subtract_s, 2),
    }
    written = write_images(
        imaged, place.directory, place.stem, provenance, settings, difference=difference, figures=figures
    )
    if settings.half_bands:
        _write_half_bands(samples, imaged, place, settings, provenance, mask)
    return written


def _known_sources(observation: Observation, catalogue: CatalogueSettings) -> PointSources | None:
    """Read what the reference has around the field."""
    if catalogue.reference is None:
        return None
    place = (observation.ra_deg, observation.dec_deg, _AROUND_DEG)
    return reference_around(catalogue.reference, catalogue.directory, *place).sources


def image_with_wsclean(
    source: Calibrated, place: Place, settings: ImageSettings, provenance: Provenance
) -> dict[str, Path]:
    """Image a column with the WSClean that is installed, for comparison: the same products, with equivalent options.

    Outliers are left in the data, and the model is constant in time.

    Raises
    ------
    UsageError
        The visibilities are no column.
    MissingToolError, ImagingError
        WSClean is not installed, or failed.
    """
    if source.solutions:
        raise UsageError(
            "WSClean images a column", path=source.ms, remedy="Write CORRECTED_DATA first, with dsa110-contimg apply."
        )
    observation, beam = observe(source.ms), beam_model(settings.beam)
    grid = choose_grid(observation, settings, beam)
    return run_wsclean(
        source.ms,
        place.directory,
        place.stem,
        grid,
        settings,
        provenance,
        observation=observation,
        beam=beam,
        column=source.column,
        seed=None if settings.seed is None else read_sources(settings.seed),
    )


def _write_half_bands(
    samples: Samples,
    imaged: Imaged,
    place: Place,
    settings: ImageSettings,
    provenance: Provenance,
    mask: NDArray[np.bool_] | None,
) -> None:
    """Image the lower and the upper half of the band.

    The components of the whole band are gone from the samples; in a half they are seen through its own beam and with
    the spectrum that is assumed. What is left shows what the spectra really are, and is cleaned in one more cycle.
    """
    n_channels = samples.freq_hz.size
    if n_channels < _FEWEST_CHANNELS:
        log.warning("%s: %d channel cannot be halved", place.stem, n_channels)
        return
    known = imaged.model != 0
    mask = known if mask is None else mask | known
    lower: Imaged | None = None
    one_image = settings.model_copy(update={"channels_out": 1, "terms": 1, "major_cycles": 1})
    beam = beam_model(settings.beam)
    for band, part in ((Band.LOWER, slice(0, n_channels // 2)), (Band.UPPER, slice(n_channels // 2, n_channels))):
        half = samples._replace(
            freq_hz=samples.freq_hz[part],
            visibilities=np.ascontiguousarray(samples.visibilities[:, part]),
            weights=np.ascontiguousarray(samples.weights[:, part]),
        )
        if not half.weights.any():
            log.warning("%s: the %s half of the band has no good visibility: no image of it", place.stem, band)
            continue
        try:
            begun = begin_part(imaged, part, lower)
            made = make_image(half, imaged.observation, imaged.grid, one_image, mask=mask, begun=begun, beam=beam)
        except (ImagingError, UsageError) as why:
            log.warning("%s: no image of the %s half of the band: %s", place.stem, band, why)
            continue
        if lower is None and band is Band.LOWER:
            lower = made
        write_images(made, place.directory, f"{place.stem}-{band}", provenance, one_image, kinds=_HALF_BAND_KINDS)


def _seed(
    catalogue: Path,
    samples: Samples,
    observation: Observation,
    grid: Grid,
    settings: ImageSettings,
    beam: BeamModel,
) -> NDArray[np.bool_]:
    """Mark where the sources of a catalogue are, each as large as the restoring beam, which has to be found first."""
    dirty = _dirty(samples, observation, grid, settings, beam)
    header = image_header(dirty, Provenance("", ""), settings)
    return seed_mask(read_sources(catalogue), header, dirty.image.shape)


def _dirty(samples: Samples, observation: Observation, grid: Grid, settings: ImageSettings, beam: BeamModel) -> Imaged:
    """Image without deconvolution."""
    plain = settings.model_copy(update={"iterations": 0, "channels_out": 1, "terms": 1})
    return make_image(samples, observation, grid, plain, beam=beam)
