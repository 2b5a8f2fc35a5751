"""``catalogue``: fetching from a server here, listing, and what is refused."""

import json

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from vizier_server import nvss, serve


@pytest.fixture
def run(in_tmp):
    return lambda *arguments: CliRunner().invoke(app, ["catalogue", *map(str, arguments)])


def test_fetch_and_list(run, in_tmp):
    with serve({"VIII/65/nvss": nvss()}) as (address, _):
        done = run("fetch", "nvss", "--dec", 54.5, "--width", 2, "--server", address)
        assert done.exit_code == 0, done.output
        assert done.stdout.splitlines()[-1] == "in contimg-data/catalogues/nvss"
        again = run("fetch", "NVSS", "--dec", 55, "--width", 3.5, "--server", address, "--json")
    strips = json.loads(again.stdout)["strips"]
    assert [(strip["dec_deg"], strip["was_there"]) for strip in strips] == [
        (53, True),
        (54, True),
        (55, True),
        (56, False),
    ]
    listed = run("list")
    first, *others = listed.stdout.splitlines()
    n_sources = sum(strip["n_sources"] for strip in strips)
    assert first.split() == ["nvss", str(n_sources), "sources,", "declinations", "+53", "to", "+57"]
    assert [line.split()[0] for line in others] == ["first", "racs-low", "racs-mid"]
    report = json.loads(run("list", "--json", "--directory", in_tmp / "contimg-data/catalogues").stdout)
    assert [each["name"] for each in report["fetched"]] == ["nvss"]


def test_nothing_was_fetched(run):
    listed = run("list")
    assert listed.exit_code == 0
    assert "nvss      not fetched" in listed.stdout


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (["fetch", "sumss", "--dec", "54"], "no survey is called", 2),
        (["fetch", "racs", "--dec", "71.6", "--width", "3"], "nothing at declination", 2),
        (["fetch", "nvss", "--dec", "54.5", "--width", "1", "--server", "http://127.0.0.1:9"], "needs a network", 1),
    ],
)
def test_what_cannot_be_fetched(run, arguments, said, status):
    result = run(*arguments)
    assert result.exit_code == status
    assert said in result.stderr
