"""The notebook about staging: it runs from a clean state, and what is stored in it is what it then says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import dsa110_contimg

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebooks" / "ms_staging_workflow.ipynb"
SOURCE = Path(dsa110_contimg.__path__[0]).parent


@pytest.fixture(scope="module")
def stored():
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    place = tmp_path_factory.mktemp("notebook")
    # Sockets have short names, and the kernel's are in the temporary directory.
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "scripts" / "docs_notebook.py"),
            str(NOTEBOOK),
            "--output",
            str(place / "ran.ipynb"),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return nbformat.read(place / "ran.ipynb", as_version=4)


def said(notebook):
    """Give what each code cell says, in words."""
    return [
        "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def kinds(notebook):
    """Give the kinds of output of each code cell."""
    return [
        {kind for output in cell.outputs for kind in output.get("data", {output.output_type: ""})}
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_it_is_stored_with_its_outputs(stored):
    nbformat.validate(stored)
    assert all(cell.execution_count for cell in stored.cells if cell.cell_type == "code")
    assert sum("image/png" in kind for kind in kinds(stored)) == 2
    assert NOTEBOOK.stat().st_size < 250_000


def test_what_is_stored_has_no_path_of_a_machine(stored):
    assert re.findall(r"(?<![\w.])/(?:tmp|work|home|root|var|opt|usr)\b[^\s]*", "\n".join(said(stored))) == []


def test_it_runs_from_a_clean_state_and_gives_the_same_kinds_of_output(stored, ran):
    assert [cell.source for cell in ran.cells] == [cell.source for cell in stored.cells]
    assert kinds(ran) == kinds(stored)
    assert [bool(text) for text in said(ran)] == [bool(text) for text in said(stored)]


@pytest.mark.parametrize("which", ["stored", "ran"])
def test_everything_is_staged_archived_and_cleaned(which, request):
    text = "\n".join(said(request.getfixturevalue(which)))
    for step in ("would be staged", "staged (18 files", "archived (72 files", "cleaned (72 files", "nothing is staged"):
        assert step in text
    assert "its archived copy is not the same" in text
