"""The store has of every epoch what was given last, whatever happened in between."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pyarrow import parquet

from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.errors import LightcurveError, NamingError
from dsa110_contimg.lightcurves.compaction import compact, due
from dsa110_contimg.lightcurves.files import locked
from dsa110_contimg.lightcurves.query import open_store
from dsa110_contimg.lightcurves.store import (
    add_epoch,
    collect,
    find_epochs,
    outdated,
    remove_epoch,
    set_aside_damaged,
    stored_epochs,
    strips,
)
from dsa110_contimg.naming import ENSEMBLE_NAME, MEASUREMENTS_NAME, epoch_rows_name
from dsa110_contimg.photometry.measurements import SCHEMA
from made_epochs import STRIP, epoch_of, made_rows, write_epoch

SETTINGS = LightcurveSettings(join_epochs=2)
OTHER = "-10.0"


def contents(root, strip=None):
    """Say which fluxes the store has of each epoch, by asking it."""
    with open_store(root, strip) as opened:
        rows = opened.sql("SELECT epoch, flux FROM measurements ORDER BY epoch, source_id").to_pylist()
    found = {}
    for row in rows:
        found.setdefault(row["epoch"], []).append(row["flux"])
    return found


def fluxes(seed, n=3):
    return np.random.default_rng(seed).uniform(1.0, 2.0, n).astype(np.float32)


class TestAnEpoch:
    def test_is_taken_in_once(self, tmp_path):
        root = tmp_path / "lightcurves"
        directory = write_epoch(tmp_path, 0, made_rows(0, fluxes(1)))
        added = add_epoch(root, directory, SETTINGS)
        assert (added.epoch, added.strip, added.n_rows, added.changed) == (epoch_of(0), STRIP, 3, True)
        assert len(added.scales) == 1
        path = root / STRIP / epoch_rows_name(epoch_of(0))
        written = path.stat()
        assert not add_epoch(root, directory, SETTINGS).changed
        assert path.stat().st_mtime_ns == written.st_mtime_ns
        compact(root, STRIP, "2025-10", SETTINGS)
        assert not add_epoch(root, directory, SETTINGS).changed
        assert contents(root) == {epoch_of(0): fluxes(1).tolist()}

    def test_that_was_measured_again_replaces_its_rows_alone(self, tmp_path):
        root = tmp_path / "lightcurves"
        for day in range(3):
            add_epoch(root, write_epoch(tmp_path, day, made_rows(day, fluxes(day))), SETTINGS)
        compact(root, STRIP, "2025-10", SETTINGS)
        assert add_epoch(root, write_epoch(tmp_path, 1, made_rows(1, fluxes(9, 2))), SETTINGS).changed
        wanted = {epoch_of(day): fluxes(day).tolist() for day in range(3)} | {epoch_of(1): fluxes(9, 2).tolist()}
        assert contents(root) == wanted
        compact(root, STRIP, "2025-10", SETTINGS)
        assert contents(root) == wanted

    def test_may_have_no_measurements(self, tmp_path):
        add_epoch(tmp_path / "lightcurves", write_epoch(tmp_path, 0), SETTINGS)
        assert list(stored_epochs(tmp_path / "lightcurves")) == [epoch_of(0)]
        assert contents(tmp_path / "lightcurves") == {}

    def test_can_be_withdrawn_and_come_again(self, tmp_path):
        root = tmp_path / "lightcurves"
        directory = write_epoch(tmp_path, 0, made_rows(0, fluxes(1)))
        assert not remove_epoch(root, epoch_of(0))
        add_epoch(root, directory, SETTINGS)
        assert not remove_epoch(root, epoch_of(1))
        assert remove_epoch(root, epoch_of(0))
        assert not remove_epoch(root, epoch_of(0))
        assert contents(root) == stored_epochs(root) == {}
        compact(root, STRIP, "2025-10", SETTINGS)
        assert contents(root) == stored_epochs(root) == {}
        assert add_epoch(root, directory, SETTINGS).changed
        assert list(contents(root)) == [epoch_of(0)]

    def test_with_rows_of_another_is_refused(self, tmp_path):
        directory = write_epoch(tmp_path, 0, made_rows(1, fluxes(1)))
        with pytest.raises(LightcurveError, match="another epoch"):
            add_epoch(tmp_path / "lightcurves", directory, SETTINGS)
        assert contents(tmp_path / "lightcurves") == {}

    def test_that_is_none_is_refused(self, tmp_path):
        with pytest.raises(NamingError):
            add_epoch(tmp_path, tmp_path / "20251005T123000-images", SETTINGS)
        with pytest.raises(LightcurveError, match="No such file"):
            add_epoch(tmp_path, tmp_path / f"{epoch_of(0)}-epoch", SETTINGS)

    @pytest.mark.parametrize("damage", ["text", "columns", "types"])
    def test_with_a_file_that_says_something_else_is_refused(self, tmp_path, damage):
        path = write_epoch(tmp_path, 0, table := made_rows(0, fluxes(1))) / MEASUREMENTS_NAME
        if damage == "text":
            path.write_text("no Parquet")
        else:
            other = (
                table.drop_columns("chi2") if damage == "columns" else table.set_column(5, "mjd", pa.array(["x"] * 3))
            )
            parquet.write_table(other, path)
        with pytest.raises(LightcurveError, match="has no measurements of version"):
            add_epoch(tmp_path / "lightcurves", path.parent, SETTINGS)


class TestCollecting:
    def test_takes_in_what_is_new_or_other(self, tmp_path):
        root, place = tmp_path / "lightcurves", tmp_path / "ms"
        for day in range(3):
            write_epoch(place, day, made_rows(day, fluxes(day)))
        write_epoch(place, 0, made_rows(0, fluxes(5), strip=OTHER), strip=OTHER)
        (place / "20251005T123000-images").mkdir()
        (place / "some-epoch").mkdir()
        (place / f"{epoch_of(7)}-epoch").mkdir()  # not measured yet
        assert [added.epoch for added in collect(root, [place], SETTINGS)] == sorted(
            [*map(epoch_of, range(3)), epoch_of(0, OTHER)]
        )
        assert strips(root) == [STRIP, OTHER]
        assert list(collect(root, [place], SETTINGS)) == []
        write_epoch(place, 1, made_rows(1, fluxes(8)))
        assert outdated(root, find_epochs([place])) == [epoch_of(1)]
        assert [added.epoch for added in collect(root, [place / f"{epoch_of(1)}-epoch"], SETTINGS)] == [epoch_of(1)]
        assert contents(root, STRIP)[epoch_of(1)] == fluxes(8).tolist()

    def test_replaces_what_is_damaged(self, tmp_path):
        root, place = tmp_path / "lightcurves", tmp_path / "ms"
        for day in range(3):
            write_epoch(place, day, made_rows(day, fluxes(day)))
        list(collect(root, [place], SETTINGS))
        compact(root, STRIP, "2025-10", SETTINGS)
        write_epoch(place, 1, made_rows(1, fluxes(7)))
        list(collect(root, [place], SETTINGS))
        wanted = contents(root)
        joined, loose = root / STRIP / "2025-10-0001.parquet", root / STRIP / epoch_rows_name(epoch_of(1))
        ensemble = root / STRIP / ENSEMBLE_NAME
        ensemble.write_text("torn")
        raw = bytearray(joined.read_bytes())
        raw[200:600] = bytes(400)  # its end, which says what it has, is whole
        joined.write_bytes(raw)
        loose.write_text("torn")
        for ask in (stored_epochs, contents):
            with pytest.raises(LightcurveError):
                ask(root)
        with pytest.raises(LightcurveError):
            add_epoch(root, place / f"{epoch_of(1)}-epoch", SETTINGS)
        aside = set_aside_damaged(root)
        assert sorted(aside) == sorted(path.with_name(f"{path.name}.damaged") for path in (joined, loose, ensemble))
        assert set_aside_damaged(root) == []
        list(collect(root, [place], SETTINGS))
        assert contents(root) == wanted

    def test_sees_that_another_version_wrote_a_file(self, tmp_path):
        path = tmp_path / STRIP / epoch_rows_name(epoch_of(0))
        path.parent.mkdir(parents=True)
        parquet.write_table(SCHEMA.empty_table().replace_schema_metadata({"schema_version": "0"}), path)
        with pytest.raises(LightcurveError, match="another version"):
            stored_epochs(tmp_path)


class Life(RuleBasedStateMachine):
    """Epochs come, are measured again, withdrawn and joined in any order."""

    @initialize()
    def begin(self):
        self.place = Path(tempfile.mkdtemp(prefix="store-"))
        self.root = self.place / "lightcurves"
        self.wanted = {}

    @rule(day=st.sampled_from([0, 1, 25, 30, 31]), seed=st.integers(0, 3), n=st.integers(1, 3))
    def add(self, day, seed, n):
        flux = fluxes(seed, n)
        directory = write_epoch(self.place, day, made_rows(day, flux))
        added = add_epoch(self.root, directory, SETTINGS)
        assert added.changed == (self.wanted.get(epoch_of(day)) != flux.tolist())
        self.wanted[epoch_of(day)] = flux.tolist()

    @rule(day=st.sampled_from([0, 1, 31]))
    def remove(self, day):
        assert remove_epoch(self.root, epoch_of(day)) == (self.wanted.pop(epoch_of(day), None) is not None)

    @rule(month=st.sampled_from(["2025-10", "2025-11"]))
    def join(self, month):
        compact(self.root, STRIP, month, SETTINGS)

    @rule()
    def join_what_is_due(self):
        for strip, month in due(self.root, SETTINGS):
            compact(self.root, strip, month, SETTINGS)
        assert due(self.root, SETTINGS) == []

    @invariant()
    def the_store_has_what_was_given_last(self):
        assert contents(self.root) == self.wanted
        assert list(stored_epochs(self.root)) == sorted(self.wanted)

    def teardown(self):
        shutil.rmtree(self.place)


Life.TestCase.settings = settings(
    max_examples=5, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLife = Life.TestCase

WORK = """
import sys
from pathlib import Path
from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.lightcurves.compaction import compact
from dsa110_contimg.lightcurves.store import add_epoch
root, *directories = map(Path, sys.argv[1:])
settings = LightcurveSettings()
print("begun", flush=True)
while True:
    for directory in directories:
        add_epoch(root, directory, settings)
    compact(root, "+54.6", "2025-10", settings)
"""


def test_a_kill_at_any_moment_changes_nothing(tmp_path):
    root = tmp_path / "lightcurves"
    first = [write_epoch(tmp_path / "a", day, made_rows(day, fluxes(day))) for day in range(6)]
    again = [write_epoch(tmp_path / "b", day, made_rows(day, fluxes(day))) for day in range(6)]
    for day, directory in enumerate(again):  # other bytes, the same fluxes
        write_epoch(tmp_path / "b", day, made_rows(day, fluxes(day), chi2=2.0))
        add_epoch(root, directory, SETTINGS)
    wanted = {epoch_of(day): fluxes(day).tolist() for day in range(6)}
    dice = random.Random(4)
    arguments = [sys.executable, "-c", WORK, root, *(each for pair in zip(first, again, strict=True) for each in pair)]
    for _ in range(2):
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=os.environ) as child:
            assert child.stdout.readline() == b"begun\n"
            time.sleep(dice.uniform(0.0, 0.4))
            child.send_signal(signal.SIGKILL)
        assert contents(root) == wanted
        assert list(stored_epochs(root)) == sorted(wanted)
    with locked(root, STRIP):
        assert not list(root.rglob("*.partial"))
    compact(root, STRIP, "2025-10", SETTINGS)
    assert contents(root) == wanted
    assert len(list(root.rglob("2025-*.parquet"))) == 1
