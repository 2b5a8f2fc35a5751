"""What importing costs: a help text needs no science, and no room needs another to be imported first."""

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import dsa110_contimg
from dsa110_contimg.cli.app import VERBS

HEAVY = {
    "numpy",
    "scipy",
    "astropy",
    "erfa",
    "h5py",
    "numba",
    "casacore",
    "pyuvdata",
    "matplotlib",
    "ducc0",
    "casatools",
}
SOURCE = Path(dsa110_contimg.__file__).parents[1]
ROOMS = sorted(
    module.name for module in pkgutil.iter_modules(dsa110_contimg.__path__) if module.name not in {"core", "__main__"}
)


def run_python(code, *arguments):
    """Run code in a fresh interpreter; give what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def heavy_after(code, *arguments):
    """Give the heavy libraries that are loaded after the code has run."""
    return HEAVY & set(run_python(f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))", *arguments))


@pytest.mark.parametrize(
    "name", ["dsa110_contimg", "dsa110_contimg.conversion", "dsa110_contimg.naming", "dsa110_contimg.config"]
)
def test_importing_is_light(name):
    assert heavy_after(f"import {name}") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_a_help_text_is_light(arguments):
    code = """
sys.argv[0] = "dsa110-contimg"
from dsa110_contimg.cli.app import main
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
"""
    assert heavy_after(code, *arguments) == set()


def test_listing_the_conversion_names_is_light_and_using_them_works():
    assert heavy_after("import dsa110_contimg.conversion as room; dir(room)") == set()
    names = run_python(
        "import json, dsa110_contimg.conversion as room\n"
        "print(json.dumps([name for name in room.__all__ if getattr(room, name) is not None]))"
    )
    assert set(names) >= {"convert_group", "convert_subband_groups_to_ms", "find_groups", "write_ms_from_subbands"}


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_of_a_room_can_be_the_first_to_be_imported(room):
    """One interpreter a room; each of its modules is imported after all of ours are forgotten."""
    code = """
import importlib, json, pkgutil, sys
room = importlib.import_module("dsa110_contimg." + sys.argv[1])
names = [room.__name__]
if hasattr(room, "__path__"):
    names += [module.name for module in pkgutil.walk_packages(room.__path__, room.__name__ + ".")]
for name in names:
    if not name.endswith("__main__"):
        for ours in [loaded for loaded in sys.modules if loaded.partition(".")[0] == "dsa110_contimg"]:
            del sys.modules[ours]
        importlib.import_module(name)
print(json.dumps(names))
"""
    assert f"dsa110_contimg.{room}" in run_python(code, room)


def test_the_package_runs_uninstalled():
    done = subprocess.run(
        [sys.executable, "-m", "dsa110_contimg.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )
    assert done.stdout.startswith("dsa110-contimg ")


def test_an_unknown_name_of_the_conversion_room_is_an_attribute_error():
    from dsa110_contimg import conversion

    with pytest.raises(AttributeError, match="nothing"):
        conversion.nothing  # noqa: B018
