"""Axes that people read."""

import pytest
from matplotlib.figure import Figure

from dsa110_contimg.qa.fast_plots_style import log_axis, palette, plain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.002, "0.002"),
        (0.5, "0.5"),
        (1.25, "1.25"),
        (100.0, "100"),
        (2000.0, "2000"),
        (20000.0, "20 000"),
        (3e6, "3e6"),
        (1e5, "1e5"),
        (2.5e-7, "2.5e-7"),
    ],
)
def test_plain_numbers(value, text):
    assert plain(value) == text


def test_a_few_digits():
    assert plain(0.3777, 2) == "0.38"
    assert plain(100.0, 2) == "100"
    assert plain(99.97, 2) == "100"


@pytest.mark.parametrize(
    ("ends", "labels"), [((-0.1, 1.1), ["1", "2", "5", "10"]), ((-0.5, 4.5), ["1", "10", "100", "1000", "10 000"])]
)
def test_powers_of_ten(ends, labels):
    axes = Figure().add_subplot()
    axes.set_xlim(ends)
    log_axis(axes.xaxis)
    axis = axes.xaxis
    assert [axis.get_major_formatter()(tick, 0) for tick in axis.get_major_locator()()] == labels


def test_all_colours_fit_a_palette():
    assert len(palette().getpalette()) <= 3 * 256
