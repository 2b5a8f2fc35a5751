"""The whole examination: every check on its own, so that one that breaks does not silence the others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.doctor.findings import Finding, fail, ok
from dsa110_contimg.doctor.installation import look_at_packages, look_at_python
from dsa110_contimg.doctor.libraries import look_at_earth_orientation, look_at_libraries
from dsa110_contimg.doctor.machine import look_at_clock, look_at_machine
from dsa110_contimg.doctor.places import Place, look_at_places
from dsa110_contimg.doctor.tools import look_at_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsa110_contimg.config.settings import Settings


def examine(settings_file: Path | None) -> Iterator[Finding]:
    """Look at everything, and give each finding as it comes.

    Parameters
    ----------
    settings_file : Path or None
        The settings; None for those that are found.
    """
    yield from _guarded("python", look_at_python)
    yield from _guarded("packages", look_at_packages)
    yield from _guarded("libraries", look_at_libraries)
    yield from _guarded("Earth orientation", look_at_earth_orientation)
    yield from _guarded("machine", look_at_machine)
    yield from _guarded("clock", look_at_clock)
    settings, finding = _settings(settings_file)
    yield finding
    if settings is not None:
        reserve_gb = settings.stream.reserve_gb
        yield from _guarded("paths", lambda: look_at_places(_places(settings), reserve_gb))
    isolated = None if settings is None else settings.quicklooks.tools or settings.paths.state / "tools"
    yield from _guarded("tools", lambda: look_at_tools(isolated))


def _settings(path: Path | None) -> tuple[Settings | None, Finding]:
    """Read the settings, which needs libraries that may be missing."""
    try:
        from dsa110_contimg.config.sources import load_settings

        return load_settings(path), ok("settings", str(path or "as found, or defaults: see settings show"))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with them is what is to be said
        remedy = "Mend them (dsa110-contimg settings show), and the packages above; the paths were not looked at."
        return None, fail("settings", _line(error), remedy)


def _places(settings: Settings) -> list[Place]:
    paths = settings.paths
    named = [
        Place("input", paths.input, written=False),
        Place("ms", paths.ms, written=True),
        Place("qa", paths.qa, written=True),
        Place("state", paths.state, written=True),
    ]
    if paths.scratch is not None:
        named.append(Place("scratch", paths.scratch, written=True))
    if paths.cache is not None:
        named.append(Place("cache", paths.cache, written=True))
    return named


def _guarded(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Give what a check finds; if it breaks, that."""
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 - the rest is still to be looked at
        yield fail(subject, f"could not be looked at: {_line(error)}", "Mend what is named above first.")


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
