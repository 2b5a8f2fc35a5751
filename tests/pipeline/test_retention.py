"""What may go by the rules, and that nothing else goes."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dsa110_contimg
from dsa110_contimg.config.settings import KeepSettings, RetentionSettings
from dsa110_contimg.errors import RetentionError
from dsa110_contimg.ledger import Product
from dsa110_contimg.ledger.epoch_states import THIN
from dsa110_contimg.ledger.opening import open_ledger
from dsa110_contimg.ledger.states import DecisionKind, GroupState
from dsa110_contimg.pipeline.retention import carry_out, make_plan, read_plan, save_plan
from dsa110_contimg.storage.publish import clear_dead_partials
from ledger_groups import AFTER, EPOCH, START, add_group, file, gid_of, group, note_epoch, publish_epoch

DAY = timedelta(days=1)
NOW = START + 30 * DAY
N_FILES = 3  # of the sixteen that a group has: enough to be told apart


class Night:
    """Groups that were published, with real files: raw, Measurement Sets and images; and two places for copies."""

    def __init__(self, base, n_groups=4):
        self.incoming, self.output = base / "incoming", base / "ms"
        self.copies = (base / "copy-a", base / "copy-b")
        for place in (self.incoming, self.output, *self.copies):
            place.mkdir()
        self.ledger = open_ledger(base / "ledger.sqlite", decisions=self.output / "decisions.jsonl")
        self.ids = [self._add(i) for i in range(n_groups)]

    def _add(self, i):
        gid = gid_of(i)
        files = []
        for subband in range(16):
            path = self.incoming / f"{gid}_sb{subband:02d}.hdf5"
            if subband < N_FILES:
                path.write_bytes(f"{gid} {subband}".encode() * 100)
            files.append(file(subband, i, path=path, size_bytes=2300))
        self.ledger.register([group(i)], files)
        attempt = self.ledger.begin_attempt(gid, now=AFTER)
        products = []
        for kind, suffix in (("ms", ".ms"), ("flagversions", ".ms.flagversions"), ("images", "-images")):
            path = self.output / f"{gid.replace('-', '').replace(':', '')}{suffix}"
            path.mkdir()
            (path / "table.dat").write_bytes(b"x" * 1000)
            products.append(Product(path, kind, "0123", 1000))
        self.ledger.commit_products(attempt.id, products, range(16), now=AFTER)
        return gid

    def raw(self, i):
        return sorted(self.incoming.glob(f"{self.ids[i]}*"))

    def made(self, i):
        compact = self.ids[i].replace("-", "").replace(":", "")
        return sorted(path.name[len(compact) :] for path in self.output.glob(f"{compact}*"))

    def copy(self, i, places=(0, 1)):
        """Copy a group's files elsewhere, at different depths."""
        for k in places:
            below = self.copies[k] / ("2025/10" if k else "")
            below.mkdir(parents=True, exist_ok=True)
            for path in self.raw(i):
                (below / path.name).write_bytes(path.read_bytes())

    def plan(self, **rules):
        settings = RetentionSettings(raw_copies=self.copies, **{k: KeepSettings(**v) for k, v in rules.items()})
        plans = make_plan(self.ledger, self.incoming, self.output, settings, NOW)
        return {one.kind: one for one in plans}, settings

    def apply(self, planned=None, **rules):
        plans, settings = self.plan(**rules)
        if planned is None:
            planned = {path for one in plans.values() for item in one.items for path in item.paths}
        return carry_out(self.ledger, list(plans.values()), planned, self.incoming, self.output, settings)


@pytest.fixture
def night(tmp_path):
    made = Night(tmp_path)
    yield made
    made.ledger.close()


def ids(one):
    return [item.group_id for item in one.items]


def test_nothing_goes_unless_the_settings_say_so(night):
    plans, _ = night.plan()
    assert [one.items for one in plans.values()] == [(), (), (), ()]
    assert plans["ms"].n_groups == 4
    assert plans["ms"].size_bytes == 8000  # with its flag versions
    assert plans["raw"].kept == "retention.raw.days is not set: kept for ever"


def test_age_and_number_decide(night):
    plans, _ = night.plan(ms={"days": 29}, images={"days": 29, "newest": 3})
    assert ids(plans["ms"]) == night.ids
    assert ids(plans["images"]) == night.ids[:1]
    assert plans["images"].freed_bytes == 1000
    plans, _ = night.plan(ms={"days": 30})
    assert ids(plans["ms"]) == []


def test_no_more_goes_than_the_file_system_lacks(night):
    status = os.statvfs(night.output)
    free_gb = status.f_bavail * status.f_frsize / 1e9
    plans, _ = night.plan(ms={"days": 1, "below_free_gb": free_gb / 2})
    assert ids(plans["ms"]) == []
    assert "4 older groups" in plans["ms"].kept
    plans, _ = night.plan(ms={"days": 1, "below_free_gb": free_gb * 2})
    assert ids(plans["ms"]) == night.ids


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three groups, only looked at."""
    made = Night(tmp_path_factory.mktemp("night"), 3)
    yield made
    made.ledger.close()


@given(n_newest=st.integers(0, 6), days=st.integers(0, 60))
def test_the_oldest_go_first_and_the_newest_stay(three, n_newest, days):
    plans, _ = three.plan(images={"days": days, "newest": n_newest})
    expected = three.ids[: max(0, 3 - n_newest)] if days < 30 else []
    assert ids(plans["images"]) == expected


def test_groups_that_are_not_finished_keep_all(night):
    night.ledger.decide(night.ids[0], DecisionKind.RETRY, "me", "again")
    night.ledger.decide(night.ids[1], DecisionKind.QUARANTINE, "me", "odd")
    add_group(night.ledger, 7)
    for i in range(4):
        night.copy(i)
    plans, _ = night.plan(ms={"days": 1}, raw={"days": 1})
    assert ids(plans["ms"]) == ids(plans["raw"]) == night.ids[2:]


def test_products_go_and_the_ledger_knows(night):
    done = night.apply(ms={"days": 1, "newest": 2})
    assert [(removal.item.group_id, removal.problem) for removal in done] == [(gid, "") for gid in night.ids[:2]]
    assert night.made(0) == ["-images"]
    assert night.made(2) == ["-images", ".ms", ".ms.flagversions"]
    assert list(night.output.glob(".partial*")) == []
    assert night.ledger.state(night.ids[0]) is GroupState.DONE
    live = {path.name for path in night.ledger.live_products()}
    assert live == {path.name for path in night.output.iterdir() if path.is_dir()}
    (event,) = night.ledger.events(kind="retention", group_id=night.ids[0])
    assert "removed" in event.text


def test_when_the_last_product_goes_nothing_more_is_wanted(night):
    night.apply(ms={"days": 1}, images={"days": 1})
    assert night.made(0) == []
    assert night.ledger.state(night.ids[0]) is GroupState.IGNORED
    assert night.ledger.ready_groups(limit=10) == []
    decision = json.loads((night.output / "decisions.jsonl").read_text().splitlines()[0])
    assert decision["what"] == "retire"


def test_raw_files_go_after_two_copies_were_compared(night):
    night.copy(0)
    night.copy(1, places=(0,))
    before = {path.name: path.read_bytes() for path in night.raw(0)}
    plans, _ = night.plan(raw={"days": 1})
    assert ids(plans["raw"]) == night.ids[:1]
    assert "3 older groups without 2 copies elsewhere" in plans["raw"].kept
    (removal,) = night.apply(raw={"days": 1})
    assert removal.problem == ""
    assert removal.freed_bytes == sum(map(len, before.values()))
    assert night.raw(0) == []
    assert len(night.raw(1)) == N_FILES
    for place in night.copies:
        assert {path.name: path.read_bytes() for path in place.rglob(f"{night.ids[0]}*")} == before
    assert night.ledger.group_files(night.ids[0]) == {}
    assert night.ledger.state(night.ids[0]) is GroupState.DONE


def test_a_copy_that_differs_by_a_bit_keeps_the_whole_group(night):
    night.copy(0)
    victim = next(night.copies[1].rglob(f"{night.ids[0]}_sb01*"))
    damaged = bytearray(victim.read_bytes())
    damaged[7] ^= 1
    victim.write_bytes(damaged)
    (removal,) = night.apply(raw={"days": 1})
    assert "differs from its copy" in removal.problem
    assert str(victim) in removal.problem
    assert len(night.raw(0)) == N_FILES


def test_a_link_is_no_copy(night):
    night.copy(0, places=(0,))
    for path in night.raw(0):
        os.link(path, night.copies[1] / path.name)
    plans, _ = night.plan(raw={"days": 1})
    assert ids(plans["raw"]) == []
    for path in night.raw(0):
        (night.copies[1] / path.name).unlink()
        (night.copies[1] / path.name).symlink_to(path)
    plans, _ = night.plan(raw={"days": 1})
    assert ids(plans["raw"]) == []


def test_copies_that_vanish_after_the_plan_keep_the_files(night):
    night.copy(0)
    plans, settings = night.plan(raw={"days": 1})
    planned = {path for item in plans["raw"].items for path in item.paths}
    for path in night.copies[0].iterdir():
        path.unlink()
    (removal,) = carry_out(night.ledger, list(plans.values()), planned, night.incoming, night.output, settings)
    assert "has 1 copies elsewhere, not 2" in removal.problem
    assert len(night.raw(0)) == N_FILES


def test_what_was_not_in_the_plan_stays(night):
    assert night.apply(planned=set(), ms={"days": 1}) == []
    assert night.made(0) == ["-images", ".ms", ".ms.flagversions"]


def test_a_measurement_set_that_is_open_stays(night):
    (ms,) = night.output.glob(f"{night.ids[0].replace('-', '').replace(':', '')}.ms")
    (ms / "table.lock").write_bytes(b"\0" * 300)
    code = (
        "import fcntl, sys, time\n"
        f"file = open({str(ms / 'table.lock')!r}, 'r+b')\n"
        "fcntl.lockf(file, fcntl.LOCK_EX, 1, 0)\n"
        "print('locked', flush=True)\n"
        "time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "locked\n"
        done = night.apply(ms={"days": 1})
    finally:
        holder.kill()
        holder.communicate()
    assert f"in use by process {holder.pid}" in done[0].problem
    assert [removal.problem for removal in done[1:]] == ["", "", ""]
    assert night.made(0) == ["-images", ".ms", ".ms.flagversions"]


def test_what_lies_elsewhere_is_not_touched(night, tmp_path):
    plans = make_plan(night.ledger, tmp_path / "other", tmp_path / "place", RetentionSettings(), NOW)
    assert [one.n_groups for one in plans] == [0, 0, 0, 0]


def test_a_plan_is_kept_and_grows_old(night, tmp_path):
    with pytest.raises(RetentionError, match="no plan"):
        read_plan(tmp_path, NOW)
    plans, _ = night.plan(ms={"days": 1})
    save_plan(list(plans.values()), tmp_path, NOW)
    assert read_plan(tmp_path, NOW + timedelta(hours=23)) == {path for item in plans["ms"].items for path in item.paths}
    with pytest.raises(RetentionError, match="plan is of"):
        read_plan(tmp_path, NOW + timedelta(hours=25))
    (tmp_path / "retention-plan.json").write_text("{")
    with pytest.raises(RetentionError, match="cannot be read"):
        read_plan(tmp_path, NOW)


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from test_retention import NOW
from dsa110_contimg.config.settings import KeepSettings, RetentionSettings
from dsa110_contimg.ledger.opening import open_ledger
from dsa110_contimg.pipeline.retention import carry_out, make_plan
base = Path({base!r})
settings = RetentionSettings(ms=KeepSettings(days=1), images=KeepSettings(days=1))
with open_ledger(base / "ledger.sqlite", decisions=base / "ms" / "decisions.jsonl") as ledger:
    plans = make_plan(ledger, base / "incoming", base / "ms", settings, NOW)
    planned = {{path for one in plans for item in one.items for path in item.paths}}
    print("begin", flush=True)
    carry_out(ledger, plans, planned, base / "incoming", base / "ms", settings)
"""


def test_killed_at_any_moment_the_next_removal_finishes(tmp_path):
    night = Night(tmp_path, 10)
    path = [str(Path(dsa110_contimg.__file__).parents[1]), str(Path(__file__).parent), str(Path(__file__).parents[1])]
    code = KILLED.format(path=path, base=str(tmp_path))
    killed = 0
    for delay_s in (0.0, 0.03, 0.08):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
    assert killed
    done = night.apply(ms={"days": 1}, images={"days": 1})
    assert all(removal.problem == "" for removal in done)
    clear_dead_partials(night.output)
    assert [path.name for path in night.output.iterdir()] == ["decisions.jsonl"]
    assert night.ledger.live_products() == {}
    assert night.ledger.inconsistencies() == []
    assert {night.ledger.state(gid) for gid in night.ids} == {GroupState.IGNORED}
    night.ledger.close()


def test_an_epoch_goes_by_rules_of_its_own_and_stays_in_the_light_curves(night):
    directory = night.output / f"{EPOCH}-epoch"
    directory.mkdir()
    (directory / "mosaic.fits").write_bytes(b"x" * 100)
    publish_epoch(night.ledger, path=directory)
    rules = {"epochs": {"days": 1}}
    assert night.plan(**rules)[0]["epochs"].items == ()  # not before it is in the light curves
    night.ledger.note_kept(EPOCH, "4567")
    (removal,) = night.apply(**rules)
    assert (removal.item.group_id, removal.problem, removal.freed_bytes) == (EPOCH, "", 100)
    assert not directory.exists()
    gone = night.ledger.epoch(EPOCH)
    assert gone.retired_utc is not None
    assert gone.kept_utc is not None
    assert night.plan(**rules)[0]["epochs"].n_groups == 0


def test_images_of_an_hour_that_is_to_be_made_stay(night):
    note_epoch(night.ledger)
    assert ids(night.plan(images={"days": 1})[0]["images"]) == []
    assert ids(night.plan(ms={"days": 1})[0]["ms"]) == night.ids
    night.ledger.note_untried(EPOCH, THIN, {}, "too few")
    assert ids(night.plan(images={"days": 1})[0]["images"]) == night.ids
