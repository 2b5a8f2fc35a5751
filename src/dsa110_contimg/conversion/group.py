"""Converting one group: check its files, plan, write, publish."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dsa110_contimg.conversion.checks import SetAside, read_group
from dsa110_contimg.conversion.helpers import PhaseCentre
from dsa110_contimg.conversion.plan import Averaging, check_averaging, plan_conversion
from dsa110_contimg.conversion.provenance import Provenance, record
from dsa110_contimg.conversion.smearing import EDGE_DEG, smearing
from dsa110_contimg.conversion.writers import check_writer, get_writer
from dsa110_contimg.errors import DuplicateSubbandError, IncompleteGroupError, MeasurementSetError, OutputExistsError
from dsa110_contimg.ms.checks import check_ms
from dsa110_contimg.ms.description import OBSERVE_TARGET
from dsa110_contimg.ms.writing import reserve_room, table_errors
from dsa110_contimg.naming import group_id_from_mjd, ms_name, parse_subband_name
from dsa110_contimg.storage.publish import partial_directory, publish, require_writable
from dsa110_contimg.storage.room import require_free
from dsa110_contimg.telescope.earth import earth_orientation, warn_if_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dsa110_contimg.conversion.grouping import SubbandGroup
    from dsa110_contimg.conversion.model import CalibratorModel
    from dsa110_contimg.conversion.plan import ConversionPlan
    from dsa110_contimg.telescope.stations import Stations

log = logging.getLogger(__name__)

_DAYS = 86400.0


@dataclass(frozen=True)
class ConversionOptions:
    """How groups are converted; a UsageError where that cannot be, whatever the group.

    Attributes
    ----------
    writer : str
        Strategy: ``"direct-subband"`` or ``"pyuvdata"``.
    phase_centre : PhaseCentre
        Where the data are turned to.
    stations : Stations, optional
        Antenna positions that replace the headers' own.
    min_subbands : int
        Fewest good subbands of a group that is converted.
    workers : int
        Threads.
    averaging : Averaging
        Of channels and integrations.
    overwrite : bool
        Whether a good Measurement Set that is there already is replaced.
    scratch : Path, optional
        Fast disk on which Measurement Sets are written and validated before they are moved to their place.
    reserve_bytes : int
        What has to stay free on the root file system, if the scratch disk or the output is on it [bytes].
    calibrator : CalibratorModel, optional
        Makes ``<group>_<calibrator>.ms``, with MODEL_DATA; the phase centre should be the model's. See
        `calibrators.convert_calibrator_groups`.
    """

    writer: str = "direct-subband"
    phase_centre: PhaseCentre = PhaseCentre("meridian")
    stations: Stations | None = None
    min_subbands: int = 12
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    averaging: Averaging = Averaging()
    overwrite: bool = False
    scratch: Path | None = None
    reserve_bytes: int = 0
    calibrator: CalibratorModel | None = None

    def __post_init__(self) -> None:
        check_averaging(self.averaging, self.phase_centre)
        check_writer(self.writer, averages=self.averaging.is_on)


@dataclass(frozen=True)
class ConvertedMs:
    """The outcome for one group.

    Attributes
    ----------
    group : str
        Group id.
    ms : Path
        The Measurement Set.
    outcome : {"complete", "partial", "exists"}
        All subbands good; some missing or set aside, and flagged; or left as it was found.
    missing : tuple of int
        Subbands whose channels are flagged.
    set_aside : tuple of SetAside
        Files that were not used, and why.
    seconds : float
        Wall time.
    bytes_in, bytes_out : int
        Sizes of the files read and of the Measurement Set.
    """

    group: str
    ms: Path
    outcome: Literal["complete", "partial", "exists"]
    missing: tuple[int, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0

    def as_dict(self) -> dict[str, object]:
        """Return the same for JSON."""
        return {
            "group": self.group,
            "ms": str(self.ms),
            "outcome": self.outcome,
            "missing": list(self.missing),
            "set_aside": [item.as_dict() for item in self.set_aside],
            "seconds": round(self.seconds, 3),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
        }


def convert_group(
    group: SubbandGroup,
    output: Path,
    options: ConversionOptions | None = None,
    progress: Callable[[int], object] = lambda nbytes: None,
) -> ConvertedMs:
    """Convert a group that `find_groups` found into ``<output>/<group>.ms``.

    Parameters
    ----------
    group : SubbandGroup
        The group.
    output : Path
        Directory of Measurement Sets.
    options : ConversionOptions, optional
        How.
    progress : callable
        Is told the bytes of input that have been dealt with.

    Raises
    ------
    IncompleteGroupError, OutputError
        As of `write_ms_from_subbands`. A good Measurement Set that is there already is no error: its outcome is
        ``"exists"``.
    """
    options = options or ConversionOptions()
    final = output / ms_name(group.id, options.calibrator.label if options.calibrator else None)
    if not options.overwrite and is_good_ms(final):
        return ConvertedMs(group.id, final, "exists")
    try:
        return _convert(group.files, final, group.id, options, progress, group.set_aside)
    except OutputExistsError:
        # Another process was faster.
        if is_good_ms(final):
            return ConvertedMs(group.id, final, "exists")
        raise


def convert_files(
    files: Iterable[str | Path], ms_path: str | Path, options: ConversionOptions | None = None
) -> ConvertedMs:
    """Convert the given files; see `writers.write_ms_from_subbands`."""
    options = options or ConversionOptions()
    by_subband: dict[int, Path] = {}
    for path in sorted(Path(file) for file in files):
        subband = parse_subband_name(path.name).subband
        if subband in by_subband:
            raise DuplicateSubbandError(
                f"is a second file for subband {subband}, beside {by_subband[subband]}",
                path=path,
                remedy="give only one",
            )
        by_subband[subband] = path
    final = Path(ms_path)
    if not options.overwrite and is_good_ms(final):
        raise OutputExistsError("is there already", path=final, remedy="use --overwrite to replace it")
    return _convert(by_subband, final, None, options, lambda nbytes: None)


def is_good_ms(path: Path) -> bool:
    """Whether there is a whole Measurement Set; a broken one is said to be so in the log."""
    if not path.exists():
        return False
    try:
        check_ms(path)
    except MeasurementSetError as error:
        log.warning("%s", error)
        return False
    return True


def _convert(
    files: Mapping[int, Path],
    final: Path,
    group_id: str | None,
    options: ConversionOptions,
    progress: Callable[[int], object],
    left_out: tuple[SetAside, ...] = (),
) -> ConvertedMs:
    started = time.monotonic()
    # Loaded before any work, and outside `table_errors`: an installation at fault is not the output's.
    write = get_writer(options.writer)
    _require_replaceable(final)
    require_writable(final.parent)
    checked = read_group(files)
    left_out = (*left_out, *checked.set_aside)
    _require(len(checked.headers), left_out, options.min_subbands)
    header = next(iter(checked.headers.values()))
    group_id = group_id or group_id_from_mjd(header.times_mjd[0] - header.integration_s / 2 / _DAYS)
    warn_if_stale(earth_orientation(header.times_mjd), group_id)
    plan = plan_conversion(
        checked.headers,
        options.phase_centre,
        stations=options.stations,
        averaging=options.averaging,
        obs_mode=options.calibrator.OBS_MODE if options.calibrator else OBSERVE_TARGET,
    )
    if options.averaging.is_on:
        _state_smearing(group_id, plan)
    bytes_in = sum(h.size_bytes for h in checked.headers.values())
    if options.reserve_bytes:
        for directory in {options.scratch or final.parent, final.parent}:
            require_free(directory, bytes_in, options.reserve_bytes)
    with partial_directory(options.scratch or final.parent, group_id) as partial:
        product = partial / final.name
        columns = ["DATA", "FLAG", "WEIGHT_SPECTRUM", *(["MODEL_DATA"] if options.calibrator else [])]
        room = reserve_room(partial, plan.description, columns)
        with table_errors(product):
            written = write(
                plan,
                product,
                min_subbands=options.min_subbands,
                workers=options.workers,
                model=options.calibrator.flux_jy(plan) if options.calibrator else None,
                progress=progress,
                bulk_written=room.unlink,
            )
        set_aside = (*left_out, *(SetAside.from_error(error) for error in written.set_aside.values()))
        missing = tuple(sorted({*plan.missing, *written.set_aside}))
        for item in set_aside:
            log.warning("%s: %s is set aside (%s): %s. %s", group_id, item.path, item.outcome, item.reason, item.remedy)
        if missing:
            log.warning("%s: subbands %s are flagged", group_id, ", ".join(map(str, missing)))
        with table_errors(product):
            record(
                product, Provenance(group_id, plan, written, set_aside, missing, options, time.monotonic() - started)
            )
        bytes_out = sum(file.stat().st_size for file in product.rglob("*") if file.is_file())
        if options.scratch is not None:
            check_ms(product)
        # What stands there by now is broken, or to be overwritten.
        publish(product, final, replace=options.overwrite or (final.exists() and not is_good_ms(final)))
    seconds = time.monotonic() - started
    outcome: Literal["complete", "partial"] = "partial" if missing else "complete"
    return ConvertedMs(group_id, final, outcome, missing, set_aside, seconds, bytes_in, bytes_out)


def _require_replaceable(final: Path) -> None:
    """Refuse a place where something else is than what is left of a Measurement Set, whoever put it there."""
    if not os.path.lexists(final):
        return
    remains = final.is_dir() and not final.is_symlink()
    if remains and any(final.iterdir()):
        remains = any((final / name).exists() for name in ("table.dat", "table.info", "ANTENNA"))
    if not remains:
        raise OutputExistsError(
            "something that is no Measurement Set is there", path=final, remedy="move it away, or give another name"
        )


def _state_smearing(group_id: str, plan: ConversionPlan) -> None:
    lost = smearing(plan)
    log.info(
        "%s: averaging %d channels and %d integrations takes %.2g%% of a source %.1f deg off axis, and "
        "%.2g%% of it on the longest baseline",
        *(group_id, plan.averaging.channels, plan.averaging.times, 100 * lost.mean, EDGE_DEG, 100 * lost.longest),
    )


def _require(n_good: int, set_aside: tuple[SetAside, ...], min_subbands: int) -> None:
    if n_good >= min_subbands:
        return
    reasons = "; ".join(f"{item.path.name}: {item.reason}" for item in set_aside)
    raise IncompleteGroupError(
        f"only {n_good} of 16 subbands are good, fewer than the minimum of {min_subbands}"
        + (f" ({reasons})" if reasons else ""),
        remedy="copy the missing files from the correlator, or lower --min-subbands",
    )
