"""The picture of an image: sources where they are on the sky, the beam as it lies, in a small file."""

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import Ellipse

from dsa110_contimg.config.settings import QualitySettings
from dsa110_contimg.naming import preview_name
from dsa110_contimg.qa.preview import binned, draw_preview, main, preview_figure
from dsa110_contimg.qa.quality import measure_quality
from judged_images import BEAM, STEM, make_planes, write_made

MADE = make_planes(256, 4.0, 12)


def test_draw_preview(tmp_path) -> None:
    write_made(MADE, tmp_path)
    quality = measure_quality(MADE.planes, MADE.header, QualitySettings())
    path = draw_preview(tmp_path, STEM, sources=MADE.sources, quality=quality)
    assert path == tmp_path / preview_name(STEM)
    picture = matplotlib.image.imread(path)
    assert 900 < picture.shape[0] == picture.shape[1] < 1500
    assert path.stat().st_size < 600_000


def test_what_is_in_it() -> None:
    figure = preview_figure(MADE.planes, MADE.header, sources=MADE.sources)
    (axes,) = figure.axes
    said = " ".join(text.get_text() for text in (*axes.texts, *figure.texts))
    for part in ("beam 64″ × 38″", "drawn", "12 sources", "1405 MHz", "2025-10-05 12:30:00"):
        assert part in said
    marked = next(line for line in axes.lines if line.get_marker() == "o")
    assert len(marked.get_xdata()) == 12
    beam = next(patch for patch in axes.patches if isinstance(patch, Ellipse))
    assert beam.angle == BEAM.pa_deg  # turned from up to the left, as from north to east
    assert beam.height / beam.width == pytest.approx(64 / 38)


def test_marks_lie_on_sources() -> None:
    axes = preview_figure(MADE.planes, MADE.header, sources=MADE.sources).axes[0]
    marked = next(line for line in axes.lines if line.get_marker() == "o")
    x, y = (np.rint(values).astype(int) for values in marked.get_data())
    assert (MADE.planes.image[y, x] > 4 * MADE.planes.rms[y, x]).mean() > 0.7


@pytest.mark.parametrize("dec_deg", [-10.0, 16.27, 71.6])
def test_across_zero_hours(dec_deg: float) -> None:
    made = make_planes(96, 5.0, 3, ra_deg=0.2, dec_deg=dec_deg)
    preview_figure(made.planes, made.header, sources=made.sources).draw_without_rendering()


def test_an_empty_image_is_drawn() -> None:
    empty = MADE.planes._replace(
        image=np.full_like(MADE.planes.image, np.nan), rms=np.zeros_like(MADE.planes.rms), pb=None
    )
    preview_figure(empty, MADE.header, sources=MADE.sources[:0]).draw_without_rendering()


@given(st.integers(1, 5), st.integers(5, 24), st.integers(5, 24))
def test_binning_keeps_the_mean(step: int, rows: int, columns: int) -> None:
    image = np.random.default_rng(rows).normal(size=(rows, columns)).astype(np.float32)
    small = binned(image, step)
    whole = image[: rows // step * step, : columns // step * step]
    assert small.mean() == pytest.approx(whole.mean(), abs=1e-5)


def test_by_hand(tmp_path, capsys) -> None:
    directory = tmp_path / f"{STEM}-images"
    directory.mkdir()
    write_made(make_planes(64, n_sources=2), directory)
    assert main([str(directory)]) == 0
    assert capsys.readouterr().out.strip() == str(directory / preview_name(STEM))
    assert (directory / preview_name(STEM)).exists()
