"""A Measurement Set imaged by hand: the same steps as in the stream, published through the same function."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import casacore.tables as ct

from dsa110_contimg.errors import MeasurementSetError, NamingError, OutputExistsError
from dsa110_contimg.imaging.observation import observe
from dsa110_contimg.imaging.products import Provenance
from dsa110_contimg.naming import group_id_from_mjd, parse_ms_name
from dsa110_contimg.pipeline.description import StageTime
from dsa110_contimg.pipeline.imaging import Calibrated, Place, image_group, image_with_wsclean
from dsa110_contimg.pipeline.judging import catalogue_group
from dsa110_contimg.pipeline.measurement_set import facts_of
from dsa110_contimg.pipeline.reporting import LogTail, Told, report_group
from dsa110_contimg.storage.publish import clear_dead_partials, partial_directory, publish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dsa110_contimg.config.settings import Settings

log = logging.getLogger(__name__)


class Visibilities(NamedTuple):
    """What is imaged, and what calibrates it (`calibration_records.applied_facts`; None: it is read as it is)."""

    source: Calibrated
    calibration: dict[str, Any] | None


class ImagedGroup(NamedTuple):
    """What came of it.

    Attributes
    ----------
    directory, report : Path
        Where all of it is, and the page to begin with.
    quality : str
        Verdict: ``good``, ``usable`` or ``bad``.
    reasons : tuple of str
        Why it is not better.
    n_sources : int
        In the catalogue.
    rms_jy : float
        Noise [Jy/beam].
    """

    directory: Path
    report: Path
    quality: str
    reasons: tuple[str, ...]
    n_sources: int
    rms_jy: float


def has_column(ms: Path, column: str) -> bool:
    """Whether a Measurement Set has a column.

    Raises
    ------
    MeasurementSetError
        It cannot be opened.
    """
    try:
        with ct.table(str(ms), ack=False) as table:
            return column in table.colnames()
    except RuntimeError as error:
        raise MeasurementSetError(f"cannot be read ({error})", path=ms) from error


def image_by_hand(
    visibilities: Visibilities,
    output: Path,
    settings: Settings,
    *,
    engine: str = "own",
    command: str = "",
    overwrite: bool = False,
) -> ImagedGroup:
    """Image a Measurement Set, find and compare the sources, judge, and write a report: a directory, published whole.

    Parameters
    ----------
    visibilities : Visibilities
        What is imaged.
    output : Path
        ``<MS>-images`` appears there.
    settings : Settings
        ``image``, ``catalogue`` and ``quality`` count here.
    engine : {"own", "wsclean"}
        What makes the images.
    command : str
        What was typed, for the records.
    overwrite : bool
        Whether what is there is replaced.

    Raises
    ------
    OutputExistsError
        It is there already.
    ContimgError
        As of `image_group`, `catalogue_group` and `report_group`.
    """
    ms = visibilities.source.ms
    stem = ms.name.removesuffix(".ms")
    final = output / f"{stem}-images"
    if final.exists() and not overwrite:
        raise OutputExistsError("is there already", path=final, remedy="Give --overwrite to replace it.")
    clear_dead_partials(output)
    group = _group_of(ms)
    provenance = Provenance(group=group, ms=ms.name, calibration=visibilities.calibration, command=command)
    times: list[StageTime] = []
    with partial_directory(output, group) as partial, LogTail() as tail:
        place = Place(partial / final.name, stem)
        place.directory.mkdir()
        with _timed("image", times):
            _make_images(engine, visibilities.source, place, settings, provenance)
        with _timed("catalogue", times):
            judged = catalogue_group(place, settings.catalogue, settings.quality)
        told = Told(group, "", times, {"log": tail.lines}, command)
        report = report_group(ms, place, told, visibilities.calibration)
        publish(place.directory, final, replace=overwrite)
    quality = judged.quality
    return ImagedGroup(
        final,
        final / report.name,
        quality.verdict.value,
        quality.reasons,
        len(judged.sources),
        quality.noise.rms_jy,
    )


def _make_images(engine: str, source: Calibrated, place: Place, settings: Settings, provenance: Provenance) -> None:
    if engine == "wsclean":
        image_with_wsclean(source, place, settings.image, provenance)
    else:
        image_group(source, place, settings.image, provenance, settings.catalogue)


def _group_of(ms: Path) -> str:
    """Tell the group from the name, or from when the data begin."""
    try:
        return parse_ms_name(ms.name)[0]
    except NamingError:
        return str(facts_of(ms).get("group") or group_id_from_mjd(observe(ms).start_mjd))


@contextmanager
def _timed(name: str, times: list[StageTime]) -> Iterator[None]:
    begun = time.monotonic()
    yield
    times.append(StageTime(name, round(time.monotonic() - begun, 3), 0, 0))
