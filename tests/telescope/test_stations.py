"""The table of stations, and tables that a user gives."""

import numpy as np
import pytest

from dsa110_contimg.errors import SettingsError
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.stations import WORKING_STATIONS, load_stations, read_stations


def test_the_array():
    stations = load_stations()
    assert stations.numbers.tolist() == list(range(1, 118))
    assert stations.names == tuple(str(n) for n in range(1, 118))
    assert stations.itrf_m.shape == (117, 3)
    assert np.unique(stations.itrf_m, axis=0).shape == (117, 3)


def test_stations_at_work():
    assert len(WORKING_STATIONS) == len(set(WORKING_STATIONS)) == 96
    assert set(WORKING_STATIONS) == (set(range(1, 52)) - {10, 21, 22, 23}) | set(range(68, 117))


def longest_m(positions):
    return max(np.linalg.norm(positions - position, axis=1).max() for position in positions)


def test_baselines():
    """A tee of up to 485 m, outriggers to 2.6 km, all at the site that the headers give."""
    itrf_m = load_stations().itrf_m
    working = itrf_m[np.array(WORKING_STATIONS) - 1]
    tee = itrf_m[[n - 1 for n in WORKING_STATIONS if n <= 102]]
    assert longest_m(working) == pytest.approx(2600, abs=50)
    assert longest_m(tee) == pytest.approx(485, abs=2)
    assert np.linalg.norm(itrf_m - HEADER_SITE.itrf_m, axis=1).max() < 3000


def test_the_tee_stands_36_m_west_of_the_meridian():
    north_arm_m = load_stations().itrf_m[51:102] - HEADER_SITE.itrf_m
    lon = np.radians(HEADER_SITE.longitude_deg)
    east_m = north_arm_m @ np.array([-np.sin(lon), np.cos(lon), 0])
    assert east_m == pytest.approx(-36, abs=1)


def test_a_users_table(tmp_path):
    path = tmp_path / "stations.csv"
    path.write_text("# surveyed today\nstation,x_m,y_m,z_m,remark\n3,1.5,-2,3e6,new\n1,4,5,6,\n")
    stations = read_stations(path)
    assert stations.numbers.tolist() == [3, 1]
    assert stations.names == ("3", "1")
    assert stations.itrf_m.tolist() == [[1.5, -2, 3e6], [4, 5, 6]]


@pytest.mark.parametrize(
    "text",
    [
        "", "station,x_m,y_m,z_m\n", "station,x_m,y_m\n1,2,3\n", "station,x_m,y_m,z_m\n1,2,3\n",
        "station,x_m,y_m,z_m\n1,2,3,north\n", "station,x_m,y_m,z_m\n1,2,3,nan\n",
        "station,x_m,y_m,z_m\n1,2,3,4\n1,2,3,5\n", "station,x_m,y_m,z_m\n1.5,2,3,4\n", "\x00\x01",
    ],
    ids=[
        "empty", "no stations", "no z", "short row", "not a number", "NaN", "twice", "half a station", "binary",
    ],
)  # fmt: skip
def test_a_wrong_table(tmp_path, text):
    path = tmp_path / "stations.csv"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_stations(path)
    assert "stations.csv" in str(caught.value)
    assert "station, x_m, y_m, z_m" in str(caught.value)


def test_no_table(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot read the antenna positions .*nowhere\.csv"):
        read_stations(tmp_path / "nowhere.csv")


def test_not_text(tmp_path):
    path = tmp_path / "stations.csv"
    path.write_bytes(b"\xff\xfe\x80")
    with pytest.raises(SettingsError, match="cannot read the antenna positions"):
        read_stations(path)
