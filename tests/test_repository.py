"""The files around the package: what they promise, and that they agree with each other."""

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import dsa110_contimg

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text().splitlines()
PINNED = {line.partition("==")[0].lower().replace("_", "-") for line in CONSTRAINTS}
TARGETS = ["demo", "test", "lint", "docs", "bench", "env", "clean"]


@pytest.mark.parametrize("line", CONSTRAINTS)
def test_a_constraint_is_a_name_and_a_version(line):
    """No index, no address, no path, no range."""
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!]+", line)


@pytest.mark.parametrize(
    "requirement",
    PROJECT["dependencies"] + [name for extra in PROJECT["optional-dependencies"].values() for name in extra],
)
def test_every_dependency_is_constrained(requirement):
    assert re.match(r"[a-z0-9-]+", requirement)[0] in PINNED


def test_the_constraints_are_sorted_and_unique():
    names = [line.partition("==")[0].lower() for line in CONSTRAINTS]
    assert len(names) == len(set(names))
    assert names == sorted(names)


def test_pyuvdata_is_new_enough_to_write_right():
    """Before 3.2.8 its Measurement Sets are wrong, and an unpinned resolver takes an old one silently."""
    assert "pyuvdata>=3.2.8" in PROJECT["dependencies"]


@pytest.mark.parametrize(
    "name", ["Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "environment.yml", "pyproject.toml", ".ci/run"]
)
def test_no_file_sends_people_to_an_index(name):
    text = (ROOT / name).read_text()
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|pypi\.|files\.pythonhosted", text)


@pytest.mark.parametrize("target", TARGETS)
def test_make_has_the_target_and_says_what_it_does(target):
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert re.search(rf"^  make {target} +\w", listed, re.MULTILINE)
    assert target in re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()


def test_ci_lints_and_tests():
    script = (ROOT / ".ci" / "run").read_text()
    assert re.search(r"^make lint$", script, re.MULTILINE)
    assert re.search(r"^make test$", script, re.MULTILINE)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_conda_environment_takes_the_tested_versions():
    text = (ROOT / "environment.yml").read_text()
    assert "name: casa6" in text
    assert "-c constraints.txt" in text


def test_the_readme_speaks_of_verbs_that_exist():
    from dsa110_contimg.cli.app import VERBS

    text = (ROOT / "README.md").read_text()
    assert set(re.findall(r"^dsa110-contimg ([a-z]+)", text, re.MULTILINE)) <= set(VERBS)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\(([^):#]+)\)", (ROOT / name).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_version_is_written_once():
    assert PROJECT["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", dsa110_contimg.__version__)
    assert version("dsa110-contimg") == dsa110_contimg.__version__
