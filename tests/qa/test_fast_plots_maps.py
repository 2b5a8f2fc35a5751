"""Waterfall, autocorrelations, uv coverage and flags, against numpy."""

import numpy as np
import pytest

from dsa110_contimg.qa.fast_plots_axes import read_axes
from dsa110_contimg.qa.fast_plots_densities import Shown
from dsa110_contimg.qa.fast_plots_maps import draw_autos, draw_flags, draw_uv_coverage, draw_waterfall, ratio
from dsa110_contimg.qa.fast_plots_reading import count_samples
from plotted_ms import FLAGGED_CHANNELS, FLAGGED_STATION, STATIONS, Direct, make_plotted_ms, rewritten

SHOWN = Shown("DATA", "correlator units")


@pytest.fixture(scope="module")
def plotted(tmp_path_factory):
    made = make_plotted_ms(tmp_path_factory.mktemp("plotted") / "a.ms")
    autos = Direct(made.path)
    # One antenna hears ten times too much, in one polarization.
    made.change(
        "DATA",
        lambda data: (
            np.where(
                ((~autos.cross) & (autos.first == STATIONS[1] - 1))[:, None, None] * [True, False], 10 * data, data
            )
        ).astype(np.complex64),
    )
    axes = read_axes(made.path)
    return axes, count_samples(axes, "DATA"), Direct(made.path)


def pictures(figure):
    """What the panels with pictures hold, without colour bars."""
    return [panel.images[0].get_array() for panel in figure.axes if panel.images and panel.get_label() != "<colorbar>"]


def texts(figure):
    return [text.get_text() for panel in figure.axes for text in panel.texts]


def test_nothing_over_nothing_is_nothing():
    np.testing.assert_array_equal(ratio(np.array([1, 0]), np.array([4, 0])), [0.25, np.nan])


def test_waterfall_is_the_mean_amplitude(plotted):
    axes, counts, direct = plotted
    for p, picture in enumerate(pictures(draw_waterfall(axes, counts, SHOWN))):
        values = np.where(direct.good[..., p], np.abs(direct.values[..., p]), np.nan)
        for t in range(picture.shape[0]):
            there = values[direct.time == t]
            assert picture.mask[t, FLAGGED_CHANNELS].all()
            np.testing.assert_allclose(picture.data[t, 10:], np.nanmean(there[:, 10:], axis=0), rtol=1e-5)


def test_interference_and_what_is_usual_are_both_seen(plotted):
    axes, counts, _ = plotted
    strong = counts._replace(amplitude_sum=counts.amplitude_sum * np.where(np.arange(32) < 4, 100.0, 1.0))
    (first, *_) = [panel.images[0] for panel in draw_waterfall(axes, strong, SHOWN).axes if panel.images]
    assert type(first.norm).__name__ == "LogNorm"


def test_autocorrelations_name_the_antenna_that_is_far_off(plotted):
    axes, counts, direct = plotted
    figure = draw_autos(axes, counts, SHOWN)
    assert [text for text in texts(figure) if text.startswith("far")] == [
        f"far from the median: {STATIONS[1]} (+10 dB)"
    ]
    xx, yy = pictures(figure)
    assert xx.shape == (len(STATIONS), direct.freq_hz.size)
    flagged = STATIONS.index(FLAGGED_STATION)
    assert xx.mask[flagged].all()
    assert xx.mask[:, FLAGGED_CHANNELS].all()
    assert float(xx[1].mean()) == pytest.approx(10.0, abs=0.1)
    assert abs(float(yy[1].mean())) < 0.1


def test_uv_coverage_has_both_halves(plotted):
    axes, counts, direct = plotted
    whole, middle = pictures(draw_uv_coverage(axes, counts))
    assert whole.sum() == 2 * direct.good.sum()
    np.testing.assert_array_equal(whole, whole[::-1, ::-1])
    assert 0 < middle.sum() < whole.sum()


def test_flagged_parts_are_exact(plotted):
    axes, counts, direct = plotted
    figure = draw_flags(axes, counts)
    title = figure.texts[0].get_text()
    parts = [direct.flags.mean(), *direct.flags.mean(axis=(0, 1))]
    assert title == f"Flagged: {parts[0]:.1%} (XX {parts[1]:.1%}, YY {parts[2]:.1%})"
    by_station = next(panel for panel in figure.axes if panel.get_xlabel() == "station")
    for p, bars in enumerate(by_station.containers):
        for station, bar in zip(STATIONS, bars, strict=True):
            rows = (direct.first == station - 1) | (direct.second == station - 1)
            assert bar.get_height() == pytest.approx(direct.flags[rows][..., p].mean(), rel=1e-12)
    by_channel = next(panel for panel in figure.axes if panel.get_ylabel() == "flagged of each channel")
    for p, stairs in enumerate(by_channel.patches):
        np.testing.assert_allclose(stairs.get_data().values, direct.flags[..., p].mean(axis=0), rtol=1e-12)
    (cells,) = pictures(figure)
    expected = [direct.flags[direct.time == t].mean(axis=(0, 2)) for t in range(cells.shape[0])]
    np.testing.assert_allclose(cells, expected, rtol=1e-12)


@pytest.mark.parametrize(("crosses", "said"), [(True, "no autocorrelations"), (False, "no cross-correlations")])
def test_what_is_not_there_is_said(plotted, tmp_path, crosses, said):
    axes, _, direct = plotted
    rows = np.flatnonzero(direct.cross == crosses).tolist()
    axes = read_axes(rewritten(axes.path, tmp_path / "b.ms", rows))
    counts = count_samples(axes, "DATA")
    figures = [draw_waterfall(axes, counts, SHOWN), draw_autos(axes, counts, SHOWN), draw_uv_coverage(axes, counts)]
    assert said in [text for figure in figures for text in texts(figure)]
    assert draw_flags(axes, counts).texts[0].get_text().startswith("Flagged: ")


def test_without_coordinates_and_with_all_flagged(tmp_path):
    made = make_plotted_ms(tmp_path / "a.ms")
    made.change("UVW", np.zeros_like)
    axes = read_axes(made.path)
    assert "no UVW" in texts(draw_uv_coverage(axes, count_samples(axes, "DATA")))
    made.change("FLAG", np.ones_like)
    counts = count_samples(axes, "DATA")
    for draw in (draw_waterfall, draw_autos):
        assert "nothing unflagged" in texts(draw(axes, counts, SHOWN))
    assert draw_flags(axes, counts).texts[0].get_text() == "Flagged: 100.0% (XX 100.0%, YY 100.0%)"
