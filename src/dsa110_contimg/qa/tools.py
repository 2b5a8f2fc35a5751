"""The external programs that draw: which versions, and where they are found.

They want other versions of many libraries than we do, so each has an environment of its own, made by
`dsa110_contimg.qa.tool_installation` in the state directory; or they are on PATH.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.errors import UsageError
from dsa110_contimg.naming import TOOL_MARK, tool_environment_name

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from dsa110_contimg.config.settings import Settings

_DIGITS = 12


@dataclass(frozen=True)
class Tool:
    """An external program, and what it runs with.

    Attributes
    ----------
    name : str
        What it is called here and in the registry of packages.
    title : str
        What it calls itself.
    programs : tuple of str
        What it installs to be run; the first one says its version.
    pythons : tuple of (int, int)
        Versions of Python for which the pinned packages have been tried, best first.
    requirements : Traversable
        The file of all packages that it runs with, ``name==version`` a line.
    """

    name: str
    title: str
    programs: tuple[str, ...]
    pythons: tuple[tuple[int, int], ...]
    requirements: Traversable

    @property
    def pins(self) -> str:
        """What is in that file."""
        return self.requirements.read_text()

    @property
    def version(self) -> str:
        """The version that is installed."""
        return pinned_version(self.pins, self.name)

    @property
    def digest(self) -> str:
        """What the name of its environment ends in: other pins have another."""
        return hashlib.sha256(self.pins.encode()).hexdigest()[:_DIGITS]

    @property
    def remedy(self) -> str:
        """What to do where it is missing."""
        return f"dsa110-contimg tools install {self.name}"


_DATA = files("dsa110_contimg.qa") / "data"

TOOLS = {
    tool.name: tool
    for tool in (
        Tool("shadems", "shadeMS", ("shadems",), ((3, 11), (3, 12)), _DATA / "shadems.txt"),
        # Its averaging wants functions that codex-africanus lost after 0.2.6, which wants a numba for Python < 3.12.
        Tool("ragavi", "ragavi", ("ragavi-vis", "ragavi-gains"), ((3, 11),), _DATA / "ragavi.txt"),
    )
}


def find_tool(name: str) -> Tool:
    """Give the tool of that name.

    Raises
    ------
    UsageError
        There is none.
    """
    try:
        return TOOLS[name]
    except KeyError:
        raise UsageError(f"{name!r} is not a tool", remedy=f"It is one of {', '.join(TOOLS)}.") from None


def pinned_version(pins: str, package: str) -> str:
    """Tell which version of a package some pins name."""
    (version,) = (line.split("==")[1] for line in pins.splitlines() if line.partition("==")[0] == package)
    return version


def tools_directory(settings: Settings) -> Path:
    """Where the environments are, absolute: ``quicklooks.tools``, or ``tools`` in the state directory."""
    return (settings.quicklooks.tools or settings.paths.state / "tools").absolute()


def environment_of(tool: Tool, directory: Path) -> Path:
    """Where the environment of a tool is, or would be."""
    return directory / tool_environment_name(tool.name, tool.digest)


def is_installed(tool: Tool, directory: Path) -> bool:
    """Whether the environment of a tool is whole: it was finished, with these pins, and its Python is still there."""
    environment = environment_of(tool, directory)
    return (environment / TOOL_MARK).is_file() and os.access(environment / "bin" / "python", os.X_OK)


def python_of(tool: Tool, directory: Path) -> str | None:
    """Say with which Python its environment was made; None where there is none."""
    if not is_installed(tool, directory):
        return None
    version: str = json.loads((environment_of(tool, directory) / TOOL_MARK).read_text())["python"]
    return version


def find_program(tool: Tool, directory: Path, program: str | None = None) -> Path | None:
    """Find a program of a tool, the first by default: in its environment, which is known to work, else on PATH."""
    program = program or tool.programs[0]
    if is_installed(tool, directory):
        return environment_of(tool, directory) / "bin" / program
    found = shutil.which(program)
    return None if found is None else Path(found)
