"""Questions to the store are answered as plain sums over all rows would answer them."""

import threading

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.errors import LightcurveError, UsageError
from dsa110_contimg.lightcurves.compaction import compact
from dsa110_contimg.lightcurves.query import (
    UNUSABLE,
    binned_sums,
    blocks,
    light_curve,
    open_store,
    variability_sums,
)
from dsa110_contimg.lightcurves.store import add_epoch
from dsa110_contimg.naming import epoch_rows_name
from dsa110_contimg.photometry.measurements import SCHEMA, Flag
from made_epochs import NOISE_JY, START_MJD, STRIP, epoch_of, made_rows, sources, write_epoch

SETTINGS = LightcurveSettings(least_steady=100)  # nothing is scaled here
N, DAYS = 7, 6
OTHER = "+16.3"


def rows_of(day, rng):
    """Make up an epoch: a mosaic in two bands and an image, of which some measurements are bad."""
    tables = []
    for name in ({}, {"band": "lower"}, {"kind": "group", "image": "2025-10-05T12:00:00"}):
        flags = rng.choice([0, int(Flag.EDGE), int(Flag.BLEND), int(Flag.UPPER_LIMIT)], N)
        tables.append(made_rows(day, rng.uniform(0.1, 2.0, N), flags=flags, mjd=START_MJD + day + 0.1, **name))
    return pa.concat_tables(tables).unify_dictionaries()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Some epochs in a joined file, one of them replaced since, others by themselves, one of another strip."""
    place = tmp_path_factory.mktemp("store")
    root, rng = place / "lightcurves", np.random.default_rng(3)
    for day in range(DAYS - 2):
        add_epoch(root, write_epoch(place, day, rows_of(day, rng)), SETTINGS)
    compact(root, STRIP, "2025-10", SETTINGS)
    everything = []
    for day in range(DAYS):
        if day in (1, DAYS - 2, DAYS - 1):
            add_epoch(root, write_epoch(place, day, rows_of(day, rng)), SETTINGS)
        everything.append(pa.parquet.read_table(write_directory(place, day) / "measurements.parquet"))
    add_epoch(root, write_epoch(place, 0, made_rows(0, np.ones(3), strip=OTHER), strip=OTHER), SETTINGS)
    return root, pa.concat_tables(everything).unify_dictionaries()


def write_directory(place, day):
    return place / f"{epoch_of(day)}-epoch"


def plain(table, kind="mosaic", band="full", without=UNUSABLE):
    """Choose rows without a database: source, time, flux and error of each."""
    chosen = [
        row for row in table.to_pylist() if row["kind"] == kind and row["band"] == band and not row["flags"] & without
    ]
    return {name: np.array([row[name] for row in chosen]) for name in ("source_id", "mjd", "flux", "flags")}


def test_a_light_curve_has_all_rows_of_its_source_in_order_of_time(store):
    root, table = store
    number = int(sources(N)[2])
    with open_store(root) as opened:
        found = light_curve(opened, number)
    assert found.schema.equals(SCHEMA, check_metadata=True)
    wanted = sorted(
        (row["mjd"], row["kind"], row["band"], row["flux"]) for row in table.to_pylist() if row["source_id"] == number
    )
    assert [(row["mjd"], row["kind"], row["band"], row["flux"]) for row in found.to_pylist()] == wanted


def test_a_light_curve_of_one_kind_and_band_and_of_sources_that_were_merged(store):
    root, table = store
    numbers = sources(N)[[1, 4]]
    with open_store(root, STRIP) as opened:
        found = light_curve(opened, numbers, kind="mosaic", band="lower")
        none = light_curve(opened, [])
        unknown = light_curve(opened, 5)
    wanted = plain(table, band="lower", without=0)
    assert found.num_rows == np.isin(wanted["source_id"], numbers).sum() == 2 * DAYS
    assert set(found["band"].to_pylist()) == {"lower"}
    assert none.num_rows == unknown.num_rows == 0
    assert none.schema == unknown.schema == SCHEMA


@pytest.mark.parametrize(("kind", "band"), [("mosaic", "full"), ("mosaic", "lower"), ("group", "full")])
@pytest.mark.parametrize("without", [UNUSABLE, 0])
def test_the_sums_are_those_of_all_rows(store, kind, band, without):
    root, table = store
    rows = plain(table, kind, band, without)
    with open_store(root, STRIP) as opened:
        sums = variability_sums(opened, kind=kind, band=band, without=without).to_pydict()
    assert sums["source_id"] == np.unique(rows["source_id"]).tolist()
    for i, number in enumerate(sums["source_id"]):
        mine = rows["source_id"] == number
        f = rows["flux"][mine]
        noise = np.hypot(NOISE_JY, 0.02 * f) if kind == "group" else NOISE_JY
        w = 1 / (noise**2 + (0.03 * f) ** 2)
        mean = (w * f).sum() / w.sum()
        wanted = {
            "n": f.size,
            "n_limits": np.sum(rows["flags"][mine] & Flag.UPPER_LIMIT != 0),
            "first_mjd": rows["mjd"][mine].min(),
            "last_mjd": rows["mjd"][mine].max(),
            "lowest": f.min(),
            "highest": f.max(),
            "noise": NOISE_JY,
            "sum_w": w.sum(),
            "sum_ff": (f**2).sum(),
            "mean": mean,
            "e_mean": w.sum() ** -0.5,
        }
        if f.size > 1:
            wanted["eta"] = (w * (f - mean) ** 2).sum() / (f.size - 1)
            wanted["v"] = f.std(ddof=1) / f.mean()
        else:
            assert np.isnan([sums["eta"][i], sums["v"][i]]).all()
        assert {name: sums[name][i] for name in wanted} == pytest.approx(wanted, rel=1e-4)


def test_sums_in_bins_of_time_add_up_to_those_of_all(store):
    root, _ = store
    with open_store(root, STRIP) as opened:
        sums, bins = variability_sums(opened), binned_sums(opened, 2.0)
        with pytest.raises(UsageError):
            binned_sums(opened, 0.0)
    assert bins["bin"].to_pylist() == np.floor(np.array(bins["mjd"]) / 2.0).astype(int).tolist()
    order = list(zip(bins["source_id"].to_pylist(), bins["bin"].to_pylist(), strict=True))
    assert order == sorted(set(order))
    for ours, theirs in (("n", "n"), ("wff", "sum_wff"), ("f", "sum_f"), ("w", "sum_w")):
        total = [
            sum(value for number, value in zip(bins["source_id"].to_pylist(), bins[ours].to_pylist(), strict=True)
                if number == source)
            for source in sums["source_id"].to_pylist()
        ]  # fmt: skip
        assert total == pytest.approx(sums[theirs].to_pylist())


def test_blocks_are_whole_sources_in_order(store):
    root, table = store
    rows = plain(table)
    with open_store(root, STRIP) as opened:
        parts = list(blocks(opened, ["source_id", "mjd", "corrected"], rows=8))
        with pytest.raises(UsageError, match="no column"):
            next(blocks(opened, ["colour"]))
    assert len(parts) > 2
    seen = [set(part["source_id"].to_pylist()) for part in parts]
    assert sum(map(len, seen)) == len(set.union(*seen))
    together = pa.concat_tables(parts)
    order = np.lexsort((rows["mjd"], rows["source_id"]))
    assert together["source_id"].to_pylist() == rows["source_id"][order].tolist()
    assert together["corrected"].to_numpy() == pytest.approx(rows["flux"][order])


def test_all_strips_or_one(store):
    root, table = store
    with open_store(root) as opened:
        assert opened.sql("SELECT count(*) AS n FROM measurements")["n"][0].as_py() == table.num_rows + 3
    with open_store(root, OTHER) as opened:
        assert opened.sql("SELECT count(*) AS n FROM measurements")["n"][0].as_py() == 3


def test_a_store_that_is_not_there_is_empty(tmp_path):
    with open_store(tmp_path / "none") as opened:
        assert light_curve(opened, 1).num_rows == 0
        assert variability_sums(opened).num_rows == 0
        assert list(blocks(opened, ["mjd"])) == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_in_the_working_directory(store, in_tmp):
    with open_store(store[0], memory_gb=0.1, threads=1) as opened:
        opened.sql("SELECT * FROM range(3000000) ORDER BY hash(range) LIMIT 2500000")
    assert list(in_tmp.iterdir()) == []


def test_a_damaged_file_is_named(tmp_path):
    root = tmp_path / "lightcurves"
    path = root / STRIP / epoch_rows_name(epoch_of(0))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no Parquet")
    with pytest.raises(LightcurveError, match=r"collect --rebuild"), open_store(root):
        pass


def test_a_file_that_is_lost_under_an_open_store_is_said(tmp_path):
    root = tmp_path / "lightcurves"
    for day in range(2):
        add_epoch(root, write_epoch(tmp_path, day, made_rows(day, np.ones(3))), SETTINGS)
    with open_store(root) as opened:
        (root / STRIP / epoch_rows_name(epoch_of(1))).write_bytes(b"")
        with pytest.raises(LightcurveError):
            variability_sums(opened)


def test_a_wrong_question_is_the_callers(store):
    with open_store(store[0]) as opened, pytest.raises(duckdb.Error, match="colour"):
        opened.sql("SELECT colour FROM measurements")


def test_a_question_that_needs_too_much_memory_is_refused(store):
    with open_store(store[0], memory_gb=0.1, threads=1) as opened:
        opened.sql("SET max_temp_directory_size = '1MB'")
        with pytest.raises(LightcurveError, match="memory_gb"):
            opened.sql("SELECT list(range) FROM range(30000000)")


def test_whoever_asks_while_months_are_joined_gets_the_same_answer(tmp_path):
    root = tmp_path / "lightcurves"
    directories = [write_epoch(tmp_path, day, made_rows(day, np.linspace(1, 2, 5))) for day in range(4)]
    add_epoch(root, directories[0], SETTINGS)
    done = threading.Event()

    def work():
        for _ in range(5):
            for directory in directories:
                add_epoch(root, directory, SETTINGS)
            compact(root, STRIP, "2025-10", SETTINGS)
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    counts = []
    with open_store(root) as opened:
        while not done.is_set():
            sums = variability_sums(opened, without=0)
            counts.append(set(sums["n"].to_pylist()))
            assert sums.num_rows == 5
    worker.join()
    assert all(len(n) == 1 for n in counts)
