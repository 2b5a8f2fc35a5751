"""Lines over densities, and what is said where there are none."""

import numpy as np
import pytest
from hypothesis import given, strategies

from dsa110_contimg.naming import PlotKind
from dsa110_contimg.qa.fast_plots_axes import read_axes
from dsa110_contimg.qa.fast_plots_densities import (
    Shown,
    amplitude_range,
    draw_amplitude,
    draw_phase,
    mean_phase_deg,
    percentiles,
)
from dsa110_contimg.qa.fast_plots_kernels import AMPLITUDE_BINS, BINS_A_DECADE, LOWEST_DEX
from dsa110_contimg.qa.fast_plots_reading import count_samples
from plotted_ms import FLAGGED_CHANNELS, Direct, make_plotted_ms

SHOWN = Shown("DATA", "correlator units")


@pytest.fixture(scope="module")
def plotted(tmp_path_factory):
    path = make_plotted_ms(tmp_path_factory.mktemp("plotted") / "a.ms").path
    axes = read_axes(path)
    return axes, count_samples(axes, "DATA"), Direct(path)


def counted(amplitudes):
    bins = ((np.log10(amplitudes) - LOWEST_DEX) * BINS_A_DECADE).astype(int)
    return np.bincount(bins, minlength=AMPLITUDE_BINS)


@given(strategies.integers(1, 400), strategies.sampled_from([5.0, 50.0, 95.0]), strategies.integers(0, 99))
def test_percentiles_are_numpys_within_a_bin(n, percent, seed):
    amplitudes = np.random.default_rng(seed).lognormal(0.0, 1.0, n)
    line = percentiles(np.array([counted(amplitudes), np.zeros(AMPLITUDE_BINS, int)]), (percent,))
    low, high = (np.log10(np.percentile(amplitudes, percent, method=how)) for how in ("inverted_cdf", "higher"))
    assert low - 0.011 <= line[0, 0] <= high + 0.011
    assert np.isnan(line[0, 1])


def test_the_axis_holds_all_but_the_smallest():
    amplitudes = np.concatenate([np.full(10, 1e-6), np.linspace(1.0, 20.0, 9990)])
    low, high = amplitude_range(counted(amplitudes))
    ends = 10.0 ** (LOWEST_DEX + np.array([low, high]) / BINS_A_DECADE)
    assert 0.5 < ends[0] <= 1.0
    assert 20.0 <= ends[1] < 30.0


def test_an_axis_of_one_value_and_of_none():
    low, high = amplitude_range(counted(np.ones(5)))
    assert low < -LOWEST_DEX * BINS_A_DECADE < high
    assert high - low >= BINS_A_DECADE // 2
    assert amplitude_range(np.zeros(AMPLITUDE_BINS, int)) == (800, 1000)


def test_the_phase_of_a_mean_is_said_only_where_there_is_one():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(2, 10000)) + 1j * rng.normal(size=(2, 10000))
    values = np.array([np.exp(0.5j), 0.0])[:, None] + noise
    sums, amplitudes = values.sum(axis=1), np.abs(values).sum(axis=1)
    phases = mean_phase_deg(
        np.append(sums, [0.0, 2j]), np.append(amplitudes, [0.0, 2.0]), np.array([10000, 10000, 0, 1])
    )
    assert phases[0] == pytest.approx(np.degrees(0.5), abs=3)
    assert np.isnan(phases[1:3]).all()
    assert phases[3] == pytest.approx(90)


def drawn(panel):
    return panel.images[0].get_array()


@pytest.mark.parametrize("kind", [PlotKind.AMPLITUDE_TIME, PlotKind.AMPLITUDE_FREQUENCY, PlotKind.AMPLITUDE_UV])
def test_amplitudes(plotted, kind):
    axes, counts, direct = plotted
    figure = draw_amplitude(axes, counts, SHOWN, kind)
    panels = [panel for panel in figure.axes if panel.images and panel.get_ylabel().startswith("amplitude [")]
    assert len(panels) == 2
    shown = sum(int(drawn(panel).sum()) for panel in panels)
    assert 0.99 * direct.good.sum() <= shown <= direct.good.sum()
    assert any("DSA-110  2025-10-05" in text.get_text() for text in figure.texts)
    if kind is PlotKind.AMPLITUDE_FREQUENCY:
        assert not drawn(panels[0])[:, FLAGGED_CHANNELS].any()  # blank
        names = [text.get_text() for text in panels[0].texts]
        assert {"sb00", "sb15", "XX"} <= set(names)
        edges = [line for line in panels[0].lines if len(line.get_xdata()) == 2]
        assert len(edges) >= 15
        # The median, against numpy's
        (median,) = [line for line in panels[1].lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 4]
        expected = [
            np.median(np.abs(direct.values[:, c, 1][direct.good[:, c, 1]])) if direct.good[:, c, 1].any() else np.nan
            for c in range(direct.freq_hz.size)
        ]
        np.testing.assert_allclose(10.0 ** median.get_ydata()[::2], expected, rtol=0.08)


@pytest.mark.parametrize("kind", [PlotKind.PHASE_TIME, PlotKind.PHASE_FREQUENCY])
def test_phases(plotted, kind):
    axes, counts, direct = plotted
    figure = draw_phase(axes, counts, SHOWN, kind)
    panels = [panel for panel in figure.axes if panel.get_ylabel().startswith("phase")]
    assert [panel.get_ylim() for panel in panels] == [(-180, 180)] * 2
    for p, panel in enumerate(panels):
        dots = panel.lines[0].get_ydata()
        good = direct.good[..., p]
        by_time = kind is PlotKind.PHASE_TIME
        index = direct.times()[..., p] if by_time else direct.channel[..., p]
        for k, dot in enumerate(dots):
            if np.isfinite(dot):
                mean = direct.values[..., p][good & (index == k)].mean()
                assert dot == pytest.approx(np.degrees(np.angle(mean)), abs=0.01)
        assert np.isfinite(dots).any() == by_time  # a channel alone has too few samples


def test_nothing_to_draw(tmp_path):
    made = make_plotted_ms(tmp_path / "a.ms")
    made.change("FLAG", np.ones_like)
    axes = read_axes(made.path)
    counts = count_samples(axes, "DATA")
    for figure in (
        draw_amplitude(axes, counts, SHOWN, PlotKind.AMPLITUDE_UV),
        draw_phase(axes, counts, SHOWN, PlotKind.PHASE_TIME),
    ):
        assert "nothing unflagged" in [text.get_text() for panel in figure.axes for text in panel.texts]
    made.change("FLAG", np.zeros_like)
    made.change("DATA", np.zeros_like)
    counts = count_samples(axes, "DATA")
    for figure in (
        draw_amplitude(axes, counts, SHOWN, PlotKind.AMPLITUDE_TIME),
        draw_phase(axes, counts, SHOWN, PlotKind.PHASE_TIME),
    ):
        assert "all are 0" in [text.get_text() for panel in figure.axes for text in panel.texts]
