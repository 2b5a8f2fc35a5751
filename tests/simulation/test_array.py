"""Which stations observe, in which order of baselines, and what is wrong with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import UsageError
from dsa110_contimg.simulation.array import (
    DEAD_VOLTAGE,
    Health,
    choose_stations,
    correlator_baselines,
    observing_array,
    outriggers,
)
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.stations import WORKING_STATIONS


@given(st.integers(1, 96))
def test_chosen_stations_are_at_work_and_each_comes_once(number):
    chosen = choose_stations(number)
    assert len(set(chosen)) == len(chosen) == number
    assert set(chosen) <= set(WORKING_STATIONS)
    assert chosen == choose_stations(number)


def test_a_few_stations_are_spread_and_unsorted():
    chosen = choose_stations(12)
    assert 2 <= len(set(chosen) & set(outriggers())) <= 4
    assert chosen != sorted(chosen)


@pytest.mark.parametrize("number", [0, 97])
def test_too_few_or_too_many(number):
    with pytest.raises(UsageError, match="antennas"):
        choose_stations(number)


def test_outriggers_stand_far_off():
    assert outriggers() == list(range(103, 118))


def test_baselines_in_the_correlators_order():
    # As in a file of the telescope with stations 24, 103, 11 and 50: rows of ant_1 and of ant_2.
    stations = np.array([24, 103, 11, 50])
    first, second = correlator_baselines(4)
    assert (stations[first] - 1).tolist() == [23, 23, 102, 23, 102, 10, 23, 102, 10, 49]
    assert (stations[second] - 1).tolist() == [23, 102, 102, 10, 10, 10, 49, 49, 49, 49]


def test_the_full_array_has_4656_baselines_of_both_orders():
    stations = np.array(choose_stations(96))
    first, second = correlator_baselines(96)
    assert first.size == 4656
    assert (stations[first] < stations[second]).any()
    assert (stations[first] > stations[second]).any()


def test_positions_are_from_the_site_in_the_meridian_frame():
    array = observing_array([1, 116], HEADER_SITE)
    # Station 1 is west of the site's meridian and within the array's extent.
    assert array.nominal_m[0, 1] == pytest.approx(-234.4, abs=0.5)
    assert np.linalg.norm(array.nominal_m, axis=1).max() < 3000
    assert np.array_equal(array.nominal_m, array.true_m)
    assert (array.voltage == 1).all()
    assert (array.sky == 1).all()


def test_unwell_stations():
    array = observing_array([5, 3, 9, 7], HEADER_SITE, Health([5], [3], [9], (3, 7)))
    assert array.voltage[:, 0].tolist() == pytest.approx([DEAD_VOLTAGE] * 2)
    assert array.voltage[:, 1].tolist() == pytest.approx([DEAD_VOLTAGE, 1.0])
    assert array.voltage[:, 2].tolist() == [1.0, 1.0]
    assert array.sky.tolist() == [[0, 0, 0, 1], [0, 1, 0, 1]]
    assert np.array_equal(array.true_m, array.nominal_m[[0, 3, 2, 1]])


@pytest.mark.parametrize("stations", [[], [1, 1], [0, 1], [118]])
def test_stations_that_do_not_exist(stations):
    with pytest.raises(UsageError, match="antennas of the array"):
        observing_array(stations, HEADER_SITE)


def test_a_station_that_does_not_observe_cannot_be_dead():
    with pytest.raises(UsageError, match=r"\[4\]"):
        observing_array([1, 2], HEADER_SITE, Health(dead=[4]))
