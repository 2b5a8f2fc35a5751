"""Python, this package, and the packages that it stands on."""

from __future__ import annotations

import os
import platform
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import dsa110_contimg
from dsa110_contimg.doctor.findings import Finding, fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = Path(dsa110_contimg.__file__).parent
_SOURCE = _PACKAGE.parents[1]
_NAME = "dsa110-contimg"
_LEAST = (3, 11)
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def look_at_python() -> Iterator[Finding]:
    """Look at the interpreter, and at where this package is from."""
    version = platform.python_version()
    if sys.version_info < _LEAST:
        yield fail("python", f"{version} at {sys.executable}", "Install Python 3.11 or later; make .venv anew.")
    else:
        yield ok("python", f"{version} at {sys.executable}")
    yield from look_at_package()
    yield from look_at_pythonpath(os.environ.get("PYTHONPATH", ""))


def look_at_package() -> Iterator[Finding]:
    """Look at where this package is imported from."""
    said = f"{dsa110_contimg.__version__} in {_PACKAGE}"
    try:
        installed = metadata.distribution(_NAME)
    except metadata.PackageNotFoundError:
        yield warn(_NAME, f"{said}, not installed in this Python", f"pip install -e {_SOURCE}, or make env there.")
        return
    if installed.version != dsa110_contimg.__version__:
        remedy = f"Install it again, or leave {_PACKAGE.parent} out of PYTHONPATH."
        yield warn(_NAME, f"{said}, but {installed.version} is what is installed", remedy)
    else:
        yield ok(_NAME, said)


def look_at_pythonpath(value: str) -> Iterator[Finding]:
    """Look for packages of ours that ``PYTHONPATH`` takes from elsewhere."""
    places = [Path(place) for place in value.split(os.pathsep) if place]
    if not places:
        yield ok("PYTHONPATH", "not set")
        return
    hidden = []
    for place in places:
        if not place.is_dir():
            yield warn("PYTHONPATH", f"{place} is not a directory", "Take it out of PYTHONPATH.")
            continue
        mine = {"dsa110_contimg"} | {module for name in requirements() for module in _modules(name)}
        found = {path.name.removesuffix(".py") for path in place.iterdir()} & mine
        hidden += [f"{module} from {place}" for module in sorted(found)]
    if hidden:
        remedy = "Unset PYTHONPATH, unless this is meant: what it names comes before what is installed."
        yield warn("PYTHONPATH", f"takes {', '.join(hidden)}", remedy)
    else:
        yield ok("PYTHONPATH", f"{value}: nothing of ours in it")


def look_at_packages() -> Iterator[Finding]:
    """Hold the packages that are installed against those that were tested."""
    tested = tested_versions()
    if not tested:
        yield warn("packages", "the list of tested versions is missing", f"Install {_NAME} again.")
    names = requirements()
    same = 0
    for name in names:
        wanted = tested.get(_normal(name))
        pin = f"pip install '{name}{'==' + wanted if wanted else ''}'"
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield fail(name, "not installed", f"{pin}; or install {_NAME} again with the constraints file.")
            continue
        if wanted is not None and version != wanted:
            yield warn(name, f"{version}, tested with {wanted}", f"{pin}, if something is odd.")
        else:
            same += 1
    if same:
        yield ok("packages", f"{same} of {len(names)} as tested")


def requirements() -> list[str]:
    """Names of the packages that the installation needs, without those of its extras."""
    try:
        lines = metadata.requires(_NAME) or []
    except metadata.PackageNotFoundError:
        project = _SOURCE / "pyproject.toml"
        lines = tomllib.loads(project.read_text())["project"]["dependencies"] if project.exists() else []
    names = [_REQUIREMENT.match(line) for line in lines if "extra ==" not in line]
    return [name[0] for name in names if name]


def tested_versions() -> dict[str, str]:
    """Versions that were tested, by normal name; from the package, or the source tree that it is in."""
    for place in (_PACKAGE / "constraints.txt", _SOURCE / "constraints.txt"):
        if place.exists():
            pins = (line.split("==") for line in place.read_text().split() if "==" in line)
            return {_normal(name): version for name, version in pins}
    return {}


def _normal(name: str) -> str:
    """Write a distribution's name as PEP 503 does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _modules(name: str) -> set[str]:
    """Names that a distribution is imported by."""
    try:
        files = metadata.distribution(name).files or []
    except metadata.PackageNotFoundError:
        return {name.replace("-", "_")}
    return {path.parts[0].removesuffix(".py") for path in files if path.suffix == ".py" and path.parts[0] != ".."}
