"""Forced measurements of images on the disk, a group's or an epoch's mosaics, in all bands; their rows as files."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from astropy.io import fits
from pyarrow import parquet

from dsa110_contimg.errors import ContimgError, NamingError, UnreadableFileError, UsageError
from dsa110_contimg.images.fits import parse_header, read_image
from dsa110_contimg.images.verdicts import verdict_of
from dsa110_contimg.naming import (
    Band,
    ImageKind,
    MosaicKind,
    epoch_file_name,
    epoch_record_name,
    image_file_name,
    image_stem,
    mosaic_file_name,
    mosaic_record_name,
    parse_epoch_directory_name,
    parse_images_name,
    parse_mosaic_name,
    quality_name,
)
from dsa110_contimg.photometry.beam_error import beam_error as error_of_beam
from dsa110_contimg.photometry.beam_samples import model_of
from dsa110_contimg.photometry.forced import About, Planes, measure
from dsa110_contimg.photometry.measurements import SCHEMA, SCHEMA_VERSION
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsa110_contimg.config.settings import PhotometrySettings
    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.photometry.forced_beam import BeamError
    from dsa110_contimg.photometry.forced_places import Reference

log = logging.getLogger(__name__)

# The whole band, and its halves where they were imaged.
_BANDS: tuple[Band | None, ...] = (None, Band.LOWER, Band.UPPER)


def read_planes(image: Path, pb: Path | None = None, rms: Path | None = None) -> Planes:
    """Read what is measured: an image, and its primary beam or its predicted noise if it has them.

    Raises
    ------
    UnreadableFileError, HeaderKeyError, HeaderValueError
        One cannot be read.
    """
    sky = read_image(image)
    others = (None if path is None else read_image(path).pixels for path in (pb, rms))
    return Planes(sky.pixels, sky.header, *others)


def measure_group(
    directory: Path,
    reference: Reference,
    settings: PhotometrySettings,
    epoch: str = "",
    *,
    bad_epoch: bool = False,
) -> pa.Table:
    """Measure the images of a group: of the whole band, and of its halves if they are there.

    Parameters
    ----------
    directory : Path
        The group's ``*-images``.
    reference : Reference
        The places.
    settings : PhotometrySettings
        See `forced.measure`.
    epoch : str
        Which epoch the rows belong to.
    bad_epoch : bool
        Whether that was judged bad.

    Raises
    ------
    UsageError
        It is no directory of images.
    UnreadableFileError, HeaderKeyError, HeaderValueError
        An image cannot be read.
    """
    try:
        group = parse_images_name(directory.name)
    except NamingError as error:
        raise UsageError(str(error.message), path=directory, remedy="Name *-images directories.") from error
    bad = verdict_of(directory / quality_name(image_stem(group))) == "bad"
    tables = []
    for band in _BANDS:
        stem = image_stem(group, band)
        image, pb = (directory / image_file_name(stem, kind) for kind in (ImageKind.IMAGE, ImageKind.PB))
        if band is not None and not image.exists():
            continue
        planes = read_planes(image, pb)
        about = About(
            epoch=epoch,
            image=group,
            kind="group",
            band=band or "full",
            beam_version=model_of(planes.header).description,
            bad_image=bad,
            bad_epoch=bad_epoch,
        )
        tables.append(measure(planes, reference, about, settings, partial(error_of_beam, [planes.header])))
    return together(tables)


def measure_epoch(
    directory: Path,
    epoch: str,
    reference: Reference,
    settings: PhotometrySettings,
    *,
    beam_version: str = "",
    beam_error: BeamError | None = None,
    bad_epoch: bool = False,
) -> pa.Table:
    """Measure an epoch's mosaics: of the whole band, and of its halves if they are there.

    Parameters
    ----------
    directory : Path
        Where they are: the epoch's, or what will be that.
    epoch : str
        Its id.
    reference : Reference
        The places.
    settings : PhotometrySettings
        See `forced.measure`.
    beam_version, beam_error
        Of the primary beam that its images were corrected for, see `beam_of`.
    bad_epoch : bool
        Whether it was judged bad.

    Raises
    ------
    UnreadableFileError, HeaderKeyError, HeaderValueError
        A mosaic cannot be read.
    """
    tables = []
    for band in _BANDS:
        image, rms = (directory / epoch_file_name(epoch, kind, band) for kind in (MosaicKind.IMAGE, MosaicKind.RMS))
        if band is not None and not image.exists():
            continue
        about = About(epoch, epoch, "mosaic", band or "full", beam_version, bad_epoch=bad_epoch)
        tables.append(measure(read_planes(image, rms=rms), reference, about, settings, beam_error))
    return together(tables)


def measure_directory(directory: Path, reference: Reference, settings: PhotometrySettings) -> pa.Table:
    """Measure what a directory has, by its name: a group's images, an epoch, or a mosaic made by hand.

    Raises
    ------
    UsageError
        It is none of these.
    UnreadableFileError, HeaderKeyError, HeaderValueError
        Something in it cannot be read.
    """
    for named, measured in ((parse_epoch_directory_name, _epoch_by_record), (parse_mosaic_name, _mosaic_by_hand)):
        try:
            named(directory.name)
        except NamingError:
            continue
        return measured(directory, reference, settings)
    return measure_group(directory, reference, settings)


def _epoch_by_record(directory: Path, reference: Reference, settings: PhotometrySettings) -> pa.Table:
    epoch = parse_epoch_directory_name(directory.name)
    record = directory / epoch_record_name(epoch)
    version, error = beam_of_record(record)
    bad = verdict_of(record) == "bad"
    return measure_epoch(directory, epoch, reference, settings, beam_version=version, beam_error=error, bad_epoch=bad)


def _mosaic_by_hand(directory: Path, reference: Reference, settings: PhotometrySettings) -> pa.Table:
    first, last = parse_mosaic_name(directory.name)
    version, error = beam_of_record(directory / mosaic_record_name(first, last))
    image, rms = (directory / mosaic_file_name(first, last, kind) for kind in (MosaicKind.IMAGE, MosaicKind.RMS))
    about = About("", directory.name, "mosaic", beam_version=version)
    return together([measure(read_planes(image, rms=rms), reference, about, settings, error)])


def beam_of(headers: Sequence[ImageHeader], noises_jy: Sequence[float]) -> tuple[str, BeamError]:
    """Tell which primary beam a mosaic was corrected for, and how wrong its fluxes may be for it.

    Parameters
    ----------
    headers : sequence of ImageHeader
        Of the images in it.
    noises_jy : sequence of float
        The noise of each [Jy/beam].
    """
    names = sorted({model_of(header).description for header in headers})
    weights = 1.0 / np.asarray(noises_jy, np.float64) ** 2
    return "; ".join(names), partial(error_of_beam, list(headers), weights=weights)


def beam_of_record(path: Path) -> tuple[str, BeamError | None]:
    """Do the same for a mosaic by its record; without an error where one of its images is not there any more.

    Raises
    ------
    UnreadableFileError
        There is no record, or one that says nothing of its images.
    """
    images = images_of_record(path)
    try:
        headers = [_header_of(image) for image, _ in images]
    except OSError as error:
        log.warning("%s: an image is not there (%s): fluxes have no error of the primary beam", path.name, error)
        return "", None
    return beam_of(headers, [noise for _, noise in images])


def images_of_record(path: Path) -> list[tuple[Path, float]]:
    """Read from a mosaic's record which images are in it, and the noise of each [Jy/beam].

    Raises
    ------
    UnreadableFileError
        There is no record, or one that says nothing of its images.
    """
    try:
        inputs: list[dict[str, Any]] = json.loads(path.read_text())["inputs"]
        return [(_still_there(Path(one["image"]), path.parent), float(one["noise_jy"])) for one in inputs]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(f"is no record of a mosaic ({type(error).__name__}: {error})", path=path) from error


def together(tables: Sequence[pa.Table]) -> pa.Table:
    """Put rows of several images together."""
    return pa.concat_tables([SCHEMA.empty_table(), *tables]).unify_dictionaries().combine_chunks()


def write_measurements(path: Path, table: pa.Table) -> None:
    """Write rows as Parquet, into a directory that is published as a whole.

    Raises
    ------
    OutputError
        They cannot be written.
    """
    with output_errors(path):
        parquet.write_table(table, path, compression="zstd")


def read_measurements(path: Path) -> pa.Table:
    """Read what `write_measurements` wrote.

    Raises
    ------
    UnreadableFileError
        It is not there, or no such table, or one of a later version.
    """
    try:
        table = parquet.read_table(path, partitioning=None)
        version = int((table.schema.metadata or {}).get(b"schema_version", b"0"))
        if version != SCHEMA_VERSION:
            raise ValueError(f"version {version} of the schema, not {SCHEMA_VERSION}")
        return table.select(SCHEMA.names).cast(SCHEMA)
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, ContimgError):
            raise
        said = " ".join(str(error).split())
        raise UnreadableFileError(f"is no table of measurements ({type(error).__name__}: {said})", path=path) from error


def _still_there(image: Path, mosaic: Path) -> Path:
    """Where an image is: as it was said, or if that moved, in the group's directory beside that of the mosaic."""
    beside = mosaic.parent / image.parent.name / image.name
    return beside if beside.exists() and not image.exists() else image


def _header_of(image: Path) -> ImageHeader:
    with fits.open(image) as hdus:
        return parse_header(hdus[0].header, image)
