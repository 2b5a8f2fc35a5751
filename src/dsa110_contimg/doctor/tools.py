"""The optional tools: where they are, and which version."""

from __future__ import annotations

import re
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.doctor import trials
from dsa110_contimg.doctor.findings import Finding, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION_S = 60.0
_VERSION = re.compile(r"\d+\.\d+(?:\.\w+)*")


class Tool(NamedTuple):
    """A program that serves if it is there.

    Attributes
    ----------
    command : str
        Its name.
    use : str
        What is missing without it.
    remedy : str
        How to get it.
    """

    command: str
    use: str
    remedy: str


TOOLS = (
    Tool("wsclean", "image --engine wsclean", "apt-get install wsclean"),
    Tool("aoflagger", "the peer of bench_flag.py", "apt-get install aoflagger"),
    Tool("shadems", "quicklooks", "dsa110-contimg tools install shadems"),
    Tool("ragavi-vis", "quicklooks --ragavi", "dsa110-contimg tools install ragavi"),
)
_LIBRARIES = {
    "casatasks": ("CASA's tasks, as a second opinion", "pip install 'dsa110-contimg[casa]'"),
    "astroquery": ("catalogue fetch", "pip install 'dsa110-contimg[fetch]'"),
}


def look_at_tools(isolated: Path | None) -> Iterator[Finding]:
    """Look for the optional tools.

    Parameters
    ----------
    isolated : Path or None
        Where tools have environments of their own: a directory each, with ``bin``.
    """
    places = [] if isolated is None else sorted(isolated.glob("*/bin"))
    for tool in TOOLS:
        found = shutil.which(tool.command) or next(
            (path for place in places if (path := shutil.which(tool.command, path=str(place)))), None
        )
        if found is None:
            yield warn(tool.command, f"not found; without it: no {tool.use}", tool.remedy)
            continue
        # shadeMS leaves its log where it is asked; and none of them needs our PYTHONPATH.
        with tempfile.TemporaryDirectory(prefix="version-", ignore_cleanup_errors=True) as room:
            trial = trials.run([found, "--version"], _VERSION_S, {"PYTHONPATH": ""}, Path(room))
        version = _VERSION.search(trial.text)
        if trial.works or version:
            yield ok(tool.command, f"{version[0] if version else 'a version unknown'} at {found}")
        else:
            yield warn(tool.command, f"{found} does not run: {trial.said}", tool.remedy)
    for name, (use, remedy) in _LIBRARIES.items():
        try:
            yield ok(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield warn(name, f"not installed; without it: no {use}", remedy)
