"""Directories that may not be written, and files that may not be read, by somebody who is not root."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from convert_process import fingerprints, partials, report, run_convert
from dsa110_contimg.ms.checks import check_ms
from subband_files import path_of, write_group

NAME = "20251005T123000.ms"
NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@pytest.fixture(scope="module")
def somebody():
    """How a command is begun so that permissions count for it: root has to become somebody else."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root cannot become somebody else without setpriv")
    trial = subprocess.run([*AS_NOBODY, sys.executable, "-c", "import dsa110_contimg, h5py"], capture_output=True)
    if trial.returncode:
        pytest.skip("this Python cannot be run by another user")
    return AS_NOBODY


@pytest.fixture
def room():
    """Return a directory that everybody can reach, which those of pytest are not."""
    directory = Path(tempfile.mkdtemp(prefix="contimg-test-"))
    directory.chmod(0o755)
    incoming, products, home = (directory / name for name in ("incoming", "ms", "home"))
    write_group(incoming)
    products.mkdir()
    home.mkdir()
    if os.geteuid() == 0:
        os.chown(products, NOBODY, NOBODY)
        os.chown(home, NOBODY, NOBODY)
    yield directory
    products.chmod(0o755)
    shutil.rmtree(directory)


def convert(room, somebody, *options):
    """Run the converter, its kernels uncompiled: it would have to compile them anew, not being root."""
    home = str(room / "home")
    env = {"HOME": home, "TMPDIR": home, "NUMBA_DISABLE_JIT": "1"}
    return run_convert(room / "incoming", room / "ms", *options, prefix=somebody, **env)


def test_output_directory_that_may_not_be_written(room, somebody):
    before = fingerprints(room / "incoming")
    (room / "ms").chmod(0o555)
    done = convert(room, somebody)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert str(room / "ms") in line
    assert "Permission denied" in line
    assert "Check that the directory exists, may be written and is mounted" in line
    assert list((room / "ms").iterdir()) == []
    assert fingerprints(room / "incoming") == before


def test_scratch_directory_that_may_not_be_written(room, somebody):
    scratch = room / "scratch"
    scratch.mkdir(mode=0o555)
    done = convert(room, somebody, "--scratch", scratch)
    assert done.returncode == 1
    assert str(scratch) in done.stderr
    assert "Permission denied" in done.stderr
    assert list(scratch.iterdir()) == list((room / "ms").iterdir()) == []


def test_input_that_may_only_be_read_is_enough(room, somebody):
    incoming = room / "incoming"
    for path in incoming.iterdir():
        path.chmod(0o444)
    incoming.chmod(0o555)
    done = convert(room, somebody)
    assert done.returncode == 0, done.stderr
    check_ms(room / "ms" / NAME)


def test_file_that_may_not_be_read_is_set_aside(room, somebody):
    secret = path_of(room / "incoming", 7)
    secret.chmod(0)
    done = convert(room, somebody, "--json")
    assert done.returncode == 0, done.stderr
    (group,) = report(done)["groups"]
    assert (group["outcome"], group["missing"]) == ("partial", [7])
    (item,) = group["set_aside"]
    assert (item["path"], item["outcome"]) == (str(secret), "unreadable")
    assert "permission" in (item["reason"] + item["remedy"]).lower()
    assert str(secret) in done.stderr
    check_ms(room / "ms" / NAME)
    assert partials(room / "ms") == []


def test_input_directory_that_may_not_be_read(room, somebody):
    (room / "incoming").chmod(0)
    done = convert(room, somebody)
    assert done.returncode == 2
    assert f"path '{room / 'incoming'}' is not readable" in done.stderr
    (room / "incoming").chmod(0o755)


def test_no_place_for_compiled_kernels(room, somebody):
    """Neither the package nor the home may be written: that is said, and the output is not blamed."""
    if not somebody:
        pytest.skip("whoever runs the tests may write the package")
    home = str(room / "no-such-home")
    done = run_convert(room / "incoming", room / "ms", prefix=somebody, HOME=home, TMPDIR=str(room / "home"))
    assert done.returncode == 1
    assert "there is no place to keep compiled kernels" in done.stderr
    assert "paths.cache" in done.stderr
    assert list((room / "ms").iterdir()) == []
    cache = {"DSA110_CONTIMG_PATHS__CACHE": str(room / "home" / "kernels")}
    mended = run_convert(room / "incoming", room / "ms", prefix=somebody, HOME=home, TMPDIR=home, **cache)
    assert mended.returncode == 0, mended.stderr
    check_ms(room / "ms" / NAME)
