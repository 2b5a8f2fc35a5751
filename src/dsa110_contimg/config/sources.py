"""Load the settings, and know where each value came from.

The first of these files that is named or exists is read, and the environment overrides it:

1. ``--settings FILE``
2. ``$DSA110_CONTIMG_SETTINGS``
3. ``./contimg.toml``
4. ``/etc/dsa110-contimg/contimg.toml``

A wrong key or value is a `SettingsError` that names the file and the line, or the variable.
"""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError

from dsa110_contimg.config.settings import ENV_DELIMITER, ENV_PREFIX, Settings
from dsa110_contimg.config.toml_lines import KeyPath, TomlDocument, read_toml
from dsa110_contimg.errors import SettingsError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

FILE_VARIABLE = "DSA110_CONTIMG_SETTINGS"
LOCAL_FILE = Path("contimg.toml")
SYSTEM_FILE = Path("/etc/dsa110-contimg/contimg.toml")


class Loaded(NamedTuple):
    """The effective settings, the file they were read from, and the source of each value by its key path.

    A source is ``default``, ``FILE:LINE`` or ``$VARIABLE``.
    """

    settings: Settings
    file: Path | None
    sources: dict[KeyPath, str]


def load_settings(path: Path | None = None) -> Settings:
    """Load the settings from `path`, or from the first place that has them."""
    return load_with_sources(path).settings


def load_with_sources(path: Path | None = None) -> Loaded:
    """Load the settings as `load_settings` does, and say where each value came from."""
    file = path if path is not None else find_settings_file()
    document = TomlDocument(Path(), {}, {}) if file is None else read_toml(file)
    variables = _variables(os.environ)
    _check_keys(document)
    _check_variables(variables)
    try:
        settings = Settings(**document.values)
    except ValidationError as error:
        problems = [_describe(problem, document, variables) for problem in error.errors()]
        raise SettingsError("; ".join(problems)) from error
    sources = {key: _source(key, document, variables) for key in setting_keys()}
    return Loaded(settings, file, sources)


def find_settings_file() -> Path | None:
    """Give the settings file that applies where no ``--settings`` is given, or None.

    The one that the environment names is not looked for: if it is not there, reading it says so.
    """
    if named := os.environ.get(FILE_VARIABLE):
        return Path(named)
    return next((file for file in (LOCAL_FILE, SYSTEM_FILE) if file.exists()), None)


def setting_keys() -> list[KeyPath]:
    """Every setting as (section, key), in the order of the models."""
    return [(section, key) for section, model in _sections().items() for key in model.model_fields]


def _sections() -> dict[str, type[BaseModel]]:
    sections = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            sections[name] = field.annotation
    return sections


# -- keys --------------------------------------------------------------------------------------------------------------


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Our variables by their upper-case name, with the name as spelt (pydantic does not mind the case)."""
    return {name.upper(): name for name in environment if name.upper().startswith(ENV_PREFIX)}


def _variable_of(key: KeyPath) -> str:
    return ENV_PREFIX + ENV_DELIMITER.join(key).upper()


def _unknown(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, list[str]]]:
    """Yield the keys that no setting has, each with the names it might have meant."""
    sections = _sections()
    for section, content in values.items():
        if section not in sections:
            yield (section,), list(sections)
        elif isinstance(content, Mapping):
            known = list(sections[section].model_fields)
            yield from (((section, key), known) for key in content if key not in known)


def _check_keys(document: TomlDocument) -> None:
    for key, known in _unknown(document.values):
        at = f"{document.path}:{document.lines[key]}"
        kind = "section" if len(key) == 1 else "setting"
        raise SettingsError(
            f"{at}: there is no {kind} {'.'.join(key)!r}", remedy=_suggest(key[-1], known, f"The {kind}s are")
        )


def _check_variables(variables: Mapping[str, str]) -> None:
    known = [_variable_of(key) for key in setting_keys()]
    for name, spelt in variables.items():
        if name not in known and name != FILE_VARIABLE:
            raise SettingsError(
                f"no setting has the environment variable {spelt}",
                remedy=_suggest(name, known, "See 'dsa110-contimg settings show'. There are"),
            )


def _suggest(word: str, known: list[str], listing: str) -> str:
    if matches := get_close_matches(word, known, n=1):
        return f"Did you mean {matches[0]!r}?"
    return f"{listing} {', '.join(known[:20])}."


# -- places ------------------------------------------------------------------------------------------------------------


def _source(key: KeyPath, document: TomlDocument, variables: Mapping[str, str]) -> str:
    if spelt := variables.get(_variable_of(key)):
        return f"${spelt}"
    if line := document.lines.get(key):
        return f"{document.path}:{line}"
    return "default"


_MESSAGES = {
    "path_type": "it should be a path, in quotes",
    "model_type": "it should be a table, such as [paths]",
}


def _describe(problem: "ErrorDetails", document: TomlDocument, variables: Mapping[str, str]) -> str:
    """Say one problem that pydantic found: where, which key, which value, and what is wrong with it."""
    key = tuple(str(part) for part in problem["loc"][:2])
    what = _MESSAGES.get(problem["type"], problem["msg"])
    what = what.removeprefix("Value error, ").replace("Input should be", "it should be")
    return f"{_source(key, document, variables)}: {'.'.join(key)} = {problem['input']!r}: {what}"
