"""Flagging a Measurement Set: what is to be flagged is found first, for all reasons at once, and written then."""

from __future__ import annotations

import logging
import time as clock
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.flagging.antennas import Patients, noise_of_powers
from dsa110_contimg.flagging.band import find_in_band, smooth_part
from dsa110_contimg.flagging.baselines import Outlook
from dsa110_contimg.flagging.hearing import of_antennas, sky_window
from dsa110_contimg.flagging.interference import Detector
from dsa110_contimg.flagging.limits import in_shadow, outside_range
from dsa110_contimg.flagging.marks import mark_band, mark_bits, mark_rows
from dsa110_contimg.flagging.processes import look_at_all
from dsa110_contimg.flagging.reasons import Reason
from dsa110_contimg.flagging.survey import survey
from dsa110_contimg.flagging.versions import new_name, save_version
from dsa110_contimg.ms.columns import OpenMs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import FlagSettings
    from dsa110_contimg.flagging.antennas import Ailment
    from dsa110_contimg.flagging.survey import Survey
    from dsa110_contimg.ms.columns import MsInfo

log = logging.getLogger(__name__)

# CASA's codes of the correlations that have the powers of antennas as their autocorrelations.
_PARALLEL = {9: "XX", 12: "YY"}
# With less noise than this, relative to a radiometer's, data are a model: all of it would stick out.
_LEAST_NOISE = 0.1


class Found(NamedTuple):
    """What is to be flagged, and why: T times, B baselines, C channels, P polarizations.

    Attributes
    ----------
    ms : Path
        The Measurement Set.
    info : MsInfo
        Its axes.
    reasons : (T, B, C, P) uint8
        A `Reason` for each sample.
    ailments : tuple of Ailment
        Sick antennas.
    remarks : tuple of str
        What was left out, and why.
    seconds : dict of str to float
        How long each step took.
    """

    ms: Path
    info: MsInfo
    reasons: NDArray[np.uint8]
    ailments: tuple[Ailment, ...]
    remarks: tuple[str, ...]
    seconds: dict[str, float]


def find_flags(ms: Path, settings: FlagSettings, progress: Callable[[float], object] = lambda fraction: None) -> Found:
    """Find what is to be flagged in a Measurement Set, which is only read.

    Parameters
    ----------
    ms : Path
        The Measurement Set.
    settings : FlagSettings
        What to look for.
    progress : callable
        Is told which fraction of the work has been done.

    Raises
    ------
    MeasurementSetError
        It cannot be read, is not one regular grid, or has other correlations than XX and YY.
    """
    seconds: dict[str, float] = {}
    remarks: list[str] = []
    with OpenMs(ms) as opened:
        info = opened.info
        polarizations = [_PARALLEL.get(code, "") for code in info.correlations]
        if not all(polarizations):
            raise MeasurementSetError("has other correlations than XX and YY", path=ms)
        with _timed(seconds, "survey"):
            seen = survey(opened, settings.n_workers)
        progress(0.1)
        patients = Patients(seen.antennas, info.antenna_names, polarizations)
        patients.check_presence(seen.missing, settings)
        if seen.has_powers:
            patients.check_powers(seen.powers, settings)
        else:
            remarks.append("no autocorrelations: dead and hot antennas are not told")
        noise = noise_of_powers(seen.powers, info.channel_width_hz * info.exposure_s)
        if not settings.rfi:
            remarks.append("interference was not looked for: the settings say so")
        elif noise < _LEAST_NOISE:
            remarks.append(f"interference was not looked for: the data have {noise:.2g} of the noise of a radiometer")
        else:
            with _timed(seconds, "interference"):
                told = _find_interference(ms, info, seen, patients, settings, progress)
            if not told:
                remarks.append("the field is too faint to tell deaf antennas")
        _mark(seen.reasons, patients.sick[seen.first] | patients.sick[seen.second], Reason.ANTENNA)
        with _timed(seconds, "limits"):
            _find_limits(opened, seen, settings)
    progress(1.0)
    for remark in remarks:
        log.warning("%s: %s", ms, remark)
    return Found(ms, info, seen.reasons, tuple(patients.ailments), tuple(remarks), seconds)


def write_flags(found: Found, comment: str, workers: int = 1) -> str:
    """Write what was found to FLAG and FLAG_ROW, after the flags that were there have been kept.

    Parameters
    ----------
    found : Found
        What was found.
    comment : str
        What to say of the kept version.
    workers : int
        Threads.

    Returns
    -------
    str
        The name of the kept version.

    Raises
    ------
    OutputError
        The Measurement Set cannot be written.
    """
    with OpenMs(found.ms, writable=True) as ms:
        version = new_name(found.ms, "contimg")
        save_version(ms, version, comment)

        def write(time: int) -> NDArray[np.bool_]:
            flags = found.reasons[time] != Reason.GOOD
            ms.write("FLAG", time, flags[None])
            return flags.all(axis=(1, 2))

        with ThreadPoolExecutor(workers) as pool:
            rows = list(pool.map(write, range(len(found.reasons))))
        ms.write("FLAG_ROW", 0, np.stack(rows))
        ms.sync()
    return version


def _find_interference(
    ms: Path,
    info: MsInfo,
    seen: Survey,
    patients: Patients,
    settings: FlagSettings,
    progress: Callable[[float], object],
) -> bool:
    """Mark interference, and judge what antennas hear without it; return whether that could be told."""
    detector = Detector(info.n_times, info.n_channels, "array")
    sky = smooth_part(seen.band)
    known = find_in_band(seen.band, sky, detector)
    sick = patients.sick.copy()
    outlook = Outlook(ms, seen.first, seen.second, seen.powers, seen.flagged, sick, known, np.sqrt(sky))
    shares = np.full((info.n_baselines, len(info.correlations)), np.nan)
    mark_band(seen.reasons, known, np.uint8(Reason.ARRAY))
    n_seen = 0
    for part in look_at_all(outlook, settings.n_workers):
        shares[part.baselines] = part.excess
        mark_bits(seen.reasons, part.baselines.start, part.bits, np.uint8(Reason.BASELINE))
        n_seen += part.excess.shape[0]
        progress(0.1 + 0.85 * n_seen / info.n_baselines)
    spread = sky_window(info.n_times, info.n_channels, info.channel_width_hz).spread
    return patients.check_hearing(of_antennas(shares, seen.first, seen.second, ~patients.sick, spread), settings)


def _find_limits(ms: OpenMs, seen: Survey, settings: FlagSettings) -> None:
    if settings.min_uv_m is settings.max_uv_m is None and not settings.shadow:
        return
    uvw_m = ms.read("UVW", 0, ms.info.n_times)
    outside = outside_range(uvw_m, settings.min_uv_m, settings.max_uv_m)
    _mark(seen.reasons, outside[..., None], Reason.UV_RANGE)
    if settings.shadow:
        diameters_m = ms.info.diameters_m[seen.antennas]
        dark = in_shadow(uvw_m, seen.first, seen.second, diameters_m)
        _mark(seen.reasons, dark[..., None], Reason.SHADOW)


def _mark(reasons: NDArray[np.uint8], where: NDArray[np.bool_], reason: Reason) -> None:
    """Mark baselines of (T, B, C, P), where `where`, which broadcasts to (T, B, P), says so."""
    n_times, n_baselines, _, n_corr = reasons.shape
    if where.any():
        rows = np.ascontiguousarray(np.broadcast_to(where, (n_times, n_baselines, n_corr)))
        mark_rows(reasons, rows, np.uint8(reason))


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    begun = clock.perf_counter()
    yield
    seconds[step] = round(clock.perf_counter() - begun, 3)
