"""Calibration tables: what is written is read back, and single precision is enough."""

from dataclasses import fields, replace

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.calibration.casa_tables import read_caltable, read_caltables, write_caltable
from dsa110_contimg.errors import CalibrationError, OutputError, OutputExistsError
from dsa110_contimg.ms.layout import create_ms
from made_solutions import make
from small_ms import describe

DESCRIPTION = describe(n_times=4, n_antennas=5)


@pytest.fixture(scope="module")
def ms(tmp_path_factory):
    path = tmp_path_factory.mktemp("ms") / "a.ms"
    create_ms(path, DESCRIPTION)
    return path


def written(tmp_path, ms, solutions):
    path = tmp_path / "table.cal"
    write_caltable(path, solutions, ms)
    return path


@pytest.mark.parametrize(("kind", "times"), [("K", (1,)), ("B", (0, 3)), ("G", (0, 1, 3))])
def test_what_is_written_is_read(tmp_path, ms, kind, times):
    solutions = make(kind, DESCRIPTION, times)
    found = read_caltable(written(tmp_path, ms, solutions))
    for item in fields(solutions):
        was, now = getattr(solutions, item.name), getattr(found, item.name)
        if isinstance(was, np.ndarray):
            # A delay of 50 ns to 2e-6 ns turns the band's edge by less than 1e-5 rad.
            np.testing.assert_allclose(now, was, rtol=1e-6, atol=1e-15, err_msg=item.name)
            assert now.dtype == was.dtype
        else:
            assert now == was, item.name


def test_flagged_solutions_have_no_value(tmp_path, ms):
    solutions = make("G", DESCRIPTION, (0, 2))
    solutions.flags[1, 2] = True
    found = read_caltable(written(tmp_path, ms, solutions))
    np.testing.assert_array_equal(found.flags, solutions.flags)
    assert (found.values[found.flags] == 1).all()
    assert np.isinf(found.error[found.flags]).all()
    assert (found.snr[found.flags] == 0).all()


def test_a_table_may_be_moved(tmp_path, ms):
    path = written(tmp_path, ms, make("B", DESCRIPTION))
    moved = path.rename(tmp_path / "elsewhere.cal")
    assert read_caltable(moved).field_name == "3C 286"


def test_a_table_of_casa_says_less(tmp_path, ms):
    path = written(tmp_path, ms, make("K", DESCRIPTION, reference_antenna=3))
    with ct.table(str(path), readonly=False, ack=False) as table:
        table.putcol("ANTENNA2", np.full(table.nrows(), -1, np.int32))
        delays = table.getcol("FPARAM")
        delays[3] = 0
        table.putcol("FPARAM", delays)
        table.putcol("INTERVAL", np.zeros(table.nrows()))
    with ct.table(f"{path}::HISTORY", readonly=False, ack=False) as table:
        table.putcol("ORIGIN", ["gaincal"] * table.nrows())
    found = read_caltable(path)
    assert found.reference_antenna == 3
    assert found.field_name == "field_0"
    assert found.field_direction_deg == pytest.approx((359.5, 54.0))
    assert found.facts == {}
    with ct.table(str(path), readonly=False, ack=False) as table:
        table.putcol("ANTENNA2", np.full(table.nrows(), 2, np.int32))
    assert read_caltable(path).reference_antenna == 2


def test_antennas_without_a_row_have_no_solution(tmp_path, ms):
    path = written(tmp_path, ms, make("G", DESCRIPTION, (0, 1)))
    with ct.table(str(path), readonly=False, ack=False) as table:
        table.removerows([117 + 2])
    found = read_caltable(path)
    assert found.flags[1, 2].all()
    assert not found.flags[0, 2].any()


@pytest.mark.parametrize(
    ("solutions", "message"),
    [
        (make("B", describe(n_channels=16)), "channels"),
        (replace(make("K", DESCRIPTION), freq_hz=DESCRIPTION.freq_hz[:1]), "middle of the band"),
        (make("G", DESCRIPTION, antenna_names=tuple(f"x{k}" for k in range(117))), "antennas"),
    ],
)
def test_solutions_of_another_ms(tmp_path, ms, solutions, message):
    with pytest.raises(CalibrationError, match=message):
        write_caltable(tmp_path / "no.cal", solutions, ms)


def test_what_is_no_calibration_table(tmp_path, ms):
    with pytest.raises(CalibrationError, match="not a calibration table"):
        read_caltable(tmp_path)
    with pytest.raises(CalibrationError, match="not of K, B or G Jones"):
        read_caltable(ms)
    path = written(tmp_path, ms, make("G", DESCRIPTION))
    with ct.table(str(path), readonly=False, ack=False) as table:
        table.putcol("SPECTRAL_WINDOW_ID", np.ones(table.nrows(), np.int32))
    with pytest.raises(CalibrationError, match="several spectral windows"):
        read_caltable(path)


def test_where_nothing_can_be_written(tmp_path, ms):
    path = written(tmp_path, ms, make("G", DESCRIPTION))
    with pytest.raises(OutputExistsError):
        write_caltable(path, make("G", DESCRIPTION), ms)
    with pytest.raises(OutputError):
        write_caltable(path / "table.dat" / "table.cal", make("G", DESCRIPTION), ms)


def test_tables_that_are_applied_together(tmp_path, ms):
    for kind in "KBG":
        write_caltable(tmp_path / "early.cal" / f"{kind}.tab", make(kind, DESCRIPTION, (0,)), ms)
    write_caltable(tmp_path / "late.g", make("G", DESCRIPTION, (3,), seed=2), ms)
    found = read_caltables([tmp_path / "early.cal", tmp_path / "late.g"])
    assert [item.kind for item in found] == ["K", "B", "G"]
    assert [item.times_mjd.size for item in found] == [1, 1, 2]
    (alone,) = read_caltables([tmp_path / "late.g"])
    np.testing.assert_array_equal(alone.values[0], found[2].values[1])
    with pytest.raises(CalibrationError, match="not a calibration table"):
        read_caltables([tmp_path / "no.cal"])
