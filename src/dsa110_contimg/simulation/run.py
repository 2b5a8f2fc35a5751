"""A run of the simulated correlator: groups one after the other, a file a subband, and the truth beside them."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.naming import compact, group_start, subband_name
from dsa110_contimg.simulation.array import correlator_baselines
from dsa110_contimg.simulation.correlator import observe_subband
from dsa110_contimg.simulation.faults import faulty_files, spoil_file
from dsa110_contimg.simulation.plan import MJD_EPOCH, WORKERS, plan_group, plan_run
from dsa110_contimg.simulation.sky import write_sky
from dsa110_contimg.simulation.truth import group_record, write_truth
from dsa110_contimg.simulation.writer import SubbandData, write_subband
from dsa110_contimg.storage.files import output_errors
from dsa110_contimg.telescope.band import subband_frequencies_hz
from dsa110_contimg.telescope.stations import load_stations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.simulation.array import ObservingArray
    from dsa110_contimg.simulation.options import SimulationOptions
    from dsa110_contimg.simulation.plan import Group, Run

log = logging.getLogger(__name__)

# Streams of chance that must not know of each other.
_NAMES, _NOISE = 2, 3


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
    run = plan_run(out, options)
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        write_sky(out / "sky.csv", run.sources)
    groups = tuple(_simulate_group(run, number, on_file) for number in range(options.groups))
    return SimulationResult(groups, out / "sky.csv")


def _simulate_group(run: Run, number: int, on_file: Callable[[Path], None] | None) -> SimulatedGroup:
    begun = time.perf_counter()
    group = plan_group(run, number)

    def subband(number: int) -> list[Path]:
        counts = run.buffers.get()
        try:
            paths = _simulate_subband(run, group, number, counts)
        finally:
            run.buffers.put(counts)
        if on_file is not None:
            for path in paths:
                on_file(path)
        return paths

    with ThreadPoolExecutor(WORKERS) as pool:
        files = tuple(path for paths in pool.map(subband, run.options.subbands) for path in paths)
    truth = run.out / ("truth.json" if run.options.groups == 1 else f"truth_{compact(group.id)}.json")
    with output_errors(truth):
        write_truth(truth, group_record(run, group, files))
    n_bytes = sum(path.stat().st_size for path in files)
    stage_line(log, "simulate", group.id, n_bytes, time.perf_counter() - begun)
    return SimulatedGroup(group.id, run.start_mjd(number), files, truth)


def _simulate_subband(run: Run, group: Group, subband: int, counts: NDArray[np.complex64]) -> list[Path]:
    """Observe one subband into `counts` and write its file, or what faults make of it."""
    options = run.options
    chance = [options.seed, int(group_start(group.id).timestamp()), subband]
    freq_hz = subband_frequencies_hz(subband)
    rng = np.random.default_rng([_NOISE, *chance])
    observe_subband(group.sky, run.pointing, run.receivers, group.interference, freq_hz, rng, counts)
    late_s = np.random.default_rng([_NAMES, *chance]).uniform(0.0, options.jitter_s)
    name_time = (MJD_EPOCH + timedelta(days=run.start_mjd(group.number), seconds=late_s)).replace(microsecond=0)
    data = _file_contents(run, group, freq_hz, counts.reshape(2, -1, freq_hz.size))
    kinds = {fault.kind for fault in options.faults if fault.subband == subband and fault.group in (None, group.number)}
    paths = []
    for time_of_name, contents in faulty_files(name_time, data, kinds, previous_jd=run.jd(group.number - 1)[0]):
        path = run.out / subband_name(time_of_name, subband)
        write_subband(path, contents)
        paths.append(spoil_file(path, kinds))
    return paths


def _file_contents(
    run: Run, group: Group, freq_hz: NDArray[np.float64], visibilities: NDArray[np.complex64]
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
