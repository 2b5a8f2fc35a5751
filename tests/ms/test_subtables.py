"""Everything that the design fixes in the subtables."""

import getpass
import time

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.ms.layout import create_ms
from dsa110_contimg.ms.subtables import add_history, fill_subtables
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.stations import load_stations
from small_ms import describe

DESCRIPTION = describe(n_times=3, n_fields=3)


@pytest.fixture(scope="module")
def ms(tmp_path_factory):
    path = tmp_path_factory.mktemp("ms") / "small.ms"
    create_ms(path, DESCRIPTION)
    return path


@pytest.fixture
def table(ms):
    opened = []

    def open_table(name):
        opened.append(ct.table(f"{ms}::{name}", ack=False))
        return opened[-1]

    yield open_table
    for each in opened:
        each.close()


def test_antenna(table):
    antenna = table("ANTENNA")
    names = [str(n) for n in range(1, 118)]
    assert antenna.getcol("NAME") == names
    assert antenna.getcol("STATION") == names
    assert set(antenna.getcol("MOUNT")) == {"alt-az"}
    assert set(antenna.getcol("TYPE")) == {"GROUND-BASED"}
    assert np.array_equal(antenna.getcol("POSITION"), load_stations().itrf_m)
    assert antenna.getcolkeyword("POSITION", "MEASINFO")["Ref"] == "ITRF"
    assert (antenna.getcol("DISH_DIAMETER") == 4.65).all()
    assert not antenna.getcol("OFFSET").any()
    assert not antenna.getcol("FLAG_ROW").any()


def test_feed(table):
    feed = table("FEED")
    assert feed.getcol("ANTENNA_ID").tolist() == list(range(117))
    assert set(feed.getcol("SPECTRAL_WINDOW_ID").tolist()) == {-1}
    assert set(feed.getcol("NUM_RECEPTORS").tolist()) == {2}
    assert feed.getcell("POLARIZATION_TYPE", 116) in (["X", "Y"], {"shape": [2], "array": ["X", "Y"]})
    assert np.array_equal(feed.getcell("POL_RESPONSE", 5), np.eye(2))
    assert feed.getcell("BEAM_OFFSET", 5).shape == (2, 2)
    assert not feed.getcol("RECEPTOR_ANGLE").any()
    start, end = feed.getcol("TIME")[0] + feed.getcol("INTERVAL")[0] * np.array([-0.5, 0.5])
    assert start <= DESCRIPTION.times_mjd[0] * 86400
    assert end >= DESCRIPTION.times_mjd[-1] * 86400


def test_field(table):
    field = table("FIELD")
    assert field.getcol("NAME") == ["field_0", "field_1", "field_2"]
    directions = field.getcol("PHASE_DIR")
    assert directions.shape == (3, 1, 2)
    assert np.degrees(directions[:, 0]) == pytest.approx(np.array([[-0.5, 54], [0.5, 55], [1.5, 56]]), abs=1e-12)
    for column in ("PHASE_DIR", "REFERENCE_DIR", "DELAY_DIR"):
        assert np.array_equal(field.getcol(column), directions)
        assert field.getcolkeyword(column, "MEASINFO") == {"type": "direction", "Ref": "ICRS"}
        assert field.getcolkeyword(column, "QuantumUnits") == ["rad", "rad"]
    assert field.getcol("NUM_POLY").tolist() == [0, 0, 0]
    assert field.getcol("SOURCE_ID").tolist() == [0, 1, 2]
    assert field.getcol("TIME") == pytest.approx(DESCRIPTION.times_mjd.mean() * 86400)


def test_source(ms, table):
    with ct.table(str(ms), ack=False) as main:
        assert main.getkeyword("SOURCE").endswith("/SOURCE")
    source = table("SOURCE")
    assert source.getcol("SOURCE_ID").tolist() == [0, 1, 2]
    assert source.getcol("NAME") == ["field_0", "field_1", "field_2"]
    assert np.array_equal(source.getcol("DIRECTION"), table("FIELD").getcol("PHASE_DIR")[:, 0])
    assert source.getcolkeyword("DIRECTION", "MEASINFO")["Ref"] == "ICRS"
    assert source.getcol("NUM_LINES").tolist() == [0, 0, 0]
    assert not source.getcol("PROPER_MOTION").any()


def test_spectral_window(table):
    window = table("SPECTRAL_WINDOW")
    assert window.nrows() == 1
    assert window.getcell("NUM_CHAN", 0) == 8
    assert np.array_equal(window.getcell("CHAN_FREQ", 0), DESCRIPTION.freq_hz)
    for column in ("CHAN_WIDTH", "EFFECTIVE_BW", "RESOLUTION"):
        assert window.getcell(column, 0).tolist() == [1e6] * 8
    assert window.getcell("TOTAL_BANDWIDTH", 0) == 8e6
    assert window.getcell("REF_FREQUENCY", 0) in DESCRIPTION.freq_hz
    # TOPO, upper sideband.
    assert window.getcell("MEAS_FREQ_REF", 0) == 5
    assert window.getcell("NET_SIDEBAND", 0) == 1


def test_polarization(table):
    polarization = table("POLARIZATION")
    assert polarization.nrows() == 1
    # XX and YY.
    assert polarization.getcell("CORR_TYPE", 0).tolist() == [9, 12]
    assert polarization.getcell("CORR_PRODUCT", 0).tolist() == [[0, 0], [1, 1]]
    assert polarization.getcell("NUM_CORR", 0) == 2


def test_data_description(table):
    description = table("DATA_DESCRIPTION")
    assert description.nrows() == 1
    assert description.getcell("SPECTRAL_WINDOW_ID", 0) == 0
    assert description.getcell("POLARIZATION_ID", 0) == 0


def test_observation(table):
    observation = table("OBSERVATION")
    assert observation.nrows() == 1
    # The one that CASA knows.
    assert observation.getcell("TELESCOPE_NAME", 0) == "OVRO_MMA"
    start, end = observation.getcell("TIME_RANGE", 0)
    assert start == pytest.approx(DESCRIPTION.times_mjd[0] * 86400 - 6.44)
    assert end == pytest.approx(DESCRIPTION.times_mjd[-1] * 86400 + 6.44)
    assert observation.getcell("OBSERVER", 0) == "DSA-110"
    assert observation.getcell("PROJECT", 0) == "search"
    # The header's, not that of casacore's list of observatories.
    assert observation.getcell("TELESCOPE_LOCATION", 0) == pytest.approx(HEADER_SITE.itrf_m)


def test_processor_and_state(table):
    assert table("PROCESSOR").getcell("TYPE", 0) == "CORRELATOR"
    assert table("PROCESSOR").getcell("SUB_TYPE", 0) == "DSA"
    state = table("STATE")
    assert state.nrows() == 1
    assert state.getcell("SIG", 0)
    assert not state.getcell("REF", 0)
    assert state.getcell("OBS_MODE", 0) == "OBSERVE_TARGET#ON_SOURCE"


def test_another_intent(tmp_path):
    create_ms(tmp_path / "a.ms", describe(obs_mode="CALIBRATE_BANDPASS#ON_SOURCE"))
    with ct.table(f"{tmp_path / 'a.ms'}::STATE", ack=False) as state:
        assert state.getcol("OBS_MODE") == ["CALIBRATE_BANDPASS#ON_SOURCE"]


@pytest.mark.parametrize("name", ["POINTING", "FLAG_CMD", "HISTORY"])
def test_what_stays_empty(table, name):
    assert table(name).nrows() == 0


def test_filling_again_replaces_the_rows(tmp_path):
    """As the reference writer does, whose library fills them its own way."""
    path = tmp_path / "a.ms"
    create_ms(path, describe(n_fields=2))
    fill_subtables(path, DESCRIPTION)
    rows = {"ANTENNA": 117, "FEED": 117, "FIELD": 3, "SOURCE": 3, "SPECTRAL_WINDOW": 1, "OBSERVATION": 1, "STATE": 1}
    for name, number in rows.items():
        with ct.table(f"{path}::{name}", ack=False) as again:
            assert again.nrows() == number, name


def test_history(ms):
    before = time.time()
    add_history(ms, ["one", "two"], application="dsa110-contimg 1.0", command="convert a b")
    add_history(ms, ["three"], application="dsa110-contimg 1.0", command="convert a b")
    with ct.table(f"{ms}::HISTORY", ack=False) as history:
        assert history.getcol("MESSAGE") == ["one", "two", "three"]
        assert set(history.getcol("APPLICATION")) == {"dsa110-contimg 1.0"}
        assert set(history.getcol("PRIORITY")) == {"INFO"}
        assert "convert a b" in str(history.getcell("CLI_COMMAND", 1))
        assert history.getcol("TIME") - 40587 * 86400 == pytest.approx(before, abs=60)
        assert getpass.getuser() not in str(history.getcol("ORIGIN"))


def test_description_counts():
    assert (DESCRIPTION.n_times, DESCRIPTION.n_baselines, DESCRIPTION.n_rows, DESCRIPTION.n_channels) == (3, 6, 18, 8)
