"""Making the environments of external programs, and removing them.

An environment has its own path in its scripts, so it cannot be made elsewhere and renamed. It is made where it will
be, under a name that belongs to its pins; it counts from the moment when its mark is written, which comes last. What
was not finished, or has other pins, is removed by the next installation. Where packages come from is pip's business:
its settings and variables say it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.errors import MissingToolError, NamingError, ToolError
from dsa110_contimg.naming import TOOL_MARK, parse_tool_environment_name
from dsa110_contimg.qa.tools import environment_of, is_installed, pinned_version
from dsa110_contimg.storage.files import output_errors, sync_directory
from dsa110_contimg.storage.free_space import FreeSpace
from dsa110_contimg.storage.publish import require_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsa110_contimg.qa.tools import Tool

log = logging.getLogger(__name__)

NEEDED_BYTES = 2 << 30
"""What pip downloads, unpacks and keeps for one tool, generously."""

_ASK_VERSION = "import sys, venv, ensurepip; print(*sys.version_info[:2], sys._base_executable)"
_BUILDS_WITH = "setuptools"
_ASK_S = 30.0
_NO_NETWORK = (
    "Temporary failure in name resolution",
    "NewConnectionError",
    "Name or service not known",
    "ConnectTimeoutError",
    "Max retries exceeded",
    "ProxyError",
    "Network is unreachable",
)


class Plan(NamedTuple):
    """What an installation does.

    Attributes
    ----------
    tool : Tool
        What is installed.
    environment : Path
        Where.
    python : str or None
        The Python that makes the environment; None where it is there already.
    packages : int
        How many packages.
    """

    tool: Tool
    environment: Path
    python: str | None
    packages: int


def plan_installation(tool: Tool, directory: Path) -> Plan:
    """Say what an installation would do.

    Raises
    ------
    MissingToolError
        No Python under which the tool runs is on PATH.
    ToolError
        The disk is too full.
    """
    environment, packages = environment_of(tool, directory), len(_pins(tool))
    if is_installed(tool, directory):
        return Plan(tool, environment, None, packages)
    python = _suitable_python(tool)
    (space,) = FreeSpace().ask([directory])
    if space.free_bytes is not None and space.free_bytes < NEEDED_BYTES:
        raise ToolError(
            f"{tool.title} needs {NEEDED_BYTES / 1e9:.1f} GB, and {space.free_bytes / 1e9:.1f} GB are free",
            path=directory,
            remedy="make room, or set quicklooks.tools to another disk",
        )
    return Plan(tool, environment, python, packages)


def install(tool: Tool, directory: Path, progress: Callable[[float], None] = lambda _: None) -> Plan:
    """Make the environment of a tool, if it is not there.

    Parameters
    ----------
    tool : Tool
        What to install.
    directory : Path
        Where the environments are.
    progress : callable
        Told what part is done, up to 1.

    Returns
    -------
    Plan
        What was done.

    Raises
    ------
    MissingToolError
        No Python under which it runs is on PATH.
    ToolError
        It cannot be fetched or built, or does not run then.
    OutputError
        The directory cannot be written.
    """
    directory = directory.absolute()
    plan = plan_installation(tool, directory)
    if plan.python is None:
        progress(1.0)
        return plan
    require_writable(directory)
    with _alone(directory, tool.name):
        if is_installed(tool, directory):
            return plan._replace(python=None)  # another process was faster
        with output_errors(plan.environment):
            _remove(plan.environment)
            log.info("making an environment for %s %s in %s", tool.title, tool.version, plan.environment)
            try:
                _fill(plan, progress)
            except BaseException:
                _remove(plan.environment)
                raise
            for old in _others(tool, directory):
                log.info("removing %s, which has other versions", old)
                _remove(old)
    progress(1.0)
    return plan


def uninstall(tool: Tool, directory: Path, *, dry_run: bool = False) -> list[Path]:
    """Remove the environments of a tool; give what was removed, or would be.

    Raises
    ------
    OutputError
        They cannot be removed.
    """
    if not directory.is_dir():
        return []
    own = environment_of(tool, directory)
    there = [*_others(tool, directory), *([own] if own.exists() else [])]
    if there and not dry_run:
        with output_errors(directory), _alone(directory, tool.name):
            for environment in there:
                _remove(environment)
    return there


def _pins(tool: Tool) -> list[str]:
    return tool.pins.split()


def _suitable_python(tool: Tool) -> str:
    """Find the Python for a tool: the one that runs this, or one on PATH."""
    wanted = [".".join(map(str, version)) for version in tool.pythons]
    for candidate in (sys.executable, *(shutil.which(f"python{version}") for version in wanted)):
        if candidate is None:
            continue
        try:
            said = _run([candidate, "-c", _ASK_VERSION], timeout_s=_ASK_S)
        except (OSError, subprocess.SubprocessError):
            continue  # a shim without its Python, or one without venv
        major, minor, base = said.split(maxsplit=2)
        if (int(major), int(minor)) in tool.pythons:
            return base.strip()
    names = " or ".join(wanted)
    raise MissingToolError(
        f"{tool.title} {tool.version} runs under Python {names}, and none with venv is on PATH",
        remedy=f"install python{wanted[0]} and its venv module, then run {tool.remedy} again",
    )


def _fill(plan: Plan, progress: Callable[[float], None]) -> None:
    """Make the environment, install the pinned packages, see whether the programs run, and mark it as whole."""
    tool, environment = plan.tool, plan.environment
    assert plan.python is not None
    try:
        _run([plan.python, "-m", "venv", str(environment)])
    except subprocess.CalledProcessError as error:
        raise ToolError(
            f"{plan.python} cannot make an environment ({_last_line(error.output)})",
            path=environment,
            remedy="install its venv module",
        ) from error
    python = environment / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--retries", "2"]
    # The pins are all there is, so nothing has to be resolved; what comes as source is built with what is pinned, too.
    # What is never imported need not be compiled.
    pip += ["--no-deps", "--no-compile", "--progress-bar", "off"]
    pins = _pins(tool)
    builder = [pin for pin in pins if pin.startswith(_BUILDS_WITH)]
    try:
        if builder:
            _pip([*pip, *builder], lambda _: None)
        with tempfile.NamedTemporaryFile("w", suffix=".txt", prefix=f"{tool.name}-") as requirements:
            requirements.write("\n".join(pins))
            requirements.flush()
            collected = 0

            def hear(line: str) -> None:
                nonlocal collected
                if line.startswith("Collecting"):
                    collected += 1
                    progress(0.8 * collected / len(pins))

            _pip([*pip, "--no-build-isolation", "--requirement", requirements.name], hear)
    except subprocess.CalledProcessError as error:
        raise explained(tool, error.output) from error
    for program in tool.programs:
        try:
            with tempfile.TemporaryDirectory(prefix="version-") as room:  # shadeMS leaves its log where it is asked
                _run([str(environment / "bin" / program), "--version"], directory=Path(room))
        except (OSError, subprocess.CalledProcessError) as error:
            said = _last_line(getattr(error, "output", "") or str(error))
            raise ToolError(f"{program} was installed, but does not run ({said})", path=environment) from error
    _mark(plan, _run([str(python), "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"]).strip())


def _mark(plan: Plan, python: str) -> None:
    """Say that the environment is whole; what is in it is on the disk by then."""
    facts = {
        "tool": plan.tool.name,
        "version": pinned_version(plan.tool.pins, plan.tool.name),
        "python": python,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.sync()
    partial = plan.environment / f".partial-{TOOL_MARK}"
    partial.write_text(json.dumps(facts, indent=1) + "\n")
    os.replace(partial, plan.environment / TOOL_MARK)
    sync_directory(plan.environment)


def _pip(command: list[str], hear: Callable[[str], None]) -> None:
    """Run pip, and hear what it says line by line."""
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=_environment()
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.debug("%s", line.rstrip())
                said.append(line)
                hear(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, "".join(said))


def explained(tool: Tool, said: str) -> ToolError:
    """Say in a line why pip failed."""
    if any(words in said for words in _NO_NETWORK):
        return ToolError(
            f"{tool.title} cannot be fetched: no network, or no registry of packages there",
            remedy=f"connect, or point pip to a mirror (PIP_INDEX_URL), then run {tool.remedy} again",
        )
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    return ToolError(
        f"{tool.title} cannot be installed ({_last_line(errors[0] if errors else said)})",
        remedy="run again with --log-level debug to see all that pip says",
    )


def _run(command: list[str], timeout_s: float | None = None, directory: Path | None = None) -> str:
    done = subprocess.run(  # noqa: S603
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=True,
        timeout=timeout_s,
        env=_environment(),
        cwd=directory,
    )
    return done.stdout


def _environment() -> dict[str, str]:
    """What a foreign Python is given: nothing that leads it to our packages."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}} | {
        "PYTHONNOUSERSITE": "1",
        "MPLBACKEND": "Agg",
    }


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "without a word"


def _others(tool: Tool, directory: Path) -> list[Path]:
    """List what there is of a tool with other pins."""
    found = []
    for entry in sorted(directory.iterdir()):
        try:
            name, digest = parse_tool_environment_name(entry.name)
        except NamingError:
            continue
        if name == tool.name and digest != tool.digest:
            found.append(entry)
    return found


def _remove(environment: Path) -> None:
    """Remove an environment; without its mark first, so that it never counts half."""
    if environment.is_dir():
        (environment / TOOL_MARK).unlink(missing_ok=True)
        shutil.rmtree(environment)


@contextmanager
def _alone(directory: Path, name: str) -> Iterator[None]:
    """Let one process at a time change the environments of a tool."""
    with (directory / f".lock-{name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
