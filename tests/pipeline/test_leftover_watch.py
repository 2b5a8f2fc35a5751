"""The stream on a FUSE mount: it leaves nothing there itself, and says what others leave."""

import json
import time

from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.pipeline.leftover_watch import LeftoverWatch
from dsa110_contimg.storage.leftovers import LeftoverTotal
from fuse_holders import hidden
from fuse_mount import fuse_mount
from stream_daemon import Stream

ORPHAN = ".fuse_hidden0000000700000003"


def wait(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_directories_are_added_up_once_each_and_those_of_a_dead_mount_are_left_out(tmp_path):
    with fuse_mount(tmp_path) as mount:
        local = tmp_path / "local"
        (local / "below").mkdir(parents=True)
        (local / "below" / ORPHAN).write_bytes(b"x" * 7)
        mount.hang()
        watch = LeftoverWatch((local, local / "below", mount.near, tmp_path / "none"), 0.05)
        watch.start()
        try:
            both = {str(local): LeftoverTotal(1, 7), str(tmp_path / "none"): LeftoverTotal(0, 0)}
            wait(lambda: watch.totals() == both)
            (local / "below" / ORPHAN).unlink()
            wait(lambda: watch.totals().get(str(local)) == LeftoverTotal(0, 0))
        finally:
            watch.stop()
            mount.go_on()
        wait(lambda: watch.totals() == {})  # long ago: nothing is known any more


def test_products_on_fuse(tmp_path, monkeypatch):
    monkeypatch.setenv("DSA110_CONTIMG_HOUSEKEEPING__WATCH_S", "0.2")
    with fuse_mount(tmp_path) as mount:
        stream = Stream(tmp_path)
        stream.ms = mount.near
        with stream:
            stream.drop(0)
            stream.wait_for({0: "done"})
            assert f"{mount.near} is on a FUSE file system" in stream.log
            assert not list(mount.far.rglob(".fuse_hidden*"))
            with hidden(mount) as (_, left):
                said = lambda: json.loads((stream.state / "daemon.json").read_text())["leftovers"]  # noqa: E731
                stream.wait(lambda: said().get(str(mount.near)) == {"files": 1, "bytes": 5000})
                status = CliRunner().invoke(app, ["status", "--state", str(stream.state)]).stdout
                assert f"leftover 5 kB in 1 .fuse_hidden files below {mount.near}" in status
                assert left.exists()
            stream.wait(lambda: "FUSE has left 1 files" in stream.log)
