import casacore.tables as ct
import numpy as np
import pytest

from casa import needs_casa, run_casa
from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.reading import read_blocks
from predicted_ms import STATIONS, PredictedMs

N_BASELINES = len(STATIONS) * (len(STATIONS) + 1) // 2


@pytest.fixture
def ms(tmp_path):
    """Two integrations with something in every column."""
    made = PredictedMs(tmp_path / "a.ms", [(0.5, 0.2)], [1.5], n_times=2)
    rng = np.random.default_rng(1)
    made.change("FLAG", lambda flags: rng.random(flags.shape) < 0.2)
    made.change("FLAG_ROW", lambda rows: rng.random(rows.shape) < 0.1)
    made.change("WEIGHT", lambda weights: rng.uniform(1, 2, weights.shape).astype(np.float32))

    def spoil(data):
        data[7, 5, 0] = np.nan
        return data

    made.change("DATA", spoil)
    return made


def rewritten(ms, path, order):
    """Copy some rows in some order, as other programs would leave them."""
    with ct.table(str(ms.path), ack=False) as table, table.selectrows(order) as some:
        some.copy(str(path), deep=True).close()
    return path


def by_row(blocks):
    """Return what blocks hold as a dictionary of (mjd, antenna1, antenna2)."""
    return {
        (round(block.mjd, 9), *pair): tuple(
            np.asarray(values[k]) for values in block[3:] if values is not block.freq_hz
        )
        for block in blocks
        for k, pair in enumerate(zip(block.antenna1.tolist(), block.antenna2.tolist(), strict=True))
    }


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        for ours, theirs in zip(found[key], values, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_integrations_are_what_casacore_reads(ms):
    first, second = read_blocks(ms.path)
    with ct.table(str(ms.path), ack=False) as table:
        columns = {name: table.getcol(name) for name in ("DATA", "FLAG", "FLAG_ROW", "WEIGHT", "UVW", "ANTENNA2")}
    rows = slice(N_BASELINES, None)
    assert (first.mjd, second.mjd) == pytest.approx(tuple(ms.mjd), abs=1e-9)
    np.testing.assert_array_equal(second.visibilities, columns["DATA"][rows])
    np.testing.assert_array_equal(second.flags, columns["FLAG"][rows] | columns["FLAG_ROW"][rows, None, None])
    np.testing.assert_array_equal(second.weights, np.repeat(columns["WEIGHT"][rows][:, None], 48, axis=1))
    np.testing.assert_array_equal(second.uvw_m, columns["UVW"][rows])
    np.testing.assert_array_equal(second.antenna2, columns["ANTENNA2"][rows])
    assert second.flags.dtype == np.bool_
    assert second.weights.dtype == np.float32


def test_what_is_not_finite_is_flagged_and_0(ms):
    first, _ = read_blocks(ms.path)
    assert first.flags[7, 5, 0]
    assert first.visibilities[7, 5, 0] == 0


def test_what_is_large_is_not_flagged(ms):
    """The sum of a tile is more than its type holds."""
    ms.change("DATA", lambda data: np.full_like(data, 3e38))
    ms.change("FLAG", np.zeros_like)
    ms.change("FLAG_ROW", np.zeros_like)
    first, _ = read_blocks(ms.path)
    assert not first.flags.any()
    assert np.all(first.visibilities == np.complex64(3e38))


def test_rows_in_any_order_and_rows_left_out(ms, tmp_path):
    expected = by_row(read_blocks(ms.path))
    order = np.random.default_rng(2).permutation(2 * N_BASELINES)
    shuffled = by_row(read_blocks(rewritten(ms, tmp_path / "b.ms", order.tolist())))
    assert_same(shuffled, expected)
    by_baseline = np.arange(2 * N_BASELINES).reshape(2, -1).T.ravel()
    assert_same(by_row(read_blocks(rewritten(ms, tmp_path / "c.ms", by_baseline.tolist()))), expected)
    fewer = list(read_blocks(rewritten(ms, tmp_path / "d.ms", list(range(5, 2 * N_BASELINES - 9)))))
    assert [block.antenna1.size for block in fewer] == [N_BASELINES - 5, N_BASELINES - 9]
    assert by_row(fewer).keys() < expected.keys()


def test_channels_that_descend_are_turned_round(ms, tmp_path):
    expected = by_row(read_blocks(ms.path))
    for column in ("DATA", "FLAG"):
        ms.change(column, lambda values: values[:, ::-1].copy())
    with ct.table(f"{ms.path}::SPECTRAL_WINDOW", readonly=False, ack=False) as table:
        table.putcol("CHAN_FREQ", table.getcol("CHAN_FREQ")[:, ::-1].copy())
    blocks = list(read_blocks(ms.path))
    assert np.all(np.diff(blocks[0].freq_hz) > 0)
    assert_same(by_row(blocks), expected)


@pytest.mark.parametrize("in_order", [True, False])
def test_weight_spectrum_comes_first(ms, tmp_path, in_order):
    with ct.table(str(ms.path), readonly=False, ack=False) as table:
        table.addcols(ct.maketabdesc(ct.makearrcoldesc("WEIGHT_SPECTRUM", 0.0, 2, valuetype="float")))
        spectrum = np.random.default_rng(3).uniform(1, 2, table.getcol("DATA").shape).astype(np.float32)
        table.putcol("WEIGHT_SPECTRUM", spectrum)
    path = ms.path if in_order else rewritten(ms, tmp_path / "b.ms", list(range(1, 2 * N_BASELINES)))
    first, second = read_blocks(path)
    np.testing.assert_array_equal(second.weights, spectrum[N_BASELINES:])
    np.testing.assert_array_equal(first.weights, spectrum[(0 if in_order else 1) : N_BASELINES])


def test_other_columns(ms):
    with ct.table(str(ms.path), readonly=False, ack=False) as table:
        table.addcols(ct.maketabdesc(ct.makearrcoldesc("CORRECTED_DATA", 0j, 2, valuetype="complex")))
        table.putcol("CORRECTED_DATA", np.full(table.getcol("DATA").shape, 2 + 1j, np.complex64))
    first, _ = read_blocks(ms.path, "CORRECTED_DATA")
    assert np.all(first.visibilities == 2 + 1j)


def test_what_is_not_there_is_named(ms, tmp_path):
    with pytest.raises(MeasurementSetError, match="no CORRECTED_DATA with XX and YY"):
        next(read_blocks(ms.path, "CORRECTED_DATA"))
    with pytest.raises(MeasurementSetError, match="cannot be read"):
        next(read_blocks(tmp_path / "nothing.ms"))
    with ct.table(f"{ms.path}::SPECTRAL_WINDOW", readonly=False, ack=False) as table:
        table.addrows(1)
    with pytest.raises(MeasurementSetError, match="2 spectral windows"):
        next(read_blocks(ms.path))


@pytest.mark.casa
@needs_casa
def test_what_casa_splits(ms, tmp_path):
    """Another layout, another column, a few stations and channels: the same samples."""
    with ct.table(str(ms.path), readonly=False, ack=False) as table:
        table.addcols(ct.maketabdesc(ct.makearrcoldesc("CORRECTED_DATA", 0j, 2, valuetype="complex")))
        table.putcol("CORRECTED_DATA", np.nan_to_num(2 * table.getcol("DATA")))
    ran = run_casa(
        tmp_path,
        """
        from casatasks import split
        split(vis=args["ms"], outputvis="b.ms", datacolumn="corrected", spw="0:8~23", antenna="!103&&&", keepflags=True)
        """,
        ms=str(ms.path),
    )
    assert ran.complaints == []
    found = by_row(read_blocks(tmp_path / "b.ms"))
    expected = by_row(read_blocks(ms.path, "CORRECTED_DATA"))
    assert 0 < len(found) < len(expected)
    for key, (uvw_m, visibilities, flags, weights) in found.items():
        theirs = expected[key]
        np.testing.assert_array_equal(uvw_m, theirs[0])
        np.testing.assert_array_equal(flags, theirs[2][8:24])
        np.testing.assert_allclose(weights, theirs[3][8:24], rtol=1e-6)
        np.testing.assert_array_equal(visibilities, theirs[1][8:24])
