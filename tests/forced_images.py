"""Small images of a group, in three bands, an epoch's mosaic and one made by hand, all of the same sky."""

import json
import shutil

import numpy as np

from dsa110_contimg.images.fits import Card, write_plane
from dsa110_contimg.naming import (
    Band,
    ImageKind,
    MosaicKind,
    epoch_directory_name,
    epoch_file_name,
    epoch_record_name,
    image_file_name,
    image_stem,
    images_name,
    mosaic_file_name,
    mosaic_name,
    mosaic_record_name,
    quality_name,
)
from dsa110_contimg.naming.groups import group_id_from_mjd
from restored_image import Source, header_of, restored

N, RMS_JY = 192, 1e-3
SKY = (Source(129.0, 54.57, 0.3), Source(129.1, 54.6, 0.08), Source(128.9, 54.5, 0.0))
EPOCH = "20251005T120000+54.6"
HEADER = header_of(N)._replace(cards=(Card("PBMODEL", "airy", "model of the primary beam"),))
GROUP = group_id_from_mjd(HEADER.start_mjd)


def make_group(base, bands=(None, Band.LOWER, Band.UPPER), verdict="good"):
    """Write a group's images; half bands have 0.9 and 1.1 times the flux. The primary beam is 0.5."""
    directory = base / images_name(GROUP)
    directory.mkdir(parents=True)
    for seed, band in enumerate(bands):
        factor = {None: 0.5, Band.LOWER: 0.55, Band.UPPER: 0.45}[band]
        image = restored(N, [one._replace(flux_jy=one.flux_jy * factor) for one in SKY], RMS_JY, HEADER, seed)
        stem = image_stem(GROUP, band)
        write_plane(directory / image_file_name(stem, ImageKind.IMAGE), image.pixels, HEADER)
        pb = HEADER._replace(unit="", quantity="PrimaryBeam")
        write_plane(directory / image_file_name(stem, ImageKind.PB), np.full((N, N), 0.5), pb)
    (directory / quality_name(image_stem(GROUP))).write_text(json.dumps({"verdict": verdict, "reasons": []}))
    return directory


def make_epoch(base, group, verdict="good", bands=(None, Band.LOWER)):
    """Write an epoch of which the group's images are the inputs."""
    directory = base / epoch_directory_name(EPOCH)
    directory.mkdir(parents=True)
    for seed, band in enumerate(bands):
        image = restored(N, SKY, RMS_JY, HEADER, seed + 5)
        write_plane(directory / epoch_file_name(EPOCH, MosaicKind.IMAGE, band), image.pixels, HEADER)
        write_plane(directory / epoch_file_name(EPOCH, MosaicKind.RMS, band), np.full((N, N), RMS_JY), HEADER)
    record = {"verdict": verdict, "inputs": [{"group": GROUP, "image": image_of(group), "noise_jy": RMS_JY}]}
    (directory / epoch_record_name(EPOCH)).write_text(json.dumps(record))
    return directory


def make_mosaic(base, epoch):
    """Make a mosaic as made by hand of an epoch's."""
    directory = base / mosaic_name(GROUP, GROUP)
    directory.mkdir(parents=True)
    for kind in (MosaicKind.IMAGE, MosaicKind.RMS):
        shutil.copy(epoch / epoch_file_name(EPOCH, kind), directory / mosaic_file_name(GROUP, GROUP, kind))
    shutil.copy(epoch / epoch_record_name(EPOCH), directory / mosaic_record_name(GROUP, GROUP))
    return directory


def image_of(group):
    """The image of the whole band in a group's directory, as text."""
    return str(group / image_file_name(image_stem(GROUP), ImageKind.IMAGE))
