"""Starts are read once, as long as their files stay as they are."""

import json
import os
import threading
from pathlib import Path

import pytest

from dsa110_contimg.errors import TruncatedFileError, UnreadableFileError
from dsa110_contimg.uvh5.start import read_start
from dsa110_contimg.uvh5.start_cache import StartCache, read_starts
from subband_files import START, path_of, replace, write_group, write_subband


def unreadable_without_notice(path: Path) -> None:
    """Spoil a file's contents, and leave its size and time as they were."""
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def names_in(directory: Path) -> list[str]:
    return [entry.name for entry in directory.iterdir()]


def test_many_in_the_order_given(tmp_path):
    paths = list(write_group(tmp_path, subbands=[5, 2, 9]).values())
    read = read_starts(paths)
    assert list(read) == paths
    assert list(read.values()) == [read_start(path) for path in paths]


def test_a_bad_file_does_not_spoil_the_others(tmp_path):
    files = write_group(tmp_path, subbands=[0, 1, 2, 3])
    os.truncate(files[1], 5000)
    files[2].unlink()
    read = read_starts(files.values())
    assert [type(start).__name__ for start in read.values()] == [
        "StartInfo",
        "TruncatedFileError",
        "UnreadableFileError",
        "StartInfo",
    ]


def test_an_unchanged_file_is_not_read_again(tmp_path):
    path = write_subband(path_of(tmp_path, 0), 0)
    cache = StartCache()
    before = cache.read(path)
    unreadable_without_notice(path)
    assert cache.read(path) == before
    assert read_starts([path], cache) == {path: before}


@pytest.mark.parametrize("change", ["time", "size", "gone"])
def test_a_changed_file_is_read_again(tmp_path, change):
    path = write_subband(path_of(tmp_path, 0), 0, n_times=2)
    cache = StartCache()
    cache.read(path)
    if change == "time":
        replace(path, "Header/Ntimes", 7)
        assert cache.read(path).n_times == 7
    elif change == "size":
        os.truncate(path, 5000)
        with pytest.raises(TruncatedFileError):
            cache.read(path)
    else:
        path.unlink()
        with pytest.raises(UnreadableFileError):
            cache.read(path)


def test_the_path_is_the_one_asked_for(tmp_path, monkeypatch):
    path = write_subband(path_of(tmp_path, 0), 0)
    cache = StartCache()
    cache.read(path)
    monkeypatch.chdir(tmp_path)
    assert cache.read(path.name).path == Path(path.name)
    assert len(cache) == 1


def test_the_least_recently_used_are_forgotten(tmp_path):
    files = write_group(tmp_path, subbands=[0, 1, 2])
    cache = StartCache(max_entries=2)
    kept = [cache.read(files[0]), cache.read(files[1]), cache.read(files[0]), cache.read(files[2])][2:]
    assert len(cache) == 2
    for path in files.values():
        unreadable_without_notice(path)
    assert [cache.read(files[0]), cache.read(files[2])] == kept
    with pytest.raises(OSError, match="not an HDF5 file"):
        cache.read(files[1])


def test_the_next_process_knows_it(tmp_path):
    path = write_subband(path_of(tmp_path, 0), 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        cache = StartCache(tmp_path / "state" / "cache")
        before = cache.read(path)
        cache.save()
    unreadable_without_notice(path)
    assert StartCache(tmp_path / "state" / "cache").read(path) == before
    assert names_in(tmp_path / "state" / "cache") == ["subband-starts.json"]


def test_what_two_processes_find_is_kept(tmp_path):
    files = write_group(tmp_path, subbands=[0, 1])
    one, other = StartCache(tmp_path / "cache"), StartCache(tmp_path / "cache")
    one.read(files[0])
    other.read(files[1])
    one.save()
    other.save()
    assert len(StartCache(tmp_path / "cache")) == 2


def test_many_writers_never_leave_a_broken_cache(tmp_path):
    files = write_group(tmp_path)

    def work(subband):
        for _ in range(5):
            cache = StartCache(tmp_path / "cache")
            cache.read(files[subband])
            os.utime(files[subband])
            cache.read(files[subband])
            cache.save()

    threads = [threading.Thread(target=work, args=(subband,)) for subband in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names_in(tmp_path / "cache") == ["subband-starts.json"]
    assert json.loads((tmp_path / "cache" / "subband-starts.json").read_text())["starts"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 1, "starts": {"x": [1]}}', "\udcff"])
def test_a_damaged_cache_is_a_warning(tmp_path, caplog, content):
    path = write_subband(path_of(tmp_path, 0), 0)
    (tmp_path / "subband-starts.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    cache = StartCache(tmp_path)
    assert len(cache) == 0
    assert "made anew" in caplog.text
    cache.read(path)
    cache.save()
    assert len(StartCache(tmp_path)) == 1


def test_a_cache_of_another_format_is_made_anew(tmp_path):
    (tmp_path / "subband-starts.json").write_text('{"format": 999, "starts": {}}')
    assert len(StartCache(tmp_path)) == 0


def test_a_cache_that_cannot_be_kept_is_a_warning(tmp_path, caplog):
    path = write_subband(path_of(tmp_path, 0, START), 0)
    (tmp_path / "file").touch()
    cache = StartCache(tmp_path / "file" / "cache")
    cache.read(path)
    cache.save()
    assert "cannot keep the cache" in caplog.text


def test_nothing_new_is_not_saved(tmp_path):
    StartCache(tmp_path / "cache").save()
    assert not (tmp_path / "cache").exists()
    StartCache().save()
