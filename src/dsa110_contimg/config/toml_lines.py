"""A TOML file with the line on which each of its keys stands."""

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from dsa110_contimg.errors import SettingsError

KeyPath = tuple[str, ...]


class TomlDocument(NamedTuple):
    """What a TOML file says (`values`), and where: the line, from 1, of every table and key."""

    path: Path
    values: dict[str, Any]
    lines: dict[KeyPath, int]


def read_toml(path: Path) -> TomlDocument:
    """Read a TOML file.

    Raises
    ------
    SettingsError
        If it cannot be read, is not UTF-8, or is not TOML; the last names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError("no such settings file", path=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file cannot be read ({error})", path=path) from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}:{_error_line(error, text)}: not TOML: {error}") from error
    return TomlDocument(path, values, key_lines(text))


def key_lines(text: str) -> dict[KeyPath, int]:
    """Find the line of every table and key of a TOML text.

    tomllib tells no lines. But a text cut after a whole statement is TOML too, and has exactly the keys of the
    statements before the cut; so each line that makes the text parse brings the keys that begin after the line
    before which it last parsed.
    """
    found: dict[KeyPath, int] = {}
    lines = text.splitlines(keepends=True)
    first = 1
    for last in range(1, len(lines) + 1):
        try:
            values = tomllib.loads("".join(lines[:last]))
        except tomllib.TOMLDecodeError:
            continue  # inside a statement of several lines
        for key in _key_paths(values):
            found.setdefault(key, first)
        first = last + 1
    return found


def _error_line(error: tomllib.TOMLDecodeError, text: str) -> int:
    """Give the line that tomllib complains about: it says it in words, or speaks of the end."""
    match = re.search(r"at line ([0-9]+)", str(error))
    return int(match[1]) if match else max(1, len(text.splitlines()))


def _key_paths(values: dict[str, Any], parent: KeyPath = ()) -> list[KeyPath]:
    paths: list[KeyPath] = []
    for key, value in values.items():
        paths.append((*parent, key))
        if isinstance(value, dict):
            paths += _key_paths(value, (*parent, key))
    return paths
