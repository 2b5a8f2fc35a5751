"""What a mosaic leaves: three FITS files, written band by band, and a record of what is in it."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.io import fits

from dsa110_contimg.config.plain import plain
from dsa110_contimg.images.fits import Card, ImageHeader, fits_header
from dsa110_contimg.naming import MosaicKind, mosaic_file_name, mosaic_name, mosaic_record_name
from dsa110_contimg.storage.files import output_errors, sync_tree
from dsa110_contimg.storage.publish import partial_directory, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dsa110_contimg.config.settings import MosaicSettings
    from dsa110_contimg.mosaic.inputs import Input
    from dsa110_contimg.mosaic.joining import Joint

FORMAT = 1
_UNITS = {MosaicKind.IMAGE: "JY/BEAM", MosaicKind.RMS: "JY/BEAM", MosaicKind.WEIGHT: "BEAM2/JY2"}


class Written(NamedTuple):
    """A mosaic on the disk: its directory, and some figures."""

    directory: Path
    plane: dict[str, Any]
    best_rms_jy: float
    area_deg2: float


class Covered(NamedTuple):
    """The least noise of a mosaic [Jy/beam], and how much sky is in it [deg2]."""

    best_rms_jy: float
    area_deg2: float


def write_mosaic(
    joint: Joint,
    inputs: Sequence[Input],
    output: Path,
    settings: MosaicSettings,
    facts: Mapping[str, Any],
    *,
    replace: bool = False,
    draw: Callable[[Path, str], object] | None = None,
) -> Written:
    """Write a mosaic into a directory that appears whole.

    Parameters
    ----------
    joint : Joint
        What it is; its bands are made now.
    inputs : sequence of Input
        What it is of, the oldest first.
    output : Path
        Where the directory appears.
    settings : MosaicSettings
        How it was made.
    facts : mapping
        More for the record: why these images, what was left out.
    replace : bool
        Whether one that is there already gives way.
    draw : callable, optional
        Is given the directory before it appears, and what the names in it begin with, to leave a picture there.

    Raises
    ------
    OutputExistsError
        It is there already.
    OutputError
        It cannot be written.
    """
    first, last = inputs[0].group, inputs[-1].group
    name = mosaic_name(first, last)
    with partial_directory(output, first) as partial:
        directory = partial / name
        with output_errors(directory):
            directory.mkdir()
        covered = write_mosaic_planes(joint, inputs, directory, lambda kind: mosaic_file_name(first, last, kind))
        record = mosaic_facts(joint, settings) | covered._asdict() | dict(facts)
        with output_errors(directory):
            (directory / mosaic_record_name(first, last)).write_text(json.dumps(plain(record), indent=1) + "\n")
        if draw is not None:
            draw(directory, name.removesuffix("-mosaic"))
        with output_errors(directory):
            sync_tree(partial)
        publish(directory, output / name, replace=replace)
    return Written(output / name, joint.plane._asdict(), covered.best_rms_jy, covered.area_deg2)


def mosaic_facts(joint: Joint, settings: MosaicSettings) -> dict[str, Any]:
    """Say of a mosaic what is in it and how it was made, for its record."""
    return {
        "format": FORMAT,
        "plane": joint.plane._asdict(),
        "beam": joint.beam._asdict(),
        "beam_note": _beam_note(settings),
        "inputs": [one._asdict() | {"beam": one.beam._asdict()} for one in joint.used],
        "settings": settings.model_dump(mode="json"),
    }


def write_mosaic_planes(
    joint: Joint, inputs: Sequence[Input], directory: Path, name_of: Callable[[MosaicKind], str]
) -> Covered:
    """Write image, noise and weight of a mosaic, band by band, into a directory that is published as a whole.

    Parameters
    ----------
    joint, inputs
        As of `write_mosaic`.
    directory : Path
        It is there already.
    name_of : callable
        Names the file of each kind.

    Raises
    ------
    OutputError
        They cannot be written.
    """
    header = _header(joint, inputs)
    history = [f"{one.group} weight {one.share:.4f} noise {one.noise_jy * 1e3:.4f} mJy" for one in joint.used]
    best, n_pixels = np.inf, 0
    with output_errors(directory), ExitStack() as files:
        streams = {
            kind: files.enter_context(closing(_stream(directory / name_of(kind), kind, joint, header, history)))
            for kind in MosaicKind
        }
        for band in joint.bands:
            for kind, values in zip(MosaicKind, (band.image, band.rms, band.weight), strict=True):
                streams[kind].write(values.astype(">f4")[None, None])
            there = np.isfinite(band.rms)
            n_pixels += int(there.sum())
            best = min(best, float(np.nanmin(band.rms)) if there.any() else np.inf)
    return Covered(best, n_pixels * joint.plane.cell_deg**2)


def _stream(
    path: Path, kind: MosaicKind, joint: Joint, header: ImageHeader, history: Sequence[str]
) -> fits.StreamingHDU:
    quantity = {MosaicKind.IMAGE: "Intensity", MosaicKind.RMS: "Noise", MosaicKind.WEIGHT: "Weight"}[kind]
    of_kind = header._replace(unit=_UNITS[kind], quantity=quantity)
    shape = joint.plane.n_dec, joint.plane.n_ra
    cards = fits_header(of_kind, shape, history)
    layout: list[tuple[str, bool | int]] = [("SIMPLE", True), ("BITPIX", -32), ("NAXIS", 4)]
    layout += [("NAXIS1", shape[1]), ("NAXIS2", shape[0]), ("NAXIS3", 1), ("NAXIS4", 1)]
    for place, (key, value) in enumerate(layout):
        cards.insert(place, (key, value))
    return fits.StreamingHDU(path, cards)


def _header(joint: Joint, inputs: Sequence[Input]) -> ImageHeader:
    headers = [one.header for one in inputs]
    start, end = min(one.start_mjd for one in headers), max(one.end_mjd for one in headers)
    exposure = sum(
        (one.end_mjd - one.start_mjd) * 86400.0 if one.exposure_s is None else one.exposure_s for one in headers
    )
    first = headers[0]
    cards = (
        Card("NIMAGES", len(inputs), "images that were joined"),
        Card("GROUPS", f"{inputs[0].group} to {inputs[-1].group}", "the first and the last"),
        Card("PBCORR", True, "flux is corrected for the primary beam"),
    )
    return ImageHeader(
        ra_deg=joint.plane.ra_deg,
        dec_deg=joint.plane.dec_deg,
        cell_deg=joint.plane.cell_deg,
        freq_hz=float(np.mean([one.freq_hz for one in headers])),
        bandwidth_hz=first.bandwidth_hz,
        start_mjd=start,
        middle_mjd=float(np.mean([one.middle_mjd for one in headers])),
        end_mjd=end,
        beam=joint.beam,
        telescope=first.telescope,
        target="mosaic",
        exposure_s=exposure,
        cards=cards,
    )


def _beam_note(settings: MosaicSettings) -> str:
    if settings.convolve:
        return (
            "all images were smoothed to this beam, as it lies in the mosaic's plane; far from its centre that plane "
            "squeezes pixels along the radius by the cosine of the distance"
        )
    return "images have beams of their own, listed with them; this is that of the one with the largest weight"
