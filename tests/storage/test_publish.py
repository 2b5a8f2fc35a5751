"""Products appear whole or not at all; a killed process leaves what the next one clears."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dsa110_contimg.errors import DiskFullError, OutputError, OutputExistsError
from dsa110_contimg.naming import parse_partial_name, partial_name
from dsa110_contimg.storage.publish import clear_dead_partials, partial_directory, publish, require_writable
from small_disk import another_disk, mounted

GROUP = "2025-10-05T12:30:00"


def make(directory, content="new"):
    """Write a small product: a directory with files and a directory in it."""
    product = directory / "a.ms"
    (product / "ANTENNA").mkdir(parents=True)
    (product / "table.dat").write_text(content)
    (product / "ANTENNA" / "table.f0").write_bytes(os.urandom(100_000))
    return product


def contents(directory):
    return {file.relative_to(directory): file.read_bytes() for file in directory.rglob("*") if file.is_file()}


def names(directory):
    return sorted(entry.name for entry in directory.iterdir())


def test_partial_directory(tmp_path):
    with partial_directory(tmp_path / "new" / "place", GROUP) as partial:
        assert partial.parent == tmp_path / "new" / "place"
        assert parse_partial_name(partial.name)[0] == GROUP
        assert partial.name.startswith(".")
        make(partial)
    assert names(tmp_path / "new" / "place") == []


def test_nothing_stays_after_an_error(tmp_path):
    with pytest.raises(OutputError), partial_directory(tmp_path, GROUP) as partial:
        publish(make(partial), tmp_path / "nowhere" / "final.ms")
    assert names(tmp_path) == []


def test_two_attempts_at_a_group(tmp_path):
    with partial_directory(tmp_path, GROUP) as one, partial_directory(tmp_path, GROUP) as two:
        assert one != two


def test_no_place_for_a_partial(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"), partial_directory(tmp_path / "file", GROUP):
        pass


# -- clearing ----------------------------------------------------------------------------------------------------------

MAKER = """
import sys, time
from pathlib import Path
from dsa110_contimg.storage.publish import partial_directory
with partial_directory(Path(sys.argv[1]), "2025-10-05T12:30:00") as partial:
    (partial / "a.ms").mkdir()
    (partial / "a.ms" / "table.dat").write_text("half")
    print(partial, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def maker(tmp_path):
    """A process that is making a product, and the partial directory that it makes it in."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    partial = Path(process.stdout.readline().strip())
    yield process, partial
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_living_makers_partial_is_left(maker, tmp_path):
    _, partial = maker
    assert clear_dead_partials(tmp_path) == []
    assert (partial / "a.ms" / "table.dat").read_text() == "half"


def test_a_killed_makers_partial_is_removed(maker, tmp_path):
    process, partial = maker
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (partial / "a.ms" / "table.dat").exists()
    assert clear_dead_partials(tmp_path) == [partial]
    assert names(tmp_path) == []


def test_an_interrupted_maker_clears_it_itself(maker, tmp_path):
    process, _ = maker
    process.send_signal(signal.SIGINT)
    process.wait()
    assert names(tmp_path) == []


def test_only_partials_are_cleared(tmp_path):
    (tmp_path / partial_name(GROUP, "dead")).mkdir()
    for name in (".partial-of-something", "20251005T123000.ms", ".hidden", ".partial-20251005T123000"):
        (tmp_path / name).mkdir()
    (tmp_path / partial_name(GROUP, "file")).write_text("")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / partial_name(GROUP, "link")).symlink_to(tmp_path / "elsewhere")
    before = names(tmp_path)
    assert clear_dead_partials(tmp_path) == [tmp_path / partial_name(GROUP, "dead")]
    assert set(before) - set(names(tmp_path)) == {partial_name(GROUP, "dead")}


def test_nothing_to_clear(tmp_path):
    assert clear_dead_partials(tmp_path) == []
    assert clear_dead_partials(tmp_path / "nowhere") == []


def test_clearing_while_others_make(tmp_path):
    """Somebody who clears all the time never takes a living partial, nor keeps a maker from making one."""
    stop = threading.Event()
    removed = []

    def clear():
        while not stop.is_set():
            removed.extend(clear_dead_partials(tmp_path))

    thread = threading.Thread(target=clear)
    thread.start()
    try:
        for _ in range(200):
            with partial_directory(tmp_path, GROUP) as partial:
                (partial / "file").write_text("x")
                assert (partial / "file").read_text() == "x"
    finally:
        stop.set()
        thread.join()
    assert names(tmp_path) == []


def test_cleared_between_making_and_locking(tmp_path, monkeypatch):
    """Another one comes at the worst moment, and takes the new directory for a dead one: a new one is made."""
    real, calls = fcntl.flock, []

    def flock(fd, operation):
        calls.append(fd)
        if len(calls) == 1:
            (made,) = tmp_path.iterdir()
            made.rmdir()
        real(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with partial_directory(tmp_path, GROUP) as partial:
        assert partial.is_dir()
        assert len(calls) == 2


# -- publishing --------------------------------------------------------------------------------------------------------


def test_publish(tmp_path):
    with partial_directory(tmp_path, GROUP) as partial:
        product = make(partial)
        before = contents(product)
        publish(product, tmp_path / "final.ms")
        assert not product.exists()
    assert contents(tmp_path / "final.ms") == before
    assert names(tmp_path) == ["final.ms"]


@pytest.mark.parametrize("kind", ["directory", "file", "dangling link"])
def test_never_over_something(tmp_path, kind):
    final = tmp_path / "final.ms"
    if kind == "directory":
        make(tmp_path).rename(final)
    elif kind == "file":
        final.write_text("old")
    else:
        final.symlink_to(tmp_path / "nowhere")
    with partial_directory(tmp_path, GROUP) as partial:
        product = make(partial)
        with pytest.raises(OutputExistsError, match=r"is there already.*--overwrite"):
            publish(product, final)
        assert product.exists()
    assert names(tmp_path) == ["final.ms"]
    assert kind != "directory" or (final / "table.dat").read_text() == "new"
    assert kind != "file" or final.read_text() == "old"


def test_of_many_one_wins(tmp_path):
    """Two dozen publish at once; one product appears, whole, the others are told."""
    outcomes = []
    start = threading.Barrier(24)

    def attempt(number):
        with partial_directory(tmp_path, GROUP) as partial:
            product = make(partial, content=str(number))
            start.wait()
            try:
                publish(product, tmp_path / "final.ms")
            except OutputExistsError:
                return
            outcomes.append(str(number))

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 1
    assert [(tmp_path / "final.ms" / "table.dat").read_text()] == outcomes
    assert names(tmp_path) == ["final.ms"]


def test_replace(tmp_path):
    make(tmp_path, "old").rename(tmp_path / "final.ms")
    with partial_directory(tmp_path, GROUP) as partial:
        publish(make(partial), tmp_path / "final.ms", replace=True)
    assert (tmp_path / "final.ms" / "table.dat").read_text() == "new"
    assert names(tmp_path) == ["final.ms"]


def test_replace_where_there_is_nothing(tmp_path):
    with partial_directory(tmp_path, GROUP) as partial:
        publish(make(partial), tmp_path / "final.ms", replace=True)
    assert (tmp_path / "final.ms" / "table.dat").read_text() == "new"


def test_replacing_leaves_no_gap(tmp_path):
    """Whoever looks while a product is replaced sees the old one or the new one, never none and never half."""
    final = tmp_path / "final.ms"
    make(tmp_path, "0").rename(final)
    stop, seen = threading.Event(), set()

    def look():
        while not stop.is_set():
            seen.add((final / "table.dat").read_text())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for number in range(1, 100):
            with partial_directory(tmp_path, GROUP) as partial:
                publish(make(partial, str(number)), final, replace=True)
    finally:
        stop.set()
        thread.join()
    assert seen <= {str(number) for number in range(100)}
    assert len(seen) > 1
    assert (final / "table.dat").read_text() == "99"


def test_a_file_is_a_product_too(tmp_path):
    with partial_directory(tmp_path, GROUP) as partial:
        (partial / "image.fits").write_bytes(b"x" * 10_000)
        publish(partial / "image.fits", tmp_path / "image.fits")
    assert (tmp_path / "image.fits").read_bytes() == b"x" * 10_000


@pytest.mark.parametrize("far", [False, True])
def test_all_is_flushed_before_it_has_its_name(tmp_path, monkeypatch, request, far):
    """Every file and directory of the product, then the rename, then the directory that it is in."""
    flushed = []
    real = os.fsync

    def fsync(fd):
        flushed.append((Path(f"/proc/self/fd/{fd}").readlink(), {entry.name for entry in tmp_path.glob("*.*")}))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    with partial_directory(request.getfixturevalue("other") if far else tmp_path, GROUP) as partial:
        product = make(partial)
        (partial / "a.fits").write_text("x")
        for name in ("a.ms", "a.fits"):
            flushed.clear()
            wanted = {name} | {file.name for file in (partial / name).rglob("*")}
            publish(partial / name, tmp_path / name)
            before = {path.name for path, published in flushed if name not in published}
            assert wanted <= before
            assert flushed[-1][0] == tmp_path
            assert name in flushed[-1][1]
    assert not product.exists()


def test_no_such_place(tmp_path):
    with partial_directory(tmp_path, GROUP) as partial, pytest.raises(OutputError, match="cannot be written"):
        publish(make(partial), tmp_path / "nowhere" / "final.ms")


# -- from one file system to another -----------------------------------------------------------------------------------


@pytest.fixture
def other(tmp_path):
    """A directory on another file system."""
    with partial_directory(another_disk(tmp_path), GROUP) as place:
        yield place


@pytest.mark.parametrize("replace", [False, True])
def test_to_another_file_system(tmp_path, other, replace):
    final = tmp_path / "final.ms"
    if replace:
        make(tmp_path, "old").rename(final)
    with partial_directory(other, GROUP) as partial:
        product = make(partial)
        before = contents(product)
        publish(product, final, replace=replace)
        assert contents(final) == before
    assert names(tmp_path) == ["final.ms"]
    assert names(other) == []


def test_a_file_to_another_file_system(tmp_path, other):
    with partial_directory(other, GROUP) as partial:
        (partial / "image.fits").write_bytes(b"x" * 10_000)
        publish(partial / "image.fits", tmp_path / "image.fits")
    assert (tmp_path / "image.fits").read_bytes() == b"x" * 10_000


def test_never_over_something_on_another_file_system(tmp_path, other):
    make(tmp_path, "old").rename(tmp_path / "final.ms")
    with partial_directory(other, GROUP) as partial, pytest.raises(OutputExistsError):
        publish(make(partial), tmp_path / "final.ms")
    assert (tmp_path / "final.ms" / "table.dat").read_text() == "old"
    assert names(tmp_path) == ["final.ms"]


def test_the_other_file_system_is_full(tmp_path):
    with mounted(tmp_path / "disk", "64k") as disk:
        with partial_directory(tmp_path, GROUP) as partial, pytest.raises(DiskFullError, match="no room left"):
            publish(make(partial), disk / "final.ms")
        assert names(disk) == []


# -- trying to write ---------------------------------------------------------------------------------------------------


def test_a_directory_that_can_be_written(tmp_path):
    require_writable(tmp_path / "new" / "place")
    assert names(tmp_path / "new" / "place") == []


def test_a_place_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="cannot be written"):
            require_writable(path)


def test_a_read_only_disk_is_seen_before_work_begins(tmp_path):
    with mounted(tmp_path / "disk", "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(OutputError, match="Read-only file system"):
            require_writable(disk)


# -- file systems without renameat2 ------------------------------------------------------------------------------------


@pytest.fixture(params=[errno.EINVAL, errno.ENOSYS])
def plain_rename(request, monkeypatch):
    """What FUSE and old network mounts answer."""
    monkeypatch.setattr("dsa110_contimg.storage.publish._renameat2", lambda *_: request.param)


def test_publish_with_plain_rename(tmp_path, plain_rename):
    with partial_directory(tmp_path, GROUP) as partial:
        publish(make(partial), tmp_path / "final.ms")
        product = make(partial, "second")
        with pytest.raises(OutputExistsError):
            publish(product, tmp_path / "final.ms")
        assert (tmp_path / "final.ms" / "table.dat").read_text() == "new"
        publish(product, tmp_path / "final.ms", replace=True)
    assert (tmp_path / "final.ms" / "table.dat").read_text() == "second"
    assert names(tmp_path) == ["final.ms"]


def test_another_answer_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("dsa110_contimg.storage.publish._renameat2", lambda *_: errno.EIO)
    with (
        partial_directory(tmp_path, GROUP) as partial,
        pytest.raises(OutputError, match="Input/output error"),
    ):
        publish(make(partial), tmp_path / "final.ms")


def test_somebody_was_faster_by_a_hair(tmp_path, monkeypatch):
    """The place was empty when it was looked at, and no longer when the product is renamed."""
    monkeypatch.setattr("dsa110_contimg.storage.publish._renameat2", lambda *_: errno.EEXIST)
    with partial_directory(tmp_path, GROUP) as partial, pytest.raises(OutputExistsError):
        publish(make(partial), tmp_path / "final.ms")
