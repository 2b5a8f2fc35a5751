"""The plane of eta and V: each source is where its statistics are, and candidates have their names."""

import numpy as np
import pytest
from PIL import Image

from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.lightcurves.days import days_of
from dsa110_contimg.lightcurves.variables import variables_of
from dsa110_contimg.photometry.measurements import position_of, source_id
from dsa110_contimg.photometry.sources import iau_names
from dsa110_contimg.qa.variables_figure import draw_variables, variables_figure
from dsa110_contimg.simulation.months import Behaviour, simulate_months


@pytest.fixture(scope="module")
def found():
    kinds = {Behaviour.STEADY: 60, Behaviour.DIP: 2, Behaviour.FLARE: 1, Behaviour.FLICKER: 6}
    month = simulate_months(kinds, n_days=45, seed=9, size=(0.5, 0.5), width_d=(5.0, 6.0), flux_jy=(0.1, 1.0))
    numbers = np.repeat(source_id(month.ra_deg, month.dec_deg), 45)
    days = days_of(numbers, month.mjd.ravel(), month.flux["full"].ravel(), month.e_flux["full"].ravel())
    return variables_of(days, "+54.6", LightcurveSettings())


def test_candidates_are_named_where_they_are(found, tmp_path):
    figure = variables_figure(found)
    axes = figure.axes[0]
    assert axes.collections[0].get_offsets().shape == (69, 2)
    names = {text.get_text(): text.xy for text in axes.texts}
    striking = found.variable.copy()
    striking[np.searchsorted(found.days.source_id, [event.source_id for event in found.events])] = True
    expected = np.array(iau_names(*position_of(found.days.source_id)))[striking]
    assert set(names) == set(expected)
    k = int(np.flatnonzero(striking)[0])
    place = found.statistics.v[k], found.statistics.eta[k]
    assert names[expected[0]] == pytest.approx(place)
    # No name is written over another.
    boxes = [text.xyann for text in axes.texts]
    for i, (x, y) in enumerate(boxes):
        assert not any(abs(x - u) < 0.1 and abs(y - v) < 0.02 for u, v in boxes[:i])
    draw_variables(tmp_path / "plane.png", found)
    with Image.open(tmp_path / "plane.png") as picture:
        assert picture.size == (1100, 770)


def test_a_strip_without_sources_is_an_empty_plane():
    nothing = variables_of(days_of([], [], [], []), "+54.6", LightcurveSettings())
    figure = variables_figure(nothing)
    assert "0 sources, 0 days" in figure.axes[0].get_title(loc="left")
    assert len(figure.axes[0].texts) == 0
    assert nothing.order().size == 0
