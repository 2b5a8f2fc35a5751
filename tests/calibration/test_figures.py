"""Figures of a set."""

import numpy as np
import pytest
from matplotlib.image import imread

from dsa110_contimg.calibration.figures import Drawn, _east_north_m, _health, draw_set
from dsa110_contimg.calibration.grading import grade
from dsa110_contimg.calibration.measures import measure
from dsa110_contimg.telescope.stations import load_stations
from solution_sets import changed, healthy_set, without

STATIONS = load_stations().itrf_m[:12]


@pytest.fixture(scope="module")
def drawn():
    k, b, g = healthy_set()
    b = without(changed(b, np.s_[:, 4, :, 1], 0.1), np.s_[:, 9])
    return Drawn(k, b, g, grade(measure(k, b, g)))


def test_every_figure_is_there_and_has_something_on_it(drawn, tmp_path):
    made = draw_set(drawn, STATIONS, tmp_path / "figures")
    assert {path.stem for path in made} == {
        "bandpass_amplitude",
        "bandpass_phase",
        "antennas",
        "delays",
        "gains",
        "health",
    }
    for path in made:
        assert np.ptp(imread(path)[..., :3]) > 0.5


def test_odd_antennas_are_labelled_in_the_map(drawn):
    axes = _health(drawn, STATIONS).axes[0]
    assert [text.get_text() for text in axes.texts] == ["5"]


def test_a_set_without_solutions_can_be_drawn(tmp_path):
    k, b, g = (without(table, np.s_[:]) for table in healthy_set())
    assert len(draw_set(Drawn(k, b, g, grade(measure(k, b, g))), STATIONS, tmp_path)) == 6


def test_the_outriggers_are_where_they_are():
    stations = load_stations()
    east, north = _east_north_m(stations.itrf_m)
    assert np.hypot(east, north).max() == pytest.approx(1500, abs=700)
    away = np.linalg.norm(stations.itrf_m - np.median(stations.itrf_m, axis=0), axis=1)
    np.testing.assert_allclose(np.hypot(east, north), away, atol=40)  # it is no plain
