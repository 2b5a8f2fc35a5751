"""``qa``: what the verbs print, and how they end."""

import json

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from plotted_ms import add_column, make_plotted_ms

SOME = ("--plot", "waterfall", "--plot", "flags")


@pytest.fixture
def run(in_tmp):
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def ms(tmp_path_factory):
    path = make_plotted_ms(tmp_path_factory.mktemp("plotted") / "20251005T122848.ms", n_times=1).path
    add_column(path, "MODEL_DATA", 3)
    return path


def test_fast_plots_are_listed(run, ms, in_tmp):
    done = run("qa", "fast-plots", "--ms", ms, "--column", "DATA", "--threads", 1, *SOME)
    assert done.exit_code == 0
    made = done.stdout.splitlines()
    assert len(made) == 2
    assert {(in_tmp / name).parent for name in made} == {in_tmp / "contimg-data" / "qa" / ms.stem}
    assert all((in_tmp / name).is_file() for name in made)


def test_fast_plots_as_json_with_the_residual(run, ms, in_tmp):
    done = run("qa", "fast-plots", "--ms", ms, "--output-dir", in_tmp / "out", "--include-residual", "--json", *SOME)
    assert done.exit_code == 0
    made = json.loads(done.stdout)
    assert len(made) == 3
    assert any("residual" in name for name in made)


def test_what_is_wrong_is_said_in_a_line(run, ms, in_tmp):
    done = run("qa", "fast-plots", "--ms", "none.ms")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == ["error: is not a Measurement Set: none.ms"]
    assert run("qa", "fast-plots").exit_code == 2
    assert run("qa", "fast-plots", "--ms", ms, "--column", "WEIGHT").exit_code == 2
