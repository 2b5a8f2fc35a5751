"""How attempts end, whatever runs them: what they made is published, or why not is recorded."""

import logging
from concurrent.futures import CancelledError, Future
from types import SimpleNamespace

import pytest

from dsa110_contimg.config.changes import with_changes
from dsa110_contimg.config.settings import Settings
from dsa110_contimg.ledger import DecisionKind, FailureKind, GroupState, open_ledger
from dsa110_contimg.naming import partial_name
from dsa110_contimg.pipeline.description import AttemptResult, Manifest, ProductMade
from dsa110_contimg.pipeline.dispatch import Dispatcher
from dsa110_contimg.pipeline.failures import RESOURCE, TRANSIENT
from dsa110_contimg.pipeline.under_way import MEMORY_REMEDY, n_starved, patience_s, result_of
from dsa110_contimg.storage.checksums import tree_checksum
from ledger_groups import add_group, gid_of, group
from promised_attempts import shared

MS = "a.ms"


class Bench:
    """A ledger with one whole group, and what starts attempts at it."""

    def __init__(self, base, ledger):
        self.output = base / "ms"
        self.output.mkdir()
        paths = {"input": base, "ms": self.output, "state": base / "state"}
        settings = with_changes(Settings(), paths=paths, stream={"stages": ("convert",), "retry_s": 0.0})
        with_room = shared(self.output)
        self.ledger, self.runner, self.health = ledger, with_room.runner, with_room.health
        self.dispatcher = Dispatcher(ledger, settings, with_room)
        self.gid = add_group(ledger)

    def begin(self):
        self.dispatcher.start_ready()
        (item,) = self.dispatcher.under_way.values()
        return item.attempt

    def end(self, result):
        self.runner.futures[-1].set_result(result)
        self.dispatcher.take_results()

    def attempts(self):
        return self.ledger.group(self.gid).attempts

    def made(self, attempt, name=MS):
        """Make a product as a job does; give its manifest."""
        partial = self.output / partial_name(self.gid, attempt.id)
        (partial / name).mkdir(parents=True)
        (partial / name / "table").write_text("data")
        product = ProductMade(name, "ms", *tree_checksum(partial / name))
        start_mjd, made_utc = group().start_mjd, "2025-10-05T12:40:00+00:00"
        return Manifest(self.gid, start_mjd, attempt.id, tuple(range(16)), {}, (), (product,), (), made_utc)


@pytest.fixture
def bench(tmp_path):
    with open_ledger(tmp_path / "state" / "ledger.sqlite", decisions=tmp_path / "decisions.jsonl") as ledger:
        yield Bench(tmp_path, ledger)


def test_what_was_made_is_published_and_recorded(bench):
    attempt = bench.begin()
    assert list(bench.health.running) == [bench.gid]
    bench.end(AttemptResult(bench.made(attempt), exit_code=0))
    assert bench.ledger.state(bench.gid) is GroupState.DONE
    assert (bench.output / MS / "table").read_text() == "data"
    assert (bench.dispatcher.under_way, bench.health.running, bench.health.n_published) == ({}, {}, 1)


def test_what_nobody_wants_any_more_is_dropped_and_is_no_failure(bench):
    attempt = bench.begin()
    manifest = bench.made(attempt)
    bench.ledger.decide(bench.gid, DecisionKind.IGNORE, "me", "a test")
    bench.end(AttemptResult(manifest, exit_code=0))
    (attempt,) = bench.attempts()
    assert (attempt.failure_kind, attempt.committed) == (None, False)
    assert "no longer wanted" in attempt.message
    assert list(bench.output.glob(".partial*")) == []


def test_what_cannot_be_published_failed(bench, caplog):
    (bench.output / MS).mkdir()
    attempt = bench.begin()
    with caplog.at_level(logging.ERROR):
        bench.end(AttemptResult(bench.made(attempt), exit_code=0))
    assert bench.ledger.state(bench.gid) is GroupState.FAILED
    assert [one.failure_kind for one in bench.attempts()] == [FailureKind.BUG]
    assert f"{bench.gid}: " in caplog.text
    assert "(bug): it is failed" in caplog.text


def test_a_full_disk_pauses_all_and_counts_no_attempt(bench):
    bench.begin()
    bench.end(AttemptResult(None, RESOURCE, "no space left", exit_code=1))
    assert bench.health.paused == "no space left"
    assert bench.ledger.state(bench.gid) is GroupState.READY


def test_a_job_that_needs_more_memory_than_it_may_have_is_tried_four_times(bench):
    for n in range(1, 5):
        bench.begin()
        bench.end(
            AttemptResult(
                None, RESOURCE, "image took 9.1 GB, more than its share of memory", -9, alone=True, starved=True
            )
        )
        assert bench.health.paused == ""
        assert bench.ledger.state(bench.gid) is (GroupState.READY if n < 4 else GroupState.FAILED)
    history = bench.ledger.group(bench.gid)
    assert {one.failure_kind for one in history.attempts} == {FailureKind.MEMORY}
    assert history.group.reason.endswith(f"more than its share of memory: {MEMORY_REMEDY}")
    bench.ledger.decide(bench.gid, DecisionKind.RETRY, "me", "more memory")
    assert bench.ledger.state(bench.gid) is GroupState.READY


def test_what_is_under_way_at_the_end_is_interrupted(bench):
    bench.begin()
    bench.dispatcher.give_up()
    (attempt,) = bench.attempts()
    assert (attempt.failure_kind, attempt.message) == (None, "interrupted: the daemon stops")
    assert bench.dispatcher.under_way == {}


def test_a_lost_worker_is_a_failure_that_may_pass():
    def ended(error):
        future = Future()
        future.set_exception(error)
        return result_of(future)

    killed = type("KilledWorker", (Exception,), {})  # as Dask calls it
    assert ended(killed("twice")).failure == RESOURCE
    lost = ended(ConnectionError("gone"))
    assert (lost.failure, lost.alone) == (TRANSIENT, True)
    assert "the worker was lost" in lost.message
    assert ended(CancelledError()).failure is None


def test_pauses_grow_with_the_failures_before():
    def attempts(*kinds):
        return [SimpleNamespace(failure_kind=kind, ended_utc=gid_of()) for kind in kinds]

    starved = FailureKind.RESOURCE
    assert [patience_s(FailureKind.TRANSIENT, 10.0, n, ()) for n in range(3)] == [10.0, 40.0, 160.0]
    assert [patience_s(FailureKind.MEMORY, 10.0, n, ()) for n in range(4)] == [10.0, 160.0, 2560.0, 3600.0]
    assert patience_s(starved, 10.0, 0, attempts(starved, starved)) == 40.0
    assert patience_s(starved, 10.0, 0, attempts(*[starved] * 20)) == 3600.0
    assert patience_s(FailureKind.BUG, 10.0, 0, ()) is patience_s(None, 10.0, 0, ()) is None
    assert n_starved(attempts(starved, None, starved)) == 1
