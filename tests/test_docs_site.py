"""What is made for the site while it is built: pages of rooms, commands, settings and notebooks."""

import importlib.util
import re
from pathlib import Path

import pytest

import dsa110_contimg
from dsa110_contimg.cli.app import VERBS
from dsa110_contimg.config.settings import Settings

ROOT = Path(__file__).parents[1]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site():
    return load("docs_site")


def test_every_public_module_is_in_the_reference(site):
    source = Path(dsa110_contimg.__path__[0])
    written = set()
    for room in site.list_rooms():
        written |= set(re.findall(r"^::: ([\w.]+)", site.room_page(room), re.MULTILINE))
    there = set()
    for path in source.rglob("*.py"):
        parts = path.relative_to(source.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if "core" not in parts and not parts[-1].startswith("__main__"):
            there.add(name)
    assert {name for name in there if "migrations" not in name} - written == {"dsa110_contimg"}


def test_every_verb_says_what_it_does(site):
    page = site.commands_page()
    for verb in VERBS:
        assert f"## {verb}\n" in page
        assert re.search(rf"Usage: dsa110-contimg {verb}\b", page)
    assert "### groups retry\n" in page


def test_every_setting_is_explained(site):
    page = site.settings_page()
    for section, field in Settings.model_fields.items():
        assert f"## {section}\n" in page
        for key in field.annotation.model_fields:
            assert re.search(rf"^\| `{key}` \| .+ \| .+ \|$", page, re.MULTILINE), key


def test_defaults_are_written_as_a_settings_file_has_them(site):
    page = site.settings_page()
    assert "| `raw.newest` | `0` |" in page
    assert '| `reference` | `["103"]` |' in page
    assert "| `leave_out_mhz` | `[[1419.6, 1421.2]]` |" in page
    assert "| `rfi` | `true` |" in page
    assert "One of `direct-subband`, `pyuvdata`." in page


@pytest.mark.parametrize(
    ("html", "n"),
    [
        ('<script src="https://somewhere.org/a.js"></script>', 1),
        ("<link href=//somewhere.org/a.css rel=stylesheet>", 1),
        ('<img alt="" src="http://somewhere.org/a.png">', 1),
        ('<a href="https://somewhere.org">there</a>', 0),
        ('<script src="../assets/a.js"></script><img src="images/a.png">', 0),
    ],
)
def test_what_is_loaded_from_a_network_is_found(site, html, n):
    assert len(site.loaded_from_afar(html)) == n


def test_the_notebook_is_a_page_with_its_pictures(site):
    page, pictures = site.notebook_page(ROOT / "docs" / "notebooks" / "ms_staging_workflow.ipynb")
    assert "```python\ncontimg(" in page
    assert "nothing is staged" in page
    assert len(pictures) == 2
    for name, picture in pictures.items():
        assert f"({name})" in page
        assert picture.startswith(b"\x89PNG")


def test_docstrings_for_terminals_become_markdown():
    as_markdown = load("docs_docstrings").as_markdown
    assert as_markdown("The tree::\n\n    root") == "The tree:\n\n    root"
    table = "=====  ====\na      b\nc      d\n=====  ===="
    assert as_markdown(f"One.\n\n{table}\n") == f"One.\n\n```text\n{table}\n```\n"
    assert as_markdown("A [::2] slice, and ``a::b``.") == "A [::2] slice, and ``a::b``."


def test_every_page_is_in_the_navigation_and_every_link_leads_somewhere():
    """As the build of the site finds, too; here without building it."""
    nav = (ROOT / "mkdocs.yml").read_text()
    made = {"reference/commands.md", "reference/settings.md", "notebooks/ms_staging_workflow.md"}
    for page in sorted((ROOT / "docs").glob("*.md")):
        assert f": {page.name}\n" in nav, page.name
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert link in made or (page.parent / link).exists(), f"{page.name}: {link}"
