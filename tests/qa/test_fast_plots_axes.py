"""Axes of any Measurement Set, and the bins on them."""

import json

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.naming import PROVENANCE_NAME
from dsa110_contimg.qa.fast_plots_axes import MOST_COLUMNS, MOST_TIMES, read_axes
from dsa110_contimg.telescope.band import CHANNEL_WIDTH_HZ, INTEGRATION_S
from plotted_ms import N_CHANNELS, N_TIMES, STATIONS, make_plotted_ms, rewritten


@pytest.fixture
def made(tmp_path):
    return make_plotted_ms(tmp_path / "a.ms")


def set_column(path, table, column, values):
    with ct.table(f"{path}::{table}" if table else str(path), readonly=False, ack=False) as opened:
        opened.putcol(column, values)


def test_a_bin_for_each_integration_and_channel(made):
    axes = read_axes(made.path)
    assert axes.time_edges_mjd.size == N_TIMES + 1
    middles = (axes.time_edges_mjd[1:] + axes.time_edges_mjd[:-1]) / 2
    np.testing.assert_allclose(middles, made.mjd, atol=1e-8)
    np.testing.assert_allclose(np.diff(axes.freq_edges_hz), 24 * CHANNEL_WIDTH_HZ, rtol=1e-6)
    np.testing.assert_allclose((axes.freq_edges_hz[1:] + axes.freq_edges_hz[:-1]) / 2, made.freq_hz, rtol=1e-9)
    np.testing.assert_array_equal(axes.channels.column, np.arange(N_CHANNELS))
    assert axes.polarizations == ("XX", "YY")
    assert [axes.antenna_names[k] for k in axes.antennas] == [str(number) for number in STATIONS]
    assert axes.has_crosses
    assert axes.has_autos
    assert axes.has_uv
    assert axes.n_fields == 1
    assert axes.title == f"2025-10-05 12:28:48 UTC, declination {made.dec_deg:+.2f}°"


def test_the_bins_hold_all_that_is_there(made):
    axes = read_axes(made.path)
    with ct.table(str(made.path), ack=False) as table:
        uvw_m, cross = table.getcol("UVW"), table.getcol("ANTENNA1") != table.getcol("ANTENNA2")
    wavelengths = np.hypot(uvw_m[cross, 0], uvw_m[cross, 1])[:, None] * axes.channels.per_m
    assert axes.uv_edges[0] <= wavelengths.min()
    assert wavelengths.max() <= axes.uv_edges[-1]
    assert np.abs(uvw_m[:, :2]).max() * axes.channels.per_m.max() <= axes.plane_limits[0]
    assert axes.plane_limits[1] < axes.plane_limits[0]


def test_the_pointing_is_what_was_recorded(made):
    (made.path / PROVENANCE_NAME).write_text(json.dumps({"pointing_dec_deg": 16.27}))
    assert "declination +16.27°" in read_axes(made.path).title


def test_gaps_in_time_stay_gaps(made, tmp_path):
    n_baselines = len(STATIONS) * (len(STATIONS) + 1) // 2
    times_s = np.repeat([0.0, 1.0, 2.0, 7.0], n_baselines)[: N_TIMES * n_baselines] * INTEGRATION_S
    times_s[-n_baselines:] = 7 * INTEGRATION_S
    set_column(made.path, "", "TIME", 60953.5 * 86400 + times_s)
    axes = read_axes(made.path)
    assert axes.time_edges_mjd.size >= 3
    rows = rewritten(made.path, tmp_path / "b.ms", [0])
    assert read_axes(rows).time_edges_mjd.size == 2  # one integration
    with ct.table(str(rows), readonly=False, ack=False) as table:
        table.putcol("INTERVAL", [0.0])
    np.testing.assert_allclose(np.diff(read_axes(rows).time_edges_mjd) * 86400, 1.0, rtol=1e-3)


def test_many_integrations_share_bins(made):
    with ct.table(str(made.path), readonly=False, ack=False) as table:
        table.putcol("TIME", 60953.5 * 86400 + np.arange(table.nrows()) * 100.0 * (np.arange(table.nrows()) ** 2 + 1))
    assert read_axes(made.path).time_edges_mjd.size <= MOST_TIMES + 1
    freq_hz = np.linspace(1.3e9, 1.5e9, N_CHANNELS)[None]
    set_column(made.path, "SPECTRAL_WINDOW", "CHAN_FREQ", freq_hz)
    set_column(made.path, "SPECTRAL_WINDOW", "CHAN_WIDTH", np.full(freq_hz.shape, 1e4))
    assert read_axes(made.path).freq_edges_hz.size == MOST_COLUMNS + 1


def test_without_coordinates_autos_or_crosses(made, tmp_path):
    with ct.table(str(made.path), ack=False) as table:
        cross = table.getcol("ANTENNA1") != table.getcol("ANTENNA2")
    crosses = read_axes(rewritten(made.path, tmp_path / "b.ms", np.flatnonzero(cross).tolist()))
    assert (crosses.has_crosses, crosses.has_autos) == (True, False)
    autos = read_axes(rewritten(made.path, tmp_path / "c.ms", np.flatnonzero(~cross).tolist()))
    assert (autos.has_crosses, autos.has_autos, autos.has_uv) == (False, True, False)
    made.change("UVW", np.zeros_like)
    assert not read_axes(made.path).has_uv


def test_several_fields_are_told(made):
    with ct.table(f"{made.path}::FIELD", readonly=False, ack=False) as table:
        table.copyrows(table)
    made.change("FIELD_ID", lambda ids: np.arange(ids.size) % 2)
    assert read_axes(made.path).title.endswith(", 2 phase centres")


def test_a_time_that_is_none(made):
    made.change("TIME", lambda times: times + 1e15)
    assert read_axes(made.path).title.startswith("MJD ")


def test_other_polarizations(made):
    set_column(made.path, "POLARIZATION", "CORR_TYPE", np.array([[5, 6]]))
    axes = read_axes(made.path)
    assert axes.polarizations == ("RR",)
    np.testing.assert_array_equal(axes.channels.correlations, [0])


class TestWhatCannotBeRead:
    def test_nothing_there(self, tmp_path):
        with pytest.raises(MeasurementSetError, match="is not a Measurement Set"):
            read_axes(tmp_path / "none.ms")

    def test_a_directory_of_other_things(self, tmp_path):
        (tmp_path / "table.dat").write_text("nothing")
        with pytest.raises(MeasurementSetError, match="cannot be read"):
            read_axes(tmp_path)

    def test_no_rows(self, made, tmp_path):
        with pytest.raises(MeasurementSetError, match="has no rows"):
            read_axes(rewritten(made.path, tmp_path / "b.ms", []))

    def test_several_spectral_windows(self, made):
        with ct.table(f"{made.path}::SPECTRAL_WINDOW", readonly=False, ack=False) as table:
            table.copyrows(table)
        with pytest.raises(MeasurementSetError, match="has 2 spectral windows"):
            read_axes(made.path)

    def test_only_crossed_polarizations(self, made):
        set_column(made.path, "POLARIZATION", "CORR_TYPE", np.array([[10, 11]]))
        with pytest.raises(MeasurementSetError, match=r"no correlation of one polarization \(CORR_TYPE \[10, 11\]\)"):
            read_axes(made.path)
