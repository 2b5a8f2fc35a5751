"""Which antenna is the reference."""

import numpy as np
import pytest

from dsa110_contimg.calibration.reference import choose_reference, preference
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.telescope.stations import load_stations


def test_103_comes_first_then_the_outriggers_then_the_core():
    stations = load_stations()
    order = preference(stations.names, stations.itrf_m)
    distance_m = np.linalg.norm(stations.itrf_m - np.median(stations.itrf_m, axis=0), axis=1)
    assert stations.names[order[0]] == "103"
    n_far = int((distance_m > 400).sum())
    assert n_far >= 14
    assert (distance_m[order[:n_far]] > 400).all()
    assert (np.diff(distance_m[order[n_far:]]) >= 0).all()
    assert sorted(order) == list(range(117))


def test_others_can_be_preferred():
    stations = load_stations()
    order = preference(stations.names, stations.itrf_m, ("24", "107"))
    assert [stations.names[row] for row in order[:2]] == ["24", "107"]


STRENGTH = np.array([[100.0, 100], [90, 80], [0, 100], [30, 100], [95, 95]])


@pytest.mark.parametrize(("preferred", "chosen"), [([1, 4], 1), ([2, 4], 4), ([3, 4], 4), ([2, 3], 0)])
def test_the_first_that_is_healthy_is_chosen(preferred, chosen):
    found, why = choose_reference(preferred, STRENGTH, np.ones((5, 2)))
    assert found == chosen
    assert why


def test_one_that_lacks_channels_is_not_chosen():
    channels = np.ones((5, 2))
    channels[1, 1] = 0.5
    assert choose_reference([1, 4], STRENGTH, channels)[0] == 4


def test_without_any_that_sees_the_calibrator_there_is_none():
    with pytest.raises(CalibrationError, match="no antenna sees the calibrator"):
        choose_reference([0], np.array([[0.0, 3.0], [2.0, 0.0]]), np.ones((2, 2)))
