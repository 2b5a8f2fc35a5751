"""What a run of the simulated correlator consists of: the array, the sky, the times."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.errors import UsageError
from dsa110_contimg.naming import group_id_from_mjd
from dsa110_contimg.simulation.array import Health, choose_stations, observing_array
from dsa110_contimg.simulation.correlator import Pointing, Receivers, group_sky
from dsa110_contimg.simulation.gains import random_gains, unit_gains
from dsa110_contimg.simulation.noise import noise_rms_jy
from dsa110_contimg.simulation.rfi import group_interference
from dsa110_contimg.simulation.sky import random_sky
from dsa110_contimg.telescope.band import CHANNELS_PER_SUBBAND, HEADER_SITE, INTEGRATION_S
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.site import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.simulation.correlator import GroupSky
    from dsa110_contimg.simulation.options import SimulationOptions
    from dsa110_contimg.simulation.rfi import Interference
    from dsa110_contimg.telescope.prediction import PointSources

MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
JD_OF_MJD_0 = 2400000.5
WORKERS = os.cpu_count() or 1
_SKY = 1


class Run(NamedTuple):
    """What all groups of a run share.

    Attributes
    ----------
    out : Path
        Where the files go.
    options : SimulationOptions
        What was asked for.
    site : Site
        Where the header says that the array stands.
    pointing : Pointing
        Where the dishes look.
    receivers : Receivers
        The array, its gains and noise.
    sources : PointSources
        The sky.
    first_mjd : float
        Begin of the first integration [MJD, UTC].
    buffers : SimpleQueue of (2, T, B, 48) complex64
        Room for the visibilities of a subband, one for each worker.
    """

    out: Path
    options: SimulationOptions
    site: Site
    pointing: Pointing
    receivers: Receivers
    sources: PointSources
    first_mjd: float
    buffers: SimpleQueue[NDArray[np.complex64]]

    def start_mjd(self, number: int) -> float:
        """Begin of a group's first integration [MJD, UTC]."""
        return self.first_mjd + number * self.options.integrations * INTEGRATION_S / 86400.0

    def jd(self, number: int) -> NDArray[np.float64]:
        """Middle of each integration of a group [JD], as precise as a file's float64."""
        integrations = number * self.options.integrations + np.arange(self.options.integrations)
        return np.asarray(self.first_mjd + (integrations + 0.5) * INTEGRATION_S / 86400.0 + JD_OF_MJD_0)


class Group(NamedTuple):
    """What all subbands of a group share.

    Attributes
    ----------
    id : str
        Group id.
    number : int
        Of the group in the run, from 0.
    jd : (T,) float64
        Middle of each integration [JD, UTC].
    sky : GroupSky
        The sources as the group sees them.
    interference : Interference or None
        What comes from the ground.
    """

    id: str
    number: int
    jd: NDArray[np.float64]
    sky: GroupSky
    interference: Interference | None


def plan_run(out: Path, options: SimulationOptions) -> Run:
    """Put together what a run needs before its first group.

    Raises
    ------
    UsageError
        The sky cannot be read, or antennas are asked for that there are not.
    """
    site = HEADER_SITE if options.site is None else Site(*options.site)
    receivers = _receivers(options, site)
    east, north = np.sin(np.radians(options.beam_offset_deg))
    pointing = Pointing(float(np.radians(options.dec_deg)), beam_model(options.beam), (float(east), float(north)))
    since = options.start - MJD_EPOCH
    first_mjd = since.days + (since.seconds + since.microseconds * 1e-6) / 86400.0
    length_d = options.groups * options.integrations * INTEGRATION_S / 86400.0
    sources = _sources(options, (first_mjd, first_mjd + length_d), pointing.dec_rad, site)
    # Memory that is touched for the first time costs more than all the arithmetic: each worker keeps its own.
    n_antennas = receivers.array.stations.size
    shape = (2, options.integrations, n_antennas * (n_antennas + 1) // 2, CHANNELS_PER_SUBBAND)
    buffers: SimpleQueue[NDArray[np.complex64]] = SimpleQueue()
    for _ in range(WORKERS):
        buffers.put(np.empty(shape, dtype=np.complex64))
    return Run(out, options, site, pointing, receivers, sources, first_mjd, buffers)


def plan_group(run: Run, number: int) -> Group:
    """Work out what all subbands of one group share."""
    options, dec_rad, jd = run.options, run.pointing.dec_rad, run.jd(number)
    interference = None
    if options.rfi:
        first = number * options.integrations
        interference = group_interference(
            options.seed, first, options.integrations, run.receivers.array, dec_rad, run.site
        )
    return Group(
        id=group_id_from_mjd(run.start_mjd(number)),
        number=number,
        jd=jd,
        sky=group_sky(run.sources, jd - JD_OF_MJD_0, dec_rad, run.site, options.oversample),
        interference=interference,
    )


def _receivers(options: SimulationOptions, site: Site) -> Receivers:
    stations = choose_stations(options.antennas) if isinstance(options.antennas, int) else options.antennas
    health = Health(options.dead, options.one_pol_dead, options.deaf, options.swapped)
    gains = unit_gains(len(stations)) if options.gains is None else random_gains(options.gains, stations)
    return Receivers(observing_array(stations, site, health), gains, noise_rms_jy(options.noise))


def _sources(options: SimulationOptions, mjd_range: tuple[float, float], dec_rad: float, site: Site) -> PointSources:
    kind, colon, number = options.sky.partition(":")
    if kind != "random":
        return read_sources(Path(options.sky))
    if not colon or not number.isdecimal():
        raise UsageError(f"{options.sky!r} is not a sky", remedy="Write random:100, or the path of a table.")
    return random_sky(int(number), np.random.default_rng([options.seed, _SKY]), mjd_range, dec_rad, site)
