"""Drawings inside of the page."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.qa.drawings import channel_drawing, step_drawing

FLAGS = {
    "first_channel_hz": 1311.387329e6 + 0,
    "channel_width_hz": 244140.625,
    "channels": {"good": [1.0, 0.5, 0.0, 1.0], "array": [0.0, 0.5, 1.0, 0.0]},
}


def heights(svg: str) -> list[float]:
    """Of the outline, from the floor up, in parts of the whole."""
    path = re.search(r'd="M[^ ]* (.*?) Z"', svg)
    assert path is not None
    y = [float(point.split(",")[1]) for point in path[1].replace("L", "").split()][:-1]
    floor, top = 98.0, 8.0
    return [(floor - value) / (floor - top) for value in y]


def test_flagged_channels() -> None:
    (svg,) = channel_drawing(FLAGS)
    assert heights(svg) == pytest.approx([0, 0, 0.5, 0.5, 1, 1, 0, 0], abs=1e-3)
    ET.fromstring(svg)
    assert "MHz" in svg


@pytest.mark.parametrize("missing", ["channels", "first_channel_hz", "channel_width_hz"])
def test_nothing_known_nothing_drawn(missing: str) -> None:
    assert channel_drawing({key: value for key, value in FLAGS.items() if key != missing}) == ()


@given(st.lists(st.floats(-1, 2) | st.just(float("nan")), min_size=1, max_size=900))
def test_any_values(values: list[float]) -> None:
    svg = step_drawing(np.array(values), (0.0, 1.0), "s", "something")
    ET.fromstring(svg)
    drawn = heights(svg)
    assert min(drawn) >= -1e-3
    assert max(drawn) == pytest.approx(np.clip(np.nan_to_num(values), 0, 1).max(), abs=1e-3)
