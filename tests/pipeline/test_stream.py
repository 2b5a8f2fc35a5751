"""The stream as people run it: files come, Measurement Sets come out, and the ledger says so."""

import json
import shutil
import subprocess
import time
import urllib.request

import pytest

from dsa110_contimg.conversion.provenance import read_provenance
from dsa110_contimg.ms.checks import check_ms
from dsa110_contimg.storage.checksums import tree_checksum
from stream_daemon import Stream, id_of, manifest, ms_of, unchanged
from subband_files import replace

pytestmark = pytest.mark.alone


def test_files_that_were_there_and_files_that_come_become_measurement_sets(tmp_path):
    stream = Stream(tmp_path)
    stream.write(0)
    with unchanged(stream.incoming), stream:
        stream.wait_for({0: "done"})
        stream.drop(1)
        stream.wait_for({1: "done"})
        history = stream.history(1)
        assert stream.stop()[0] == 0
    assert stream.products() == [ms_of(0), ms_of(1)]
    (product,) = history.products
    assert product.path == stream.ms / ms_of(1)
    assert (product.checksum, product.size_bytes) == tree_checksum(product.path)
    assert check_ms(product.path).n_channels == 768
    (attempt,) = history.attempts
    assert attempt.committed
    assert [stage.name for stage in attempt.stages] == ["convert"]
    assert attempt.stages[0].bytes_in > attempt.stages[0].bytes_out > 0
    assert "convert" in attempt.log_path.read_text()
    assert manifest(stream, 1)["products"][0]["checksum"] == product.checksum
    assert stream.strays() == []


def test_what_came_while_it_was_down_is_seen_when_it_starts_again(tmp_path):
    stream = Stream(tmp_path)
    stream.write(0)
    with stream:
        stream.wait_for({0: "done"})
    stream.write(1)
    with stream:
        stream.wait_for({0: "done", 1: "done"})
    assert len(stream.history(0).attempts) == 1


def test_a_poll_sees_what_comes_by_rsync(tmp_path):
    """A hidden partial is filled, and renamed when it is whole; inotify is not asked."""
    stream = Stream(tmp_path, poll_s=0.5)
    aside = Stream(tmp_path / "elsewhere").write(0)
    stream.arguments = ["--poll"]
    with stream:
        stream.wait(lambda: "is listed every 0.5 s" in stream.log)
        for path in aside.values():
            partial = stream.incoming / f".{path.name}.Xa81kQ"
            partial.write_bytes(path.read_bytes())
            partial.rename(stream.incoming / path.name)
        stream.wait_for({0: "done"})


def test_every_fault_has_its_outcome_and_none_touches_its_neighbour(tmp_path):
    stream = Stream(tmp_path, deadline_s=6)
    whole = stream.write(0)
    truncated = stream.write(1)[3]
    truncated.write_bytes(truncated.read_bytes()[:20000])
    zeros = stream.write(2)[5]
    replace(zeros, "Data/visdata", _zeros_like(zeros))
    stream.write(3, subbands=range(14))
    stream.write(4, subbands=range(5))
    copy = whole[2].with_name(whole[2].name.replace(":00_sb", ":01_sb"))
    shutil.copy2(whole[2], copy)
    bogus = stream.write(5)[7]
    replace(bogus, "Header/time_array", _bogus(bogus))
    with unchanged(stream.incoming), stream:
        stream.wait_for({0: "done", 1: "partial", 2: "partial", 3: "partial", 4: "quarantined", 5: "partial"})
        outcome = {
            file.path: file.outcome for number in range(6) for file in stream.history(number).files
            if file.outcome != "good"
        }  # fmt: skip
        assert outcome == {truncated: "truncated", zeros: "zero-filled", copy: "duplicate", bogus: "bogus-time"}
        facts = stream.history(4).group
        assert "only 5 good subbands" in facts.reason
    assert read_provenance(stream.ms / ms_of(3))["missing"] == [14, 15]
    assert len(stream.products()) == 5
    # Nothing of it is forgotten, or taken up again.
    with stream:
        time.sleep(5)
        assert all(len(stream.history(number).attempts) == 1 for number in (0, 1, 2, 3, 5))
        assert {item.outcome for item in stream.history(2).files} == {"good", "zero-filled"}


@pytest.mark.parametrize(("late", "state", "attempts"), [("redo", "done", 2), ("keep", "partial", 1)])
def test_a_late_file_redoes_its_group_once_or_never(tmp_path, late, state, attempts):
    stream = Stream(tmp_path, deadline_s=4, late=late)
    stream.write(0, subbands=range(15))
    with stream:
        stream.wait_for({0: "partial"})
        stream.drop(0, subbands=[15])
        stream.wait(lambda: len(stream.history(0).files) == 16)
        stream.wait_for({0: state})
        time.sleep(5)
        history = stream.history(0)
    assert history.group.state.value == state
    assert len(history.attempts) == attempts
    assert history.files[-1].outcome == "late"
    assert read_provenance(stream.ms / ms_of(0))["missing"] == ([] if late == "redo" else [15])
    assert tree_checksum(stream.ms / ms_of(0)).checksum == next(
        product.checksum for product in history.products if product.retired_utc is None
    )
    assert stream.strays() == []


def test_the_deadline_is_kept_across_restarts(tmp_path):
    stream = Stream(tmp_path, deadline_s=600)
    stream.write(0, subbands=range(15))
    with stream:
        stream.wait(lambda: id_of(0) in stream.states())
        before = stream.history(0).group
    with Stream(tmp_path, deadline_s=900) as stream:
        stream.drop(0, subbands=[15])
        stream.wait_for({0: "done"})
        after = stream.history(0).group
    assert (after.first_seen_utc, after.deadline_utc) == (before.first_seen_utc, before.deadline_utc)


def test_a_replay_takes_its_range_and_ends(tmp_path):
    stream = Stream(tmp_path, workers=1)
    for number in range(4):
        stream.write(number, subbands=range(16 if number != 2 else 14))
    stream.start("--since", id_of(1), "--until", id_of(2))
    assert stream.process.wait(120) == 0, stream.log
    assert stream.states() == {id_of(1): "done", id_of(2): "partial"}


def test_a_second_daemon_on_a_ledger_is_refused_and_told_of_the_first(tmp_path):
    stream = Stream(tmp_path, http_port=19111)
    with stream:
        stream.wait(lambda: "watching" in stream.log)
        second = subprocess.run(stream.command(), capture_output=True, text=True, env=stream.environment(), timeout=60)
        assert second.returncode == 1
        assert f"process {stream.process.pid}" in second.stderr
        other = Stream(tmp_path / "other", http_port=19111)
        third = subprocess.run(other.command(), capture_output=True, text=True, env=other.environment(), timeout=60)
        assert third.returncode == 2
        assert "port 19111 of 127.0.0.1 cannot be had" in third.stderr


def test_drain_finishes_what_is_under_way_and_sigterm_is_soon(tmp_path):
    stream = Stream(tmp_path, workers=1)
    for number in range(4):
        stream.write(number)
    with stream:
        stream.wait(lambda: "running" in stream.states().values())
        drain = [*stream.command()[:3], "drain", "--state", str(stream.state)]
        done = subprocess.run(drain, capture_output=True, text=True, env=stream.environment(), timeout=60)
        assert done.returncode == 0, done.stderr
        assert stream.process.wait(10) == 3
    states = sorted(stream.states().values())
    assert "running" not in states
    assert "ready" in states
    assert stream.strays() == []
    with stream:
        stream.wait(lambda: "running" in stream.states().values())
        code, seconds = stream.stop()
    assert code == 0
    assert seconds < 30
    assert stream.strays() == []


def test_it_says_how_it_is(tmp_path):
    port = 19110
    stream = Stream(tmp_path, http_port=port)
    stream.write(0)
    with stream:
        stream.wait_for({0: "done"})
        stream.wait(lambda: json.loads(_get(port, "healthz"))["published"] == 1)
        figures = dict(line.rsplit(" ", 1) for line in _get(port, "metrics").splitlines() if line[0] != "#")
    assert float(figures['dsa110_contimg_groups{state="done"}']) == 1
    assert float(figures['dsa110_contimg_stage_bytes_total{stage="convert"}']) > 1e6
    assert float(figures["dsa110_contimg_lag_seconds"]) > 0


def _get(port, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=5) as answer:
        return answer.read().decode()


def _zeros_like(path):
    import h5py
    import numpy as np

    with h5py.File(path) as file:
        return np.zeros_like(file["Data/visdata"][:])


def _bogus(path):
    import h5py

    with h5py.File(path) as file:
        times = file["Header/time_array"][:]
    return times - times[0] + 2455000.5
