"""The verbs of scratch, and the script that people know."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dsa110_contimg
from dsa110_contimg.cli.app import app
from scratch_trees import facts, names

SCRIPT = Path(__file__).parents[2] / "scripts" / "scratch_sync.sh"


@pytest.fixture
def run(in_tmp, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", str(in_tmp / "data"))
    monkeypatch.setenv("SCRATCH_ROOT", str(in_tmp / "scratch"))
    monkeypatch.setenv("DSA110_CONTIMG_SCRATCH__RESERVE_GB", "0")
    for name in ("one", "two"):
        (in_tmp / "data" / "ms" / name).mkdir(parents=True)
        (in_tmp / "data" / "ms" / name / "file").write_text(name)
    return lambda *arguments: CliRunner().invoke(app, ["--log-level", "error", "scratch", *map(str, arguments)])


def told(result, code=0):
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_the_way_of_a_product(run, in_tmp):
    before = facts(in_tmp / "data")
    assert run("stage", "ms/one", "--dry-run").stdout == "ms/one: would be staged (1 files, 3 B; 1 files, 3 B copied)\n"
    assert not (in_tmp / "scratch").exists()
    assert run("stage", "ms/one", "ms/two").stdout.count("staged (1 files, 3 B; 1 files, 3 B copied)\n") == 2
    assert "ms/one: nothing to do" in run("stage", in_tmp / "data" / "ms" / "one").stdout
    status = told(run("status", "--json"))
    assert [(item["path"], item["state"]) for item in status["products"]] == [
        ("ms/one", "staged"),
        ("ms/two", "staged"),
    ]
    assert status["root"]["path"] == "/"
    (in_tmp / "scratch" / "ms" / "one" / "new").write_text("new")
    (in_tmp / "scratch" / "ms" / "one" / "file").unlink()
    (item,) = told(run("status", "ms/one", "--json"))["products"]
    assert (item["state"], item["changed"], item["behind"]) == ("changed", ["file", "new"], False)
    assert "2 changed, as file" in run("status").stdout
    (failed,) = told(run("clean", "ms/one", "--json"), 1)["products"]
    assert (failed["kind"], failed["differences"]) == ("CopiesDifferError", ["file: only archived", "new: only staged"])
    said = run("clean", "ms/one")
    assert said.exit_code == 1
    assert "so the staged one stays" in said.stderr
    assert "  new: only staged\n" in said.stderr
    assert "removed from the archive: file" in run("archive", "ms", "--delete").stdout
    assert [item["state"] for item in told(run("status", "--json"))["products"]] == ["archived", "archived"]
    assert run("clean", "ms").stdout == "ms/one: cleaned (1 files, 3 B)\nms/two: cleaned (1 files, 3 B)\n"
    assert names(in_tmp / "scratch") == [".scratch-records"]
    assert "nothing is staged" in run("status").stdout
    assert facts(in_tmp / "data" / "ms" / "two") == {
        name.removeprefix("ms/two").lstrip("/") or ".": fact for name, fact in before.items() if "two" in name
    }


def test_listing(run, in_tmp):
    run("stage", "ms/one")
    (in_tmp / "scratch" / "new").mkdir()
    assert run("list").stdout.splitlines() == ["data  scratch  ms/", "-     scratch  new/"]
    entries = told(run("list", "ms", "ms/two/file", "--json"))["entries"]
    assert entries == [
        {"path": "ms/one", "data": "directory", "scratch": "directory"},
        {"path": "ms/two", "data": "directory", "scratch": None},
        {"path": "ms/two/file", "data": "file", "scratch": None},
    ]
    assert run("list", "nothing").exit_code == 1


@pytest.mark.parametrize("verb", ["stage", "archive", "clean", "status", "list"])
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../data/ms", "leads out of the root"),
        ("ms/../../etc", "leads out of the root"),
        ("/etc", "is outside of the roots"),
        (".", "names a root itself"),
        ("out", "is a symbolic link"),
        ("out/file", "leads out of the root"),
        (".scratch-records/x", "is a record of ours"),
    ],
)
def test_paths_that_are_none(run, in_tmp, verb, path, said):
    (in_tmp / "elsewhere").mkdir()
    (in_tmp / "data" / "out").symlink_to(in_tmp / "elsewhere")
    result = run(verb, path)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_one_that_fails_does_not_keep_the_others(run, in_tmp):
    result = run("stage", "ms/none", "ms/two")
    assert result.exit_code == 1
    assert "there is nothing to stage" in result.stderr
    assert "ms/two: staged" in result.stdout


def test_roots(run, in_tmp, monkeypatch):
    """Options count more than the environment, and that more than settings."""
    (in_tmp / "contimg.toml").write_text('[paths]\nscratch = "fast"\n[scratch]\ndata_root = "elsewhere"\n')
    (in_tmp / "elsewhere").mkdir()
    status = told(run("status", "--json", "--scratch-root", "given"))
    assert (status["data"]["path"], status["scratch"]["path"]) == (str(in_tmp / "data"), str(in_tmp / "given"))
    monkeypatch.delenv("DATA_ROOT")
    monkeypatch.delenv("SCRATCH_ROOT")
    status = told(run("status", "--json"))
    assert (status["data"]["path"], status["scratch"]["path"]) == (str(in_tmp / "elsewhere"), str(in_tmp / "fast"))
    assert run("stage", "x", "--scratch-root", "elsewhere/fast").exit_code == 2  # not apart
    assert "the data root is not there" in run("stage", "x", "--data-root", "nowhere").stderr


def test_the_floor_of_the_root_file_system(run, in_tmp):
    if in_tmp.stat().st_dev != Path("/").stat().st_dev:
        pytest.skip("the temporary directory is not on the root file system")
    result = run("stage", "ms/one", "--reserve", "1000000000")
    assert result.exit_code == 1
    assert "have to stay free on the root file system" in result.stderr
    assert not (in_tmp / "scratch" / "ms").exists()


def test_bars_on_a_terminal(run, in_tmp, monkeypatch):
    """They go to stderr; what is asked for goes to stdout."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    result = run("stage", "ms/one")
    assert result.exit_code == 0
    assert "ms/one" in result.stderr
    assert result.stdout == "ms/one: staged (1 files, 3 B; 1 files, 3 B copied)\n"


def test_a_damaged_record(run, in_tmp):
    run("stage", "ms/one")
    (record,) = (in_tmp / "scratch" / ".scratch-records").glob("*.json")
    record.write_text("{")
    assert "is a damaged record" in run("status").stderr
    record.unlink()
    assert "ms/one: staged" in run("stage", "ms/one").stdout  # compared, and recorded anew


# -- the script --------------------------------------------------------------------------------------------------------


def script(*arguments, checkout, path):
    """Run the script of a checkout, without an environment of its own unless the test makes one."""
    return subprocess.run(
        [str(checkout / "scripts" / SCRIPT.name), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(Path(dsa110_contimg.__file__).parents[1])},
    )


@pytest.fixture
def checkout(in_tmp):
    (in_tmp / "checkout" / "scripts").mkdir(parents=True)
    shutil.copy2(SCRIPT, in_tmp / "checkout" / "scripts")
    return in_tmp / "checkout"


def command(directory):
    """Make a ``dsa110-contimg`` there that runs this package."""
    directory.mkdir(parents=True)
    file = directory / "dsa110-contimg"
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dsa110_contimg.cli "$@"\n')
    file.chmod(0o755)
    return directory


@pytest.mark.parametrize("where", ["environment", "PATH"])
def test_the_script_calls_the_command(run, in_tmp, checkout, where):
    directory = command(checkout / ".venv" / "bin" if where == "environment" else in_tmp / "bin")
    path = "/usr/bin:/bin" if where == "environment" else f"{directory}:/usr/bin:/bin"
    done = script("stage", "ms/one", "--dry-run", checkout=checkout, path=path)
    assert (done.returncode, done.stdout) == (0, "ms/one: would be staged (1 files, 3 B; 1 files, 3 B copied)\n")


def test_the_script_without_the_command(checkout):
    done = script("status", checkout=checkout, path="/usr/bin:/bin")
    assert done.returncode == 1
    assert "is neither in" in done.stderr
