#!/usr/bin/env python3
"""Run a notebook from a clean state, and store it with what it then says.

    python scripts/docs_notebook.py docs/notebooks/ms_staging_workflow.ipynb [--output FILE]

Without --output it is stored in its place. Its kernel is the Python that runs this, reached through sockets in a
directory of its own: no port is opened.
"""

import argparse
import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    # What the terminal is like shows in tables.
    os.environ |= {"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb", "JUPYTER_PLATFORM_DIRS": "1"}
    notebook = nbformat.read(options.notebook, as_version=4)
    with tempfile.TemporaryDirectory(prefix="kernel-") as directory:
        os.environ["IPYTHONDIR"] = directory
        run_notebook(notebook, Path(directory))
    nbformat.write(notebook, options.output or options.notebook)


def run_notebook(notebook: nbformat.NotebookNode, directory: Path) -> None:
    """Run all cells in a new kernel with its sockets in a directory; an exception in one of them is one here."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell |= {"outputs": [], "execution_count": None, "metadata": {}}
    sockets = Config({"ConnectionFileMixin": {"transport": "ipc", "connection_file": str(directory / "kernel.json")}})
    NotebookClient(notebook, config=sockets, kernel_name="python3", timeout=600, record_timing=False).execute()
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }


if __name__ == "__main__":
    main()
