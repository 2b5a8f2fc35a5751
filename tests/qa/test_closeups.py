"""Cut-outs of the brightest sources: the right ones, in the right place."""

import matplotlib.image
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.photometry.sources import values
from dsa110_contimg.qa.closeups import SHOWN, closeups_figure, cut, draw_closeups
from judged_images import STEM, make_planes, write_made

MADE = make_planes(256, 4.0, 12)


def test_the_brightest_are_shown() -> None:
    figure = closeups_figure(MADE.planes, MADE.header, MADE.sources)
    titles = [axes.get_title().splitlines()[0] for axes in figure.axes[:SHOWN]]
    order = np.argsort(-values(MADE.sources, "apparent_peak"))[:SHOWN]
    assert titles == [MADE.sources["name"][k] for k in order]
    brightest = np.asarray(figure.axes[0].images[0].get_array())
    middle = brightest.shape[0] // 2
    assert brightest[middle - 2 : middle + 3, middle - 2 : middle + 3].max() == brightest.max()


def test_fewer_sources_than_places(tmp_path) -> None:
    write_made(MADE, tmp_path)
    path = draw_closeups(tmp_path, STEM, MADE.sources[:2])
    assert path is not None
    assert matplotlib.image.imread(path).shape[1] > 1000
    assert draw_closeups(tmp_path, STEM, MADE.sources[:0]) is None


@given(st.integers(-3, 22), st.integers(-3, 17), st.integers(1, 6))
def test_cut(column: int, row: int, half: int) -> None:
    plane = np.arange(15 * 20, dtype=np.float32).reshape(15, 20)
    square = cut(plane, column, row, half)
    assert square.shape == (2 * half + 1, 2 * half + 1)
    inside = 0 <= row < 15 and 0 <= column < 20
    assert square[half, half] == plane[row, column] if inside else np.isnan(square[half, half])
