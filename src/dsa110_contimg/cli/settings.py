"""``dsa110-contimg settings``: the effective settings, and where each value came from."""

import json
from math import isfinite
from typing import TYPE_CHECKING, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.config.plain import plain

if TYPE_CHECKING:
    from dsa110_contimg.config.sources import Loaded

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def settings() -> None:
    """Show the effective settings, and where each came from."""


@app.command()
def show(ctx: typer.Context, as_json: Json = False) -> None:
    """Print every setting with its source: default, file and line, or environment variable.

    The output is itself a settings file.
    """
    from dsa110_contimg.config.sources import load_with_sources

    loaded = load_with_sources(begin(ctx).settings_file)
    if as_json:
        emit_json({"file": loaded.file, "settings": as_tree(loaded)})
    else:
        typer.echo(as_toml(loaded), nl=False)


def as_tree(loaded: "Loaded") -> dict[str, dict[str, dict[str, Any]]]:
    """Give the settings as {section: {key: {"value": ..., "source": ...}}}."""
    tree: dict[str, dict[str, dict[str, Any]]] = {}
    values = loaded.settings.model_dump()
    for (section, key), source in loaded.sources.items():
        tree.setdefault(section, {})[key] = {"value": values[section][key], "source": source}
    return tree


def as_toml(loaded: "Loaded") -> str:
    """Give the settings as a TOML file, each value with its source as a comment."""
    lines = [f"# {loaded.file or 'no settings file: defaults and the environment'}"]
    for section, entries in as_tree(loaded).items():
        lines += ["", f"[{section}]"]
        statements = {key: _statement(key, entry["value"]) for key, entry in entries.items()}
        width = max(len(text) for text in statements.values())
        lines += [f"{text:<{width}}  # {entries[key]['source']}" for key, text in statements.items()]
    return "\n".join(lines) + "\n"


def _statement(key: str, value: object) -> str:
    """Write ``key = value``; TOML has no null, so what is not set is a comment."""
    if isinstance(value, float) and not isfinite(value):
        return f"{key} = {value}"  # TOML knows inf and nan, JSON does not
    return f"# {key} is not set" if value is None else f"{key} = {_literal(plain(value))}"


def _literal(value: Any) -> str:
    """Write a value; JSON's strings, numbers, booleans and lists of them are TOML's, its objects and null are not."""
    if isinstance(value, dict):
        given = {json.dumps(key): _literal(item) for key, item in value.items() if item is not None}
        return "{" + ", ".join(f"{key} = {text}" for key, text in given.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
