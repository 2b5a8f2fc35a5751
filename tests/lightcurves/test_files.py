"""Which files of a store count."""

import subprocess
import sys
from pathlib import Path

import pytest

from dsa110_contimg.errors import OutputError
from dsa110_contimg.lightcurves.files import locked, months, strips
from dsa110_contimg.naming import epoch_rows_name, month_rows_name
from made_epochs import STRIP, epoch_of


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_highest_version_and_the_epochs_own_files_count(tmp_path):
    place = tmp_path / STRIP
    old = [touch(place / month_rows_name("2025-10", version)) for version in (9998, 9999)]
    joined = touch(place / month_rows_name("2025-10", 10000))
    own = {epoch_of(day): touch(place / epoch_rows_name(epoch_of(day))) for day in (0, 1, 30)}
    for other in (
        "reference-0001.parquet",
        "ensemble.parquet",
        "notes.txt",
        ".lock",
        "2025-10-05/x.txt",
        "2025-10-05/.a",
    ):
        touch(place / other)
    october, november = months(tmp_path, STRIP)
    first, second, third = own
    assert october == (STRIP, "2025-10", joined, 10000, {first: own[first], second: own[second]}, tuple(old))
    assert november == (STRIP, "2025-11", None, 0, {third: own[third]}, ())


def test_strips_are_directories_named_so(tmp_path):
    assert strips(tmp_path / "none") == []
    for name in ("+54.6", "-10.0", "beam", ".x"):
        (tmp_path / name).mkdir()
    touch(tmp_path / "+16.3")
    assert strips(tmp_path) == ["+54.6", "-10.0"]


def test_what_the_dead_were_writing_is_cleared_by_who_has_the_lock(tmp_path):
    left = touch(tmp_path / STRIP / "2025-10-05" / ".x.parquet.1.partial")
    reference = touch(tmp_path / STRIP / ".reference-0002.parquet.partial")
    with locked(tmp_path, STRIP):
        assert not left.exists()
        assert reference.exists()


def test_one_process_at_a_time_changes_a_strip(tmp_path):
    waits = (
        "import sys; from pathlib import Path; from dsa110_contimg.lightcurves.files import locked\n"
        "with locked(Path(sys.argv[1]), sys.argv[2]): print(Path(sys.argv[1], 'done').exists())"
    )
    with locked(tmp_path, STRIP):
        child = subprocess.Popen([sys.executable, "-c", waits, tmp_path, STRIP], stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(1.0)
        touch(tmp_path / "done")
    assert child.communicate()[0] == b"True\n"


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    touch(tmp_path / "file")
    with pytest.raises(OutputError), locked(tmp_path / "file", STRIP):
        pass
