"""Which stations observe, in what order, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.errors import UsageError
from dsa110_contimg.telescope.geometry import meridian_frame
from dsa110_contimg.telescope.stations import WORKING_STATIONS, load_stations

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from dsa110_contimg.telescope.site import Site

#: A dead receiver: the noise of its electronics, as a fraction of a live one's voltage.
DEAD_VOLTAGE = 0.01
#: Stations further than this from the middle of the tee are outriggers [m].
OUTRIGGER_DISTANCE_M = 400.0
# Seed of the order in which the correlator numbers its inputs: any order but the sorted one.
_ORDER_SEED = 110
# One antenna in this many is an outrigger when only some observe.
_OUTRIGGER_SHARE = 4


class Health(NamedTuple):
    """What is wrong with which stations (by number).

    Attributes
    ----------
    dead : collection of int
        No power in either polarization.
    one_pol_dead : collection of int
        No power in the first polarization.
    deaf : collection of int
        A receiver's noise, but no sky.
    swapped : (int, int) or None
        Two stations whose cables are exchanged.
    """

    dead: Collection[int] = ()
    one_pol_dead: Collection[int] = ()
    deaf: Collection[int] = ()
    swapped: tuple[int, int] | None = None


_ALL_WELL = Health()


class ObservingArray(NamedTuple):
    """The antennas of a run in correlator order.

    Attributes
    ----------
    stations : (A,) int64
        Station numbers.
    nominal_m : (A, 3) float64
        Where the header says they are: meridian frame, from the site [m].
    true_m : (A, 3) float64
        Where the signal under that number comes from: differs where cables are swapped.
    voltage : (2, A) float32
        Gain of the electronics: 1, or `DEAD_VOLTAGE`.
    sky : (2, A) float32
        How much of the sky's voltage reaches them: 1 or 0.
    """

    stations: NDArray[np.int64]
    nominal_m: NDArray[np.float64]
    true_m: NDArray[np.float64]
    voltage: NDArray[np.float32]
    sky: NDArray[np.float32]


def observing_array(stations: Sequence[int], site: Site, health: Health = _ALL_WELL) -> ObservingArray:
    """Put the array together.

    Parameters
    ----------
    stations : sequence of int
        Station numbers in correlator order.
    site : Site
        Where the header says that the array stands.
    health : Health
        What is wrong with it.

    Raises
    ------
    UsageError
        A station does not exist, comes twice, or is unwell without observing.
    """
    table = load_stations()
    observing = np.array(stations, dtype=np.int64)
    unknown = sorted(set(stations) - set(table.numbers.tolist()))
    if unknown or len(set(stations)) != len(stations) or not stations:
        raise UsageError(
            f"these are not antennas of the array, or not each once: {unknown or list(stations)}",
            remedy="Give station numbers from 1 to 117, each once.",
        )
    unwell = {*health.dead, *health.one_pol_dead, *health.deaf, *(health.swapped or ())}
    if not unwell <= set(stations):
        raise UsageError(f"stations {sorted(unwell - set(stations))} do not observe and so cannot be unwell")
    itrf_m = table.itrf_m[np.searchsorted(table.numbers, observing)]
    nominal_m = meridian_frame(itrf_m - site.itrf_m, site)
    true_m = nominal_m.copy()
    if health.swapped is not None:
        pair = [int(np.nonzero(observing == station)[0][0]) for station in health.swapped]
        true_m[pair] = nominal_m[pair[::-1]]
    voltage = np.ones((2, observing.size), dtype=np.float32)
    voltage[:, np.isin(observing, list(health.dead))] = DEAD_VOLTAGE
    voltage[0, np.isin(observing, list(health.one_pol_dead))] = DEAD_VOLTAGE
    sky = np.where(voltage == 1.0, np.float32(1.0), np.float32(0.0))
    sky[:, np.isin(observing, list(health.deaf))] = 0.0
    return ObservingArray(observing, nominal_m, true_m, voltage, sky)


def choose_stations(number: int) -> list[int]:
    """Choose working stations, spread over tee and outriggers, in the correlator's (unsorted) order.

    Raises
    ------
    UsageError
        There are not so many.
    """
    if not 1 <= number <= len(WORKING_STATIONS):
        raise UsageError(f"{number} antennas: there are 1 to {len(WORKING_STATIONS)} at work")
    far = set(outriggers())
    outer = [n for n in WORKING_STATIONS if n in far]
    inner = [n for n in WORKING_STATIONS if n not in far]
    n_outer = max(number - len(inner), min(len(outer), number // _OUTRIGGER_SHARE))
    chosen = _spread(inner, number - n_outer) + _spread(outer, n_outer)
    return [int(n) for n in np.random.default_rng(_ORDER_SEED).permutation(chosen)]


def outriggers() -> list[int]:
    """Return the numbers of the stations far from the tee."""
    table = load_stations()
    distance_m = np.linalg.norm(table.itrf_m - np.median(table.itrf_m, axis=0), axis=1)
    return [int(n) for n in table.numbers[distance_m > OUTRIGGER_DISTANCE_M]]


def correlator_baselines(n_antennas: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of an integration as positions in correlator order.

    The second antenna runs slowest, the first from 0 up to it: (0, 0), (0, 1), (1, 1), (0, 2), ... Because the
    correlator's order is not that of the numbers, rows with ant_1 < ant_2 and ant_1 > ant_2 mix.
    """
    second, first = np.tril_indices(n_antennas)
    return first.astype(np.int64), second.astype(np.int64)


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    return [numbers[k * len(numbers) // count] for k in range(count)]
