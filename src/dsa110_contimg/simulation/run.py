"""A run of the simulated correlator: groups one after the other, a file a subband, and the truth beside them."""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.errors import OutputError, UsageError
from dsa110_contimg.naming import compact, group_id_from_mjd, group_start, subband_name
from dsa110_contimg.simulation.array import (
    Health,
    ObservingArray,
    choose_stations,
    correlator_baselines,
    observing_array,
)
from dsa110_contimg.simulation.correlator import Pointing, Receivers, group_sky, observe_subband
from dsa110_contimg.simulation.faults import faulty_files, spoil_file
from dsa110_contimg.simulation.gains import random_gains, unit_gains
from dsa110_contimg.simulation.noise import noise_rms_jy
from dsa110_contimg.simulation.rfi import group_interference
from dsa110_contimg.simulation.sky import load_sky, random_sky, write_sky
from dsa110_contimg.simulation.truth import sources_as_json, write_truth
from dsa110_contimg.simulation.writer import SubbandData, write_subband
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S, N_SUBBANDS, subband_frequencies_hz
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.geometry import meridian_icrs
from dsa110_contimg.telescope.site import Site
from dsa110_contimg.telescope.stations import load_stations

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dsa110_contimg.simulation.correlator import GroupSky
    from dsa110_contimg.simulation.options import SimulationOptions
    from dsa110_contimg.simulation.rfi import Interference
    from dsa110_contimg.telescope.prediction import PointSources

log = logging.getLogger(__name__)

_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_JD_OF_MJD_0 = 2400000.5
# Streams of chance that must not know of each other.
_SKY, _NAMES, _NOISE = 1, 2, 3


class SimulatedGroup(NamedTuple):
    """One group: its id, its first moment, the files that are there (faults included) and its truth."""

    id: str
    start_mjd: float
    files: tuple[Path, ...]
    truth: Path


class SimulationResult(NamedTuple):
    """What a run left: its groups in order of time, and the table of its sources."""

    groups: tuple[SimulatedGroup, ...]
    sky: Path


class _Run(NamedTuple):
    """What all groups of a run share."""

    out: Path
    options: SimulationOptions
    site: Site
    pointing: Pointing
    receivers: Receivers
    sources: PointSources
    start_mjd: float


class _Group(NamedTuple):
    """What all subbands of a group share."""

    id: str
    number: int
    jd: NDArray[np.float64]
    sky: GroupSky
    interference: Interference | None


def simulate(out: Path, options: SimulationOptions, on_file: Callable[[Path], None] | None = None) -> SimulationResult:
    """Write what the telescope would, and the truth.

    Parameters
    ----------
    out : Path
        Directory for the subband files, ``sky.csv`` and ``truth.json`` (with several groups
        ``truth_20251005T123000.json`` each); made if need be.
    options : SimulationOptions
        What to simulate.
    on_file : callable, optional
        Called with each file when it is there, from any thread.

    Returns
    -------
    SimulationResult

    Raises
    ------
    UsageError
        The sky cannot be read, or antennas are asked for that there are not.
    OutputExistsError
        A subband file is there already.
    OutputError
        Something cannot be written.
    """
    run = _prepare(out, options)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_sky(out / "sky.csv", run.sources)
    except OSError as error:
        raise OutputError(f"cannot write there ({error})", path=out) from error
    groups = tuple(_simulate_group(run, number, on_file) for number in range(options.groups))
    return SimulationResult(groups, out / "sky.csv")


def _prepare(out: Path, options: SimulationOptions) -> _Run:
    site = HEADER_SITE if options.site is None else Site(*options.site)
    stations = choose_stations(options.antennas) if isinstance(options.antennas, int) else options.antennas
    health = Health(options.dead, options.one_pol_dead, options.deaf, options.swapped)
    array = observing_array(stations, site, health)
    gains = unit_gains(len(stations)) if options.gains is None else random_gains(options.gains, stations)
    east, north = np.sin(np.radians(options.beam_offset_deg))
    pointing = Pointing(float(np.radians(options.dec_deg)), beam_model(options.beam), (float(east), float(north)))
    since = options.start - _MJD_EPOCH
    start_mjd = since.days + (since.seconds + since.microseconds * 1e-6) / 86400.0
    length_d = options.groups * options.integrations * INTEGRATION_S / 86400.0
    sources = _sources(options, (start_mjd, start_mjd + length_d), pointing.dec_rad, site)
    receivers = Receivers(array, gains, noise_rms_jy(options.noise))
    return _Run(out, options, site, pointing, receivers, sources, start_mjd)


def _sources(options: SimulationOptions, mjd_range: tuple[float, float], dec_rad: float, site: Site) -> PointSources:
    kind, colon, number = options.sky.partition(":")
    if kind != "random":
        return load_sky(Path(options.sky))
    if not colon or not number.isdecimal():
        raise UsageError(f"{options.sky!r} is not a sky", remedy="Write random:100, or the path of a table.")
    return random_sky(int(number), np.random.default_rng([options.seed, _SKY]), mjd_range, dec_rad, site)


def _simulate_group(run: _Run, number: int, on_file: Callable[[Path], None] | None) -> SimulatedGroup:
    begun = time.perf_counter()
    options = run.options
    jd = _jd(run, number)
    start_mjd = _start_mjd(run, number)
    gid = group_id_from_mjd(start_mjd)
    group = _Group(
        id=gid,
        number=number,
        jd=jd,
        sky=group_sky(run.sources, jd - _JD_OF_MJD_0, run.pointing.dec_rad, run.site, options.oversample),
        interference=_interference(run, number),
    )

    def subband(number: int) -> list[Path]:
        paths = _simulate_subband(run, group, number)
        for path in paths:
            if on_file is not None:
                on_file(path)
        return paths

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        files = tuple(path for paths in pool.map(subband, options.subbands) for path in paths)
    truth = run.out / ("truth.json" if options.groups == 1 else f"truth_{compact(gid)}.json")
    try:
        write_truth(truth, _record(run, group, files))
    except OSError as error:
        raise OutputError(f"cannot write the truth ({error})", path=truth) from error
    n_bytes = sum(path.stat().st_size for path in files)
    stage_line(log, "simulate", gid, n_bytes, time.perf_counter() - begun)
    return SimulatedGroup(gid, start_mjd, files, truth)


def _start_mjd(run: _Run, number: int) -> float:
    """Begin of a group's first integration [MJD, UTC]."""
    return run.start_mjd + number * run.options.integrations * INTEGRATION_S / 86400.0


def _jd(run: _Run, number: int) -> NDArray[np.float64]:
    """Middle of each integration of a group [JD], as precise as a file's float64."""
    integrations = number * run.options.integrations + np.arange(run.options.integrations)
    return np.asarray(run.start_mjd + (integrations + 0.5) * INTEGRATION_S / 86400.0 + _JD_OF_MJD_0)


def _interference(run: _Run, number: int) -> Interference | None:
    if not run.options.rfi:
        return None
    n_integrations = run.options.integrations
    array, dec_rad = run.receivers.array, run.pointing.dec_rad
    return group_interference(run.options.seed, number * n_integrations, n_integrations, array, dec_rad, run.site)


def _simulate_subband(run: _Run, group: _Group, subband: int) -> list[Path]:
    """Observe one subband and write its file, or what faults make of it."""
    options = run.options
    kinds = {fault.kind for fault in options.faults if fault.subband == subband and fault.group in (None, group.number)}
    chance = [options.seed, int(group_start(group.id).timestamp()), subband]
    freq_hz = subband_frequencies_hz(subband)
    visibilities = observe_subband(
        group.sky,
        run.pointing,
        run.receivers,
        group.interference,
        freq_hz,
        np.random.default_rng([_NOISE, *chance]),
    )
    late_s = np.random.default_rng([_NAMES, *chance]).uniform(0.0, options.jitter_s)
    name_time = (_MJD_EPOCH + timedelta(days=_start_mjd(run, group.number), seconds=late_s)).replace(microsecond=0)
    data = _file_contents(run, group, freq_hz, visibilities)
    previous_jd = _jd(run, group.number - 1)[0]
    paths = []
    for time_of_name, contents in faulty_files(name_time, data, kinds, previous_jd):
        path = run.out / subband_name(time_of_name, subband)
        write_subband(path, contents)
        paths.append(spoil_file(path, kinds))
    return paths


def _file_contents(
    run: _Run, group: _Group, freq_hz: NDArray[np.float64], visibilities: NDArray[np.complex64]
) -> SubbandData:
    array = run.receivers.array
    first, second = correlator_baselines(array.stations.size)
    table = load_stations()
    n_delays = 2 * table.numbers.size
    return SubbandData(
        jd=group.jd,
        freq_hz=freq_hz,
        ant_1=array.stations[first] - 1,
        ant_2=array.stations[second] - 1,
        uvw_m=_meridian_uvw(array, run.pointing.dec_rad),
        visibilities=visibilities,
        antenna_offsets_m=table.itrf_m - run.site.itrf_m,
        dec_rad=run.pointing.dec_rad,
        site=run.site,
        applied_delays_ns=" ".join(["0"] * n_delays),
        fs_table=f"fringestopping_table_dec{run.options.dec_deg:.1f}deg_{array.stations.size}ant.npz",
        history=f"simulated, not observed: dsa110-contimg, for {group.id}",
    )


def _meridian_uvw(array: ObservingArray, dec_rad: float) -> NDArray[np.float32]:
    """r[ant_2] - r[ant_1] as (u, v, w) for hour angle 0 and the apparent declination, (B, 3) [m]."""
    first, second = correlator_baselines(array.stations.size)
    sin, cos = np.sin(dec_rad), np.cos(dec_rad)
    turn = np.array([[0.0, 1.0, 0.0], [-sin, 0.0, cos], [cos, 0.0, sin]])
    baselines_m = array.nominal_m[second] - array.nominal_m[first]
    return np.asarray(baselines_m @ turn.T, dtype=np.float32)


def _axis(options: SimulationOptions) -> str:
    """Say where the beam's axis is."""
    east, north = options.beam_offset_deg
    offset = f" + ({east:g}, {north:g}) deg east, north" if east or north else ""
    return f"HA 0, Dec pt_dec{offset}"


def _record(run: _Run, group: _Group, files: tuple[Path, ...]) -> dict[str, Any]:
    """Put together what a truth file says of a group."""
    options, mjd = run.options, group.jd - _JD_OF_MJD_0
    ra_deg, dec_deg = meridian_icrs(run.pointing.dec_rad, np.array([mjd.mean()]), run.site)
    return {
        "start": group.id,
        "pt_dec_deg": options.dec_deg,
        "antennas": run.receivers.array.stations.tolist(),
        "sources": sources_as_json(run.sources),
        "meridian": [float(ra_deg[0]), float(dec_deg[0])],
        "mjd": mjd.tolist(),
        "site": list(run.site),
        "beam": f"{run.pointing.beam.description}, centred on {_axis(options)} at each integration",
        "beam_model": options.beam,
        "beam_offset_deg": list(options.beam_offset_deg),
        "subbands": list(options.subbands),
        "missing_subbands": sorted(set(range(N_SUBBANDS)) - {int(path.name.split("_sb")[1][:2]) for path in files}),
        "files": [path.name for path in files],
        "noise_jy": run.receivers.noise_jy,
        "oversample": options.oversample,
        "gains_formula": "see dsa110_contimg.simulation.gains; file visibilities are times conj(g_1) g_2",
        "gains": run.receivers.gains.as_json(),
        "dead": list(options.dead),
        "one_pol_dead": list(options.one_pol_dead),
        "deaf": list(options.deaf),
        "swapped": None if options.swapped is None else list(options.swapped),
        "rfi": [] if group.interference is None else group.interference.as_json(),
        "faults": [str(fault) for fault in options.faults if fault.group in (None, group.number)],
        "seed": options.seed,
    }
