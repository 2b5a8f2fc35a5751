"""What was flagged by what: counted, kept, drawn, and put side by side over groups."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from dsa110_contimg.config.settings import FlagSettings
from dsa110_contimg.errors import NoGroupsError, OutputError
from dsa110_contimg.flagging.figures import draw_history
from dsa110_contimg.flagging.flags import find_flags
from dsa110_contimg.flagging.history import leave_record, read_history
from dsa110_contimg.flagging.reasons import Reason
from dsa110_contimg.flagging.tables import record, tabulate
from flagged_groups import ANTENNAS, DEAD, ONE_POL_DEAD

SETTINGS = FlagSettings(workers=1, min_uv_m=100)


@pytest.fixture(scope="module")
def found(group):
    return find_flags(group.ms, SETTINGS)


@pytest.fixture(scope="module")
def table(found):
    return tabulate(found)


def test_fractions_are_of_all_samples(found, table):
    for reason in Reason:
        assert table.total[reason] == pytest.approx((found.reasons == reason).mean())
    for fractions in (table.by_antenna, table.by_channel, table.by_time, table.by_correlation):
        np.testing.assert_allclose(fractions.sum(axis=1), 1)
    np.testing.assert_allclose(table.by_channel.mean(axis=0), table.total)
    np.testing.assert_allclose(table.by_time.mean(axis=0), table.total)
    np.testing.assert_allclose(table.by_correlation.mean(axis=0), table.total)


def test_antennas_are_counted_by_their_baselines(found, table):
    assert set(table.antennas) == {str(station) for station in ANTENNAS}
    rows = dict(zip(table.antennas, table.by_antenna, strict=True))
    assert rows[str(DEAD)][Reason.ANTENNA] == 1
    assert 0.5 < rows[str(ONE_POL_DEAD)][Reason.ANTENNA] < 0.7
    info = found.info
    its = (info.antenna1 == 0) | (info.antenna2 == 0)
    for reason in Reason:
        assert rows["1"][reason] == pytest.approx((found.reasons[:, its] == reason).mean())


def test_occupancy_is_where_something_transmits(group, table):
    assert table.occupied[group.clean].mean() < 0.005
    strong = group.strength.mean(axis=(1, 3)) > 5
    assert table.occupied[strong].min() > 0.99
    np.testing.assert_allclose(table.occupancy, table.occupied.mean(axis=0))


def test_the_record_is_json_that_says_all(found, table):
    one = json.loads(json.dumps(record(found, table, SETTINGS.model_dump())))
    assert one["ms"] == "20251005T123000.ms"
    assert one["flagged"] == pytest.approx((found.reasons != Reason.GOOD).mean(), abs=1e-4)
    assert set(one["antennas"]) == set(table.antennas)
    (dead,) = [item for item in one["ailments"] if (item["name"], item["polarization"]) == ("46", "YY")]
    assert {"antenna": 45, "kind": "dead"}.items() <= dead.items()
    assert len(one["occupancy"]) == len(one["channels"]["array"]) == 768
    assert one["settings"]["min_uv_m"] == 100


def test_record_table_and_figure_are_left(found, table, tmp_path):
    paths = leave_record(found, table, {}, tmp_path / "qa")
    assert [path.name for path in paths] == [f"20251005T123000.flags.{suffix}" for suffix in ("json", "csv", "png")]
    assert sorted(paths) == sorted((tmp_path / "qa").iterdir())
    with paths[1].open() as file:
        rows = list(csv.DictReader(file))
    assert [row["of"] for row in rows] == ["antenna"] * 12 + ["channel"] * 768 + ["integration"] * 24
    dead = next(row for row in rows if row["which"] == str(DEAD))
    assert float(dead["sick antenna"]) == 1
    with Image.open(paths[2]) as file:
        picture = np.asarray(file.convert("RGB"))
    assert min(picture.shape[:2]) > 800
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
    assert leave_record(found, table, {}, tmp_path / "qa") == paths


def test_a_record_that_cannot_be_left(found, table, tmp_path):
    (tmp_path / "qa").write_text("in the way")
    with pytest.raises(OutputError):
        leave_record(found, table, {}, tmp_path / "qa")


def test_history_is_all_records_in_order_of_time(found, table, tmp_path):
    later = found._replace(ms=found.ms.with_name("20251005T130000.ms"))
    later.info.times_mjd[:] += 0.02
    (second,) = leave_record(later, table._replace(occupied=np.ones_like(table.occupied)), {}, tmp_path)[:1]
    later.info.times_mjd[:] -= 0.02
    leave_record(found, table, {}, tmp_path)
    (tmp_path / "20251005T140000.flags.json").write_text("{}")
    (tmp_path / "other.json").write_text("no")
    history = read_history(tmp_path)
    assert history.groups == ("20251005T123000.ms", second.name.replace("flags.json", "ms"))
    np.testing.assert_allclose(history.freq_hz, found.info.freq_hz, atol=1)
    np.testing.assert_allclose(history.occupancy[0], table.occupancy, atol=1e-5)
    np.testing.assert_allclose(history.mean, (1 + table.occupancy) / 2, atol=1e-5)
    with (tmp_path / "h.png").open("wb") as file:
        draw_history(history, file)
    with Image.open(tmp_path / "h.png") as picture:
        assert picture.size[0] > 800


def test_no_record_is_no_history(tmp_path):
    with pytest.raises(NoGroupsError, match="no flagging has left a record"):
        read_history(tmp_path)
