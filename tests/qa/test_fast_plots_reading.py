"""What is counted is what casacore reads, whatever the layout."""

import casacore.tables as ct
import numpy as np
import pytest

from casa import needs_casa, run_casa
from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.columns import OpenMs
from dsa110_contimg.qa.fast_plots_axes import UV_BINS, read_axes
from dsa110_contimg.qa.fast_plots_densities import mean_phase_deg
from dsa110_contimg.qa.fast_plots_kernels import PHASE_BINS
from dsa110_contimg.qa.fast_plots_reading import count_samples
from plotted_ms import N_CHANNELS, N_TIMES, STATIONS, Direct, add_column, make_plotted_ms, rewritten
from predicted_ms import PredictedMs

N_BASELINES = len(STATIONS) * (len(STATIONS) + 1) // 2
C_M_S = 299792458.0


@pytest.fixture(scope="module")
def ms(tmp_path_factory):
    return make_plotted_ms(tmp_path_factory.mktemp("plotted") / "a.ms").path


def assert_counted(counts, direct):
    """Counts are those of numpy: exactly, and within an edge of a bin for amplitude and phase."""
    n_times, n_channels = direct.time.max() + 1, direct.freq_hz.size
    cells = (2, n_times, n_channels)
    where = (direct.product, direct.times(), direct.channel)
    everything = np.ones(direct.values.shape, bool)
    np.testing.assert_array_equal(counts.samples, direct.count(everything, *where, shape=cells))
    np.testing.assert_array_equal(counts.flagged, direct.count(direct.flags, *where, shape=cells))
    np.testing.assert_array_equal(counts.good, direct.count(direct.good, *where, shape=cells))
    for k, which in enumerate((everything, direct.flags)):
        by_antenna = np.zeros(counts.by_antenna[k].shape, int)
        np.add.at(by_antenna, (slice(None), direct.first), which.sum(axis=1).T)
        np.add.at(by_antenna, (slice(None), direct.second[direct.cross]), which[direct.cross].sum(axis=1).T)
        np.testing.assert_array_equal(counts.by_antenna[k], by_antenna)
    sums = np.zeros(cells, complex)
    np.add.at(sums, tuple(place[direct.good] for place in where), direct.values[direct.good])
    np.testing.assert_allclose(counts.vector_sum, sums, rtol=1e-5, atol=1e-4)
    autos = ~direct.flags & ~direct.cross[:, None, None]
    spectra = np.zeros(counts.autos.shape)
    place = (direct.product[autos], direct.first[direct.row[autos]], direct.channel[autos])
    np.add.at(spectra, place, np.abs(direct.values[autos]))
    np.testing.assert_allclose(counts.autos, spectra, rtol=1e-5)
    amplitudes, phases = direct.amplitude_bins(), direct.phase_bins()
    for found, axis, bins in (
        (counts.amplitude_time, direct.times(), amplitudes),
        (counts.amplitude_frequency, direct.channel, amplitudes),
        (counts.phase_time, direct.times(), phases),
        (counts.phase_frequency, direct.channel, phases),
    ):
        expected = direct.count(direct.good, direct.product, axis, bins, shape=found.shape)
        np.testing.assert_array_equal(found.sum(axis=2), expected.sum(axis=2))
        assert np.abs(found.astype(int) - expected).sum() <= 1e-3 * expected.sum() + 4
    assert counts.amplitude_uv.sum() == direct.good.sum()


def test_every_sample_is_counted_where_it_belongs(ms):
    with OpenMs(ms) as opened:
        assert opened.is_tiled("DATA")
        assert not opened.is_tiled("WEIGHT")
    axes = read_axes(ms)
    counts = count_samples(axes, "DATA")
    direct = Direct(ms)
    assert_counted(counts, direct)
    # uv distance, and the place in the uv plane, of the samples in wavelengths
    wavelengths = direct.uvw_m[:, None, :2] * (direct.freq_hz / C_M_S)[:, None]
    n_good = direct.good.sum(axis=2)
    by_distance, _ = np.histogram(np.hypot(*np.moveaxis(wavelengths, 2, 0)), axes.uv_edges, weights=n_good)
    assert np.abs(counts.amplitude_uv.sum(axis=(0, 2)) - by_distance).sum() <= 2
    for plane, limit in zip(counts.plane, axes.plane_limits, strict=True):
        edges = np.linspace(-limit, limit, plane.shape[0] + 1)
        u, v = wavelengths[..., 0].ravel(), wavelengths[..., 1].ravel()
        expected, _, _ = np.histogram2d(v, u, (edges, edges), weights=n_good.ravel())
        assert np.abs(plane - expected).sum() <= 2
    assert counts.plane[0].sum() == direct.good.sum()


def test_flagged_samples_are_nowhere(tmp_path):
    """What is flagged is a million times stronger than what is not."""
    made = make_plotted_ms(tmp_path / "a.ms")
    flagged = Direct(made.path).flags
    made.change("DATA", lambda data: np.where(flagged & np.isfinite(data), 1e6, data).astype(np.complex64))
    counts = count_samples(read_axes(made.path), "DATA")
    assert counts.flagged.sum() == flagged.sum()
    assert counts.amplitude_time.sum() == Direct(made.path).good.sum()
    assert counts.amplitude_time[..., 1300:].sum() == 0  # 10 kJy and more
    assert counts.autos.max() < 1e5


@pytest.mark.parametrize("workers", [1, 3])
def test_other_columns_and_what_the_model_leaves(tmp_path, workers):
    ms = make_plotted_ms(tmp_path / "a.ms").path
    add_column(ms, "MODEL_DATA", 2 - 1j)
    axes = read_axes(ms)
    seen = []
    assert_counted(
        count_samples(axes, "DATA", "MODEL_DATA", workers, seen.append), Direct(ms, "DATA", minus="MODEL_DATA")
    )
    assert seen[-1] == 1
    assert seen == sorted(seen)
    model = count_samples(axes, "MODEL_DATA", workers=workers)
    assert np.count_nonzero(model.amplitude_time.sum(axis=(0, 1))) == 1
    assert model.good.sum() == Direct(ms, "MODEL_DATA").good.sum()


def test_rows_in_any_order_and_rows_left_out(ms, tmp_path):
    order = np.random.default_rng(2).permutation(N_TIMES * N_BASELINES)[:50]
    shuffled = rewritten(ms, tmp_path / "b.ms", order.tolist())
    assert_counted(count_samples(read_axes(shuffled), "DATA"), Direct(shuffled))


def test_tables_of_another_layout_and_descending_channels(tmp_path):
    made = make_plotted_ms(tmp_path / "a.ms")
    for column in ("DATA", "FLAG"):
        made.change(column, lambda values: values[:, ::-1].copy())
    with ct.table(f"{made.path}::SPECTRAL_WINDOW", readonly=False, ack=False) as table:
        table.putcol("CHAN_FREQ", table.getcol("CHAN_FREQ")[:, ::-1].copy())
    assert_counted(count_samples(read_axes(made.path), "DATA"), Direct(made.path))
    with ct.table(str(made.path), readonly=False, ack=False) as table:
        data, flags = table.getcol("DATA"), table.getcol("FLAG")
        table.removecols(["DATA", "FLAG"])
        for column, kind, values in (("DATA", "complex", data), ("FLAG", "boolean", flags)):
            table.addcols(ct.maketabdesc(ct.makearrcoldesc(column, 0, valuetype=kind, ndim=2)))
            table.putcol(column, values)
    with OpenMs(made.path) as opened:
        assert not opened.is_tiled("DATA")
    assert_counted(count_samples(read_axes(made.path), "DATA", workers=1), Direct(made.path))


def test_the_phase_of_a_source_is_that_of_its_direction(tmp_path):
    """At the phase centre 0; elsewhere that of the baseline's geometry, of either sign of no interest here."""
    centre = PredictedMs(tmp_path / "a.ms", [(0.0, 0.0)], [2.0], n_times=2, stations=STATIONS, every=24)
    counts = count_samples(read_axes(centre.path), "DATA")
    around_0 = [PHASE_BINS // 2 - 1, PHASE_BINS // 2]
    assert counts.phase_time[..., around_0].sum() == counts.good.sum() > 0
    phases = mean_phase_deg(counts.vector_sum[0].sum(1), counts.amplitude_sum[0].sum(1), counts.good[0].sum(1))
    np.testing.assert_allclose(phases, 0.0, atol=0.05)
    beside = PredictedMs(tmp_path / "b.ms", [(0.02, 0.0)], [2.0], n_times=2, stations=STATIONS, every=24)
    counts = count_samples(read_axes(beside.path), "DATA")
    direct = Direct(beside.path)
    east = np.sin(np.radians(0.02))
    turns = (direct.uvw_m[:, 0] * east)[:, None] * direct.freq_hz / C_M_S
    mirrored = [
        np.histogram(sign * 360 * ((turns[direct.cross] + 0.5) % 1 - 0.5), 36, (-180, 180))[0] for sign in (1, -1)
    ]
    found = counts.phase_frequency[0].sum(axis=0).reshape(36, -1).sum(axis=1)
    assert min(np.abs(found - expected).sum() for expected in mirrored) < 0.02 * found.sum()


def test_what_is_not_there_is_named(ms, tmp_path):
    axes = read_axes(ms)
    with pytest.raises(MeasurementSetError, match=r"no column CORRECTED_DATA.*It has DATA\."):
        count_samples(axes, "CORRECTED_DATA")
    made = make_plotted_ms(tmp_path / "a.ms")
    with ct.table(str(made.path), readonly=False, ack=False) as table:
        table.addcols(ct.maketabdesc(ct.makearrcoldesc("MODEL_DATA", 0j, 2, valuetype="complex")))
    with pytest.raises(MeasurementSetError, match="cannot be read"):
        count_samples(read_axes(made.path), "MODEL_DATA")


def test_a_file_that_lost_its_end(tmp_path):
    made = make_plotted_ms(tmp_path / "a.ms")
    axes = read_axes(made.path)
    largest = max(made.path.glob("table.f*_TSM0"), key=lambda file: file.stat().st_size)
    with largest.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(MeasurementSetError, match="shorter than its data"):
        count_samples(axes, "DATA")


@pytest.mark.casa
@needs_casa
def test_what_casa_writes(ms, tmp_path):
    """A few stations and channels, in CASA's layout."""
    run_casa(
        tmp_path,
        """
        from casatasks import mstransform
        chosen = {"spw": "0:4~19", "antenna": "!103&&&"}
        mstransform(vis=args["ms"], outputvis="b.ms", datacolumn="data", keepflags=True, **chosen)
        """,
        ms=str(ms),
    )
    axes = read_axes(tmp_path / "b.ms")
    assert axes.freq_edges_hz.size == 17 < N_CHANNELS
    assert_counted(count_samples(axes, "DATA"), Direct(tmp_path / "b.ms"))


def test_uv_bins_are_of_one_ratio(ms):
    edges = read_axes(ms).uv_edges
    assert edges.size == UV_BINS + 1
    np.testing.assert_allclose(np.diff(np.log(edges)), np.log(edges[-1] / edges[0]) / UV_BINS)
