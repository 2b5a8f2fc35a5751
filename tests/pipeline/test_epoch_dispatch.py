"""Hours in the stream: made when they close, once, whatever dies on the way; made again once for late groups."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from dsa110_contimg.ledger import FailureKind
from dsa110_contimg.ledger.epoch_states import EpochState
from dsa110_contimg.lightcurves.query import open_store
from dsa110_contimg.naming import epoch_file_name
from dsa110_contimg.pipeline.differences import differences
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
        assert (first.failure_kind, first.exit_code) == (FailureKind.MEMORY, -9)
        assert "has no primary beam" in second.message
        assert "has no primary beam" in stream.epoch().reason
        stream.write(0)
        stream.wait_for({0: "done"})
    assert stream.strays() == []
