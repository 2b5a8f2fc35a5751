"""Hours in the stream: made when they close, once, whatever dies on the way; made again once for late groups."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from dsa110_contimg.config.changes import with_changes
from dsa110_contimg.config.settings import Settings
from dsa110_contimg.ledger import FailureKind, Product, open_ledger
from dsa110_contimg.ledger.calibrations import Observing
from dsa110_contimg.ledger.epoch_states import EpochState
from dsa110_contimg.ledger.summary import summarize
from dsa110_contimg.lightcurves.query import open_store
from dsa110_contimg.naming import epoch_directory_name, epoch_file_name
from dsa110_contimg.pipeline.differences import differences
from dsa110_contimg.pipeline.epoch_dispatch import EpochDispatcher
from dsa110_contimg.pipeline.epoch_keeping import EpochKeeper
from ledger_groups import AFTER, add_group, gid_of, group
from promised_attempts import shared
from stream_hours import EPOCH, HourStream

BOUNDARIES = [
    # Where a daemon dies: about to start the job's process, to take in what that made, to rename it, to record that;
    # with the strip's list grown, about to add the rows to the light curves, and about to note that they are there.
    ("dsa110_contimg.pipeline.attempt", "_start"),
    ("dsa110_contimg.pipeline.epoch_dispatch", "commit_epoch"),
    ("dsa110_contimg.pipeline.commit", "publish"),
    ("dsa110_contimg.ledger.epoch_attempts", "record_epoch"),
    ("dsa110_contimg.pipeline.epoch", "add_epoch"),
    ("dsa110_contimg.ledger.ledger:Ledger", "note_kept"),
]


def rows_of(stream):
    with open_store(stream.lightcurves) as store:
        query = (
            "SELECT source_id, image, kind, band, flux, e_flux FROM measurements ORDER BY image, kind, band, source_id"
        )
        return store.sql(query, []).to_pylist()


def mosaic_of(stream):
    return fits.getdata(stream.directory / epoch_file_name(EPOCH, "mosaic"))


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """An hour of two groups that nobody disturbed; a third, which comes late."""
    stream = HourStream(tmp_path_factory.mktemp("calm") / "stream", n_groups=3)
    stream.publish(0, 1)
    stream.replay()
    return stream


def test_an_hour_that_closes_is_made_measured_and_part_of_the_light_curves(calm):
    epoch = calm.epoch()
    assert (epoch.state, epoch.verdict, len(epoch.inputs)) == (EpochState.DONE, "good", 2)
    assert epoch.kept_utc is not None
    assert epoch.facts["n_sources"] == 4
    assert pq.read_table(calm.directory / "measurements.parquet").num_rows == len(rows_of(calm))
    assert calm.strays() == []
    with calm.ledger() as ledger:
        (attempt,) = ledger.epoch_attempts(EPOCH)
        lines = differences(ledger, calm.incoming, calm.ms, checksums=True)
    assert [line for line in lines if EPOCH in line] == []
    assert attempt.committed
    assert [stage.name for stage in attempt.stages] == ["epoch"]


def test_a_late_group_has_it_made_again_once(calm):
    before = calm.epoch()
    calm.replay()
    assert calm.epoch() == before  # the next daemon leaves it alone
    calm.publish(2)
    calm.replay()
    with calm.ledger() as ledger:
        assert [attempt.committed for attempt in ledger.epoch_attempts(EPOCH)] == [True, True]
    assert len(calm.epoch().inputs) == 3
    assert len({row["image"] for row in rows_of(calm) if row["kind"] == "group"}) == 3
    assert calm.strays() == []


def test_killed_at_every_boundary_it_ends_like_an_undisturbed_one(tmp_path):
    stream = HourStream(tmp_path / "stream", n_groups=2)
    stream.publish(0, 1)
    for place, name in BOUNDARIES:
        stream.run_until_it_dies(place, name)
    stream.replay()
    with stream.ledger() as ledger:
        attempts = ledger.epoch_attempts(EPOCH)
    assert [attempt.committed for attempt in attempts] == [False] * (len(attempts) - 1) + [True]
    assert len(attempts) == 2  # one that never began, and one that was made
    assert stream.strays() == []
    assert stream.epoch().kept_utc is not None
    assert stream.epoch().facts["n_measurements"] == len(rows_of(stream)) > 0
    assert np.isfinite(mosaic_of(stream)).any()


def test_a_job_that_is_killed_is_tried_again_and_a_strip_in_trouble_stops_nobody(tmp_path):
    stream = HourStream(tmp_path / "stream", n_groups=2)
    stream.publish(0, 1)
    for path in stream.images[0].glob("*-pb.fits"):
        path.unlink()  # what cannot be joined
    with stream:
        stream.wait(stream.jobs)
        stream.jobs()[0].kill()
        stream.wait(lambda: stream.epoch().state is EpochState.FAILED)
        with stream.ledger() as ledger:
            first, second = ledger.epoch_attempts(EPOCH)
        assert (first.failure_kind, first.exit_code) == (FailureKind.RESOURCE, -9)
        assert "has no primary beam" in second.message
        assert "has no primary beam" in stream.epoch().reason
        stream.write(0)
        stream.wait_for({0: "done"})
    assert stream.strays() == []


@pytest.fixture
def hour(tmp_path):
    """A ledger with an hour that is due, and what would have it made."""
    output = tmp_path / "ms"
    output.mkdir()
    given = {"input": tmp_path, "ms": output, "state": tmp_path / "state"}
    epochs = {"enabled": True, "least_images": 2, "wait_s": 0.0}
    settings = with_changes(Settings(), paths=given, epochs=epochs, lightcurves={"directory": tmp_path / "curves"})
    with open_ledger(tmp_path / "state" / "ledger.sqlite") as ledger:
        for i in range(3):
            attempt = ledger.begin_attempt(add_group(ledger, i), now=AFTER)
            ledger.note_observing(Observing(gid_of(i), group(i).start_mjd, 54.57, {}))
            product = Product(output / f"{gid_of(i)}-images", "images", f"sum{i}", 10)
            ledger.commit_products(attempt.id, [product], range(16), now=AFTER)
        keeper = EpochKeeper(ledger, lambda _: None, lambda: None)
        yield output, ledger, EpochDispatcher(ledger, settings, shared(output), keeper, 0.0)


def test_an_epoch_that_somebody_made_by_hand_is_left_alone_by_name(hour, caplog):
    output, ledger, dispatcher = hour
    dispatcher._hours.notice()
    (epoch,) = ledger.epochs()
    directory = output / epoch_directory_name(epoch.id)
    directory.mkdir()
    assert not dispatcher.start_due()
    found = ledger.epoch(epoch.id)
    assert (found.state, found.n_attempts) == (EpochState.BY_HAND, 0)
    assert found.reason == f"{directory} is there already, and the stream did not make it"
    assert "Move it away, then epochs retry" in caplog.text
    assert summarize(ledger.path).epochs.states["by-hand"] == 1
    dispatcher._looked = -10.0
    assert not dispatcher.start_due()
    assert dispatcher.idle
    assert len(ledger.events(group_id=epoch.id)) == 1  # it is not looked at again and again
    # Moved away, and asked for, it is made.
    directory.rmdir()
    ledger.retry_epoch(epoch.id, "me", "moved away")
    dispatcher._looked = -10.0
    assert dispatcher.start_due()
    assert ledger.epoch(epoch.id).state is EpochState.RUNNING
