"""A hook of MkDocs: the reference, made of the package itself while the site is built.

One page a room, of its docstrings; one of the command line, of the help texts; one of the settings, of the models. What
is added to the package is in the reference without a line here. Notebooks become pages, with the outputs that are
stored in them. A page that would load something from a network earns a warning: an error where the site is built.
"""

import base64
import logging
import re
from pathlib import Path
from pkgutil import iter_modules, walk_packages
from typing import Any, get_args

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.testing import CliRunner

import dsa110_contimg
from dsa110_contimg.cli.app import VERBS, app
from dsa110_contimg.cli.lazy import load_verb
from dsa110_contimg.config.settings import ENV_DELIMITER, ENV_PREFIX, Settings

log = logging.getLogger("mkdocs.hooks.docs_site")

RETIRED = {"core"}
WIDTH = 94
LOADED = re.compile(r"""<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>""")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of the reference into the navigation."""
    rooms = [{room: f"reference/{room}.md"} for room in list_rooms()]
    config.nav.append(
        {"Reference": [{"Commands": "reference/commands.md"}, {"Settings": "reference/settings.md"}, {"Rooms": rooms}]}
    )
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Make the pages of the reference."""
    pages = {"commands": commands_page(), "settings": settings_page()}
    pages |= {room: room_page(room) for room in list_rooms()}
    for name, text in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    for notebook in sorted(Path(config.docs_dir).glob("notebooks/*.ipynb")):
        text, pictures = notebook_page(notebook)
        files.append(File.generated(config, f"notebooks/{notebook.stem}.md", content=text))
        for name, picture in pictures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=picture))
    return files


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001 - MkDocs gives all of it
    """Warn of what a page would load from a network."""
    for tag in loaded_from_afar(output):
        log.warning("%s loads something from a network: %s", page.file.src_uri, tag)
    return output


def loaded_from_afar(html: str) -> list[str]:
    """List the tags that have a browser ask another server; a link that one may follow is none."""
    return [tag for tag in LOADED.findall(html) if 'rel="canonical"' not in tag]


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Write a notebook as a page, with its outputs; give its pictures, too, by their names."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            if output.output_type == "stream":
                parts.append(f"```text\n{output.text.rstrip()}\n```")
            elif "image/png" in output.get("data", {}):
                name = f"{path.stem}_{len(pictures)}.png"
                pictures[name] = base64.b64decode(output.data["image/png"])
                parts.append(f"![what the cell above drew]({name})")
    parts.append(f"*[This page as a notebook]({path.name}).*")
    return "\n\n".join(parts) + "\n", pictures


def list_rooms() -> list[str]:
    """Name the rooms of the house, and the modules that are a room of their own."""
    return sorted(module.name for module in iter_modules(dsa110_contimg.__path__) if module.name not in RETIRED)


def room_page(room: str) -> str:
    """Write the page of a room: what mkdocstrings makes of each of its public modules."""
    name = f"dsa110_contimg.{room}"
    modules = []
    directory = Path(dsa110_contimg.__path__[0]) / room
    if directory.is_dir():
        inside = walk_packages([str(directory)], f"{name}.")
        modules += [module.name for module in inside if not module.name.rpartition(".")[2].startswith("_")]
    whole = f"::: {name}\n    options:\n      show_root_heading: false\n"
    return f"# {room}\n\n{whole}\n" + "\n".join(f"::: {module}\n" for module in modules)


def commands_page() -> str:
    """Write what every verb says when it is asked for help."""
    parts = [
        "# Commands\n",
        "What `--help` says, verb by verb. Options before the verb are those of the first text.\n",
        help_text(),
    ]
    for name, verb in VERBS.items():
        parts += [f"## {name}\n", help_text(name)]
        for inner in getattr(load_verb(name, verb), "commands", {}):
            parts += [f"### {name} {inner}\n", help_text(name, inner)]
    return "\n".join(parts)


def help_text(*verbs: str) -> str:
    """Ask a verb for its help."""
    asked = CliRunner().invoke(
        app, [*verbs, "--help"], prog_name="dsa110-contimg", terminal_width=WIDTH, max_content_width=WIDTH
    )
    if asked.exit_code != 0:
        raise RuntimeError(f"{' '.join(verbs)} --help: {asked.output}")
    return f"```text\n{asked.output.strip()}\n```\n"


def settings_page() -> str:
    """Write a table a section: key, default, what it means."""
    parts = [
        "# Settings\n",
        "The first of `--settings FILE`, `$DSA110_CONTIMG_SETTINGS`, `./contimg.toml` and",
        "`/etc/dsa110-contimg/contimg.toml` is read; the environment wins over it:",
        f"`{ENV_PREFIX}CONVERT{ENV_DELIMITER}WORKERS=4`. `dsa110-contimg settings show` prints the effective values,",
        "each with where it came from, as a file to start from.\n",
    ]
    for section, field in Settings.model_fields.items():
        model: Any = field.annotation
        parts += [f"## {section}\n", f"{model.__doc__.strip()}\n", "| key | default | what it means |", "|---|---|---|"]
        parts += rows_of(model)
        parts.append("")
    return "\n".join(parts)


def rows_of(model: type[BaseModel], before: str = "") -> list[str]:
    """Write a line a key; those of a table within a section follow its name and a dot."""
    rows = []
    for key, value in model.model_fields.items():
        meaning = " ".join(str(value.description).split())
        if isinstance(value.annotation, type) and issubclass(value.annotation, BaseModel):
            rows.append(f"| `{before}{key}` | a table | {_cell(meaning)} |")
            rows += rows_of(value.annotation, f"{before}{key}.")
        else:
            rows.append(f"| `{before}{key}` | {default_of(value)} | {_cell(meaning + choices_of(value.annotation))} |")
    return rows


def default_of(field: Any) -> str:
    """Write a default as a settings file would."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Path | str):
        return f'`"{value}"`'
    if isinstance(value, tuple):
        return f"`{_listed(value)}`"
    return f"`{value}`"


def choices_of(annotation: Any) -> str:
    """Name the values that a setting can have, if they are few."""
    choices = [choice for choice in get_args(annotation) if isinstance(choice, str)]
    return " One of " + ", ".join(f"`{choice}`" for choice in choices) + "." if choices else ""


def _listed(values: tuple[Any, ...]) -> str:
    inside = [
        _listed(value) if isinstance(value, tuple) else f'"{value}"' if isinstance(value, str) else str(value)
        for value in values
    ]
    return "[" + ", ".join(inside) + "]"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
