"""An epoch: an hour's images of a strip joined, its sources found, associated, judged and measured, all in one place.

`make_epoch` is what the stream's job and the verb ``photometry epoch`` share; it reads the strip's list and its steady
sources, and writes nothing but the epoch's directory. `keep_epoch` takes what that has into list and light curves.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.calibration.grading import Verdict
from dsa110_contimg.errors import MosaicError, UnreadableFileError
from dsa110_contimg.lightcurves.scaling import scale_measurements
from dsa110_contimg.lightcurves.store import add_epoch
from dsa110_contimg.mosaic.epochs import Epoch as Hour
from dsa110_contimg.mosaic.epochs import epoch_of, epoch_start
from dsa110_contimg.mosaic.inputs import find_inputs, read_input, require_alike
from dsa110_contimg.mosaic.joining import join
from dsa110_contimg.mosaic.products import mosaic_facts, write_mosaic_planes
from dsa110_contimg.naming import (
    FOUND_NAME,
    MEASUREMENTS_NAME,
    REFERENCE_NAME,
    Band,
    ImageKind,
    MosaicKind,
    epoch_directory_name,
    epoch_file_name,
    epoch_record_name,
    image_file_name,
    image_stem,
    parse_epoch_directory_name,
    parse_epoch_id,
    preview_name,
    sources_stem,
)
from dsa110_contimg.photometry.beam_check import check_beam, known_fluxes
from dsa110_contimg.photometry.forced_images import (
    beam_of,
    measure_epoch,
    measure_group,
    together,
    write_measurements,
)
from dsa110_contimg.photometry.found import found_table, write_found
from dsa110_contimg.photometry.growing import adopt, entries, grow, trusted
from dsa110_contimg.photometry.records import write_sources
from dsa110_contimg.photometry.reference import alive, current_reference, read_list, update_reference, write_list
from dsa110_contimg.photometry.ties import ties_of
from dsa110_contimg.pipeline.epoch_record import write_record
from dsa110_contimg.pipeline.mosaic_sources import find_on_mosaic
from dsa110_contimg.qa.epoch_figures import EpochFigures, flux_ratio_to, middle_noise, missing_of
from dsa110_contimg.qa.epoch_gates import judge_epoch
from dsa110_contimg.qa.pictures import save_png
from dsa110_contimg.qa.preview import Seen, preview_figure
from dsa110_contimg.storage.files import output_errors
from dsa110_contimg.telescope.band import HEADER_SITE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.mosaic.inputs import Input
    from dsa110_contimg.photometry.growing import Grown
    from dsa110_contimg.photometry.reference import ReferenceList
    from dsa110_contimg.pipeline.mosaic_sources import MosaicSources
    from dsa110_contimg.qa.epoch_gates import EpochQuality

log = logging.getLogger(__name__)

# Parts of the work, as they take time.
_JOINED, _FOUND, _MEASURED = 0.4, 0.6, 0.95


class EpochMade(NamedTuple):
    """An epoch that was made.

    Attributes
    ----------
    directory : Path
        All of it, named as it is to be published.
    verdict : str
        ``good``, ``usable`` or ``bad``.
    reasons : tuple of str
        Why it is not better.
    n_images, n_sources, n_measurements : int
        Images that were joined, sources that were found, and rows of measurements.
    best_rms_jy : float
        The least noise that the images predict for the mosaic [Jy/beam].
    n_new : int
        Sources that it adds to the strip's list.
    reference_version : int
        Version of the list that they are added to; 0: there was none.
    """

    directory: Path
    verdict: str
    reasons: tuple[str, ...]
    n_images: int
    n_sources: int
    n_measurements: int
    best_rms_jy: float
    n_new: int = 0
    reference_version: int = 0


def make_epoch(
    epoch: str,
    images: Sequence[Path],
    lightcurves: Path,
    output: Path,
    settings: Settings,
    fingerprints: Mapping[str, str] | None = None,
    progress: Callable[[float], object] = lambda fraction: None,
) -> EpochMade:
    """Join the images of an epoch, find and associate sources, judge it, and measure the strip's list on all of it.

    Parameters
    ----------
    epoch : str
        Its id, which tells the strip.
    images : sequence of Path
        The groups' ``*-images`` directories. Bad ones are measured, but not joined.
    lightcurves : Path
        Where the strip's list and steady sources are; only read.
    output : Path
        ``<id>-epoch`` is made in it, for the caller to publish.
    settings : Settings
        ``mosaic``, ``catalogue``, ``photometry``, ``epochs``, ``lightcurves`` and ``quality`` count.
    fingerprints : mapping, optional
        Checksums of the groups' products, for the record. Not given: those of the images that were joined.
    progress : callable
        Is told which fraction of the work has been done.

    Raises
    ------
    MosaicError
        The images cannot be joined, or all are bad.
    ContimgError
        An image or the strip's list cannot be read, sources not be found, or something not be written.
    """
    began = time.monotonic()
    directory = output / epoch_directory_name(epoch)
    with output_errors(directory):
        directory.mkdir()
    inputs = find_inputs(images)
    chosen = [one for one in inputs if one.verdict != "bad"]
    if inputs and not chosen:
        raise MosaicError(
            f"all {len(inputs)} images of {epoch} were judged bad", remedy="Their reports say why: look at calibration."
        )
    joint = _join_bands(epoch, chosen, directory, settings, lambda fraction: progress(_JOINED * fraction))
    image, rms = (directory / epoch_file_name(epoch, kind) for kind in (MosaicKind.IMAGE, MosaicKind.RMS))
    found = find_on_mosaic(image, rms, settings.catalogue)
    write_sources(found.sources, directory, sources_stem(epoch))
    progress(_FOUND)
    before = current_reference(lightcurves, parse_epoch_id(epoch).strip)
    grown = _grow(epoch, found, before, settings)
    quality, figures = _judge(inputs, chosen, found, before, grown, settings)
    bad = quality.verdict is Verdict.BAD
    # What a bad image shows is no source of the strip.
    reference = before if bad else grown.reference
    rows = _measure(epoch, directory, inputs, joint, reference, settings, bad=bad)
    beam = check_beam(rows, [one.image for one in inputs], known_fluxes(alive(reference)), settings.beams)
    for warning in beam.warnings:
        log.warning("%s: %s", epoch, warning)
    scaled = scale_measurements(lightcurves, before.strip, rows, settings.lightcurves)
    progress(_MEASURED)
    write_measurements(directory / MEASUREMENTS_NAME, scaled.table)
    write_found(directory / FOUND_NAME, found_table(found.sources, before, grown))
    write_list(directory / REFERENCE_NAME, reference)
    _draw(epoch, directory, found, quality)
    n_new = 0 if bad else int(grown.added.sum())
    facts = {
        "epoch": epoch,
        "strip": before.strip,
        **quality.as_json(),
        "figures": figures._asdict() | {"ties": None if figures.ties is None else figures.ties.as_json()},
        "mosaic": {name: joint[name] for name in joint if name not in {"inputs", "settings", "format"}},
        "reference": {"version": before.version, "sources": len(alive(reference).source_id), "new": n_new},
        "association": _counted(grown),
        "primary_beam": {"warnings": beam.warnings, "why": beam.why},
        "beam_arcsec": 3600.0 * found.header.beam.major_deg,
        "measurements": scaled.table.num_rows,
        "scales": [one._asdict() for one in scaled.scales],
        "seconds": round(time.monotonic() - began, 2),
    }
    write_record(directory / epoch_record_name(epoch), facts, inputs, joint["inputs"], settings, fingerprints)
    log.info(
        "%s: %d images, %d sources, %d of them new, %d measurements in %.1f s; %s",
        *(epoch, len(chosen), len(found.sources), n_new, scaled.table.num_rows, facts["seconds"], quality),
    )
    progress(1.0)
    return EpochMade(
        directory,
        quality.verdict.value,
        quality.reasons,
        len(chosen),
        len(found.sources),
        scaled.table.num_rows,
        float(joint["best_rms_jy"]),
        n_new,
        before.version,
    )


def keep_epoch(directory: Path, lightcurves: Path, settings: Settings) -> None:
    """Take a published epoch into its strip's list and into the light curves; a second time changes nothing.

    A bad epoch adds no sources; its measurements are kept, flagged so.

    Parameters
    ----------
    directory : Path
        ``<id>-epoch``.
    lightcurves : Path
        Where list and light curves are kept; made if need be.
    settings : Settings
        ``lightcurves`` counts.

    Raises
    ------
    UnreadableFileError, ReferenceListError, LightcurveError
        Something of it cannot be read.
    OutputError
        List or light curves cannot be written.
    """
    record = read_epoch_record(directory)
    if record["verdict"] != Verdict.BAD.value:
        theirs = read_list(directory / REFERENCE_NAME)
        beam_arcsec = float(record["beam_arcsec"])
        list_now, new = update_reference(lightcurves, theirs.strip, lambda now: adopt(now, theirs, beam_arcsec))
        if new:
            log.info("%s: list %d of the strip has %d sources", theirs.strip, list_now.version, len(list_now.source_id))
    add_epoch(lightcurves, directory, settings.lightcurves)


def read_epoch_record(directory: Path) -> dict[str, Any]:
    """Read the record of an epoch.

    Raises
    ------
    NamingError
        The directory is not called as an epoch's is.
    UnreadableFileError
        It has no record, or one that lacks what every one has.
    """
    path = directory / epoch_record_name(parse_epoch_directory_name(directory.name))
    try:
        record: dict[str, Any] = json.loads(path.read_text())
        for key in ("epoch", "strip", "verdict", "beam_arcsec"):
            record[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(f"is no record of an epoch ({type(error).__name__}: {error})", path=path) from error
    return record


def half_band(inputs: Sequence[Input], band: Band) -> list[Input]:
    """Find the images of half the band beside those of the whole.

    Raises
    ------
    MosaicError, UnreadableFileError, HeaderKeyError, HeaderValueError
        One cannot be read.
    """
    places = [one.image.with_name(image_file_name(image_stem(one.group, band), ImageKind.IMAGE)) for one in inputs]
    return [read_input(place) for place in places if place.exists()]


def _join_bands(
    epoch: str, chosen: Sequence[Input], directory: Path, settings: Settings, progress: Callable[[float], object]
) -> dict[str, Any]:
    """Write the mosaics of the whole band, and of its halves if there are images of them; say what is in the former."""
    require_alike(chosen)
    facts: dict[str, Any] = {}
    bands: tuple[Band | None, ...] = (None, Band.LOWER, Band.UPPER)
    for k, band in enumerate(bands):
        inputs = list(chosen) if band is None else half_band(chosen, band)
        if not inputs:
            continue
        joint = join(inputs, settings.mosaic, lambda fraction, k=k: progress((k + fraction) / len(bands)))  # type: ignore[misc]
        covered = write_mosaic_planes(
            joint,
            inputs,
            directory,
            lambda kind, band=band: epoch_file_name(epoch, kind, band),  # type: ignore[misc]
        )
        said = mosaic_facts(joint, settings.mosaic) | covered._asdict()
        if band is None:
            facts = said | {"halves": {}}
        else:
            shares = {one.group: one.share for one in joint.used}
            facts["halves"][band.value] = {"beam": joint.beam._asdict(), "shares": shares, **covered._asdict()}
    return facts


def _grow(epoch: str, found: MosaicSources, before: ReferenceList, settings: Settings) -> Grown:
    return grow(
        before,
        entries(found.sources, f"epoch:{epoch}", epoch),
        trusted(found.sources, settings.photometry.new_sigma),
        3600.0 * found.header.beam.major_deg,
        settings.photometry.radius_sigma,
    )


def _judge(
    inputs: Sequence[Input],
    chosen: Sequence[Input],
    found: MosaicSources,
    before: ReferenceList,
    grown: Grown,
    settings: Settings,
) -> tuple[EpochQuality, EpochFigures]:
    listed = alive(before)
    rms_jy, predicted_jy = middle_noise(found.rms, found.predicted)
    ratio, n_compared = flux_ratio_to(found.sources, listed, grown.association)
    n_expected, n_missing = missing_of(listed, grown.association, found.header, found.rms)
    figures = EpochFigures(
        n_images=len(chosen),
        n_left_out=len(inputs) - len(chosen),
        rms_jy=rms_jy,
        predicted_rms_jy=predicted_jy,
        flux_ratio=ratio,
        n_compared=n_compared,
        n_expected=n_expected,
        n_missing=n_missing,
        offset=grown.association.offset,
        beam_arcsec=3600.0 * found.header.beam.major_deg,
        ties=ties_of(found.sources, settings.catalogue),
    )
    return judge_epoch(figures, settings.epochs, settings.quality), figures


def _measure(
    epoch: str,
    directory: Path,
    inputs: Sequence[Input],
    joint: Mapping[str, Any],
    reference: ReferenceList,
    settings: Settings,
    *,
    bad: bool,
) -> pa.Table:
    """Measure the list on the mosaics, and on the images of groups, be they bad or not.

    A group at the end of the hour is joined in two epochs, and measured where its middle is: once.
    """
    headers = {one.group: one.header for one in inputs}
    used = [(headers[one["group"]], one["noise_jy"]) for one in joint["inputs"]]
    version, beam_error = beam_of([header for header, _ in used], [noise for _, noise in used])
    listed, how = alive(reference), settings.photometry
    tables = [
        measure_epoch(directory, epoch, listed, how, beam_version=version, beam_error=beam_error, bad_epoch=bad),
        *(
            measure_group(one.image.parent, listed, how, epoch, bad_epoch=bad)
            for one in inputs
            if is_measured_with(epoch, one)
        ),
    ]
    return together(tables)


def is_measured_with(epoch: str, one: Input) -> bool:
    """Whether an image is measured with an epoch: its middle is not in the hour before or after."""
    middle = epoch_of(one, HEADER_SITE.longitude_deg)
    beside = (epoch_start(Hour(middle.number + k), HEADER_SITE.longitude_deg) for k in (-1, 1))
    return parse_epoch_id(epoch).start not in beside


def _draw(epoch: str, directory: Path, found: MosaicSources, quality: EpochQuality) -> None:
    figure = preview_figure(
        Seen(found.pixels, found.rms, None), found.header, sources=found.sources, verdict=quality.verdict.value
    )
    save_png(figure, directory / preview_name(epoch))


def _counted(grown: Grown) -> dict[str, Any]:
    """Say how those found were associated with the list."""
    relations = [relation.value for relation in grown.association.relation]
    return {name: relations.count(name) for name in sorted(set(relations))} | {
        "merged": {str(one): other for one, other in grown.merged.items()},
        "offset": grown.association.offset._asdict(),
    }
