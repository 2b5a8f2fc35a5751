"""``dsa110-contimg provenance`` as an astronomer types it."""

import json

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from traced_products import EPOCH, make_chain


@pytest.fixture
def chain(in_tmp):
    return make_chain(in_tmp / "contimg-data")


def run(*arguments):
    return CliRunner().invoke(app, ["provenance", *map(str, arguments)])


def test_the_tree_has_a_line_for_each_product(chain):
    done = run(chain.epoch)
    assert done.exit_code == 0, done.output
    for said in (
        f"epoch {EPOCH}-epoch",
        "ms 20251005T123000.ms",
        f"16 subband files in {chain.incoming}",
        "10.0% flagged: array 10.0%",
        f"calibration {chain.set.name}  (above)",
        "not used, truncated",
        "made by dsa110-contimg 9.9",
    ):
        assert said in done.stdout
    assert "sb03 2025" not in done.stdout
    assert "sb03 2025-10-05T12:30:00_sb03.hdf5" in run(EPOCH, "--files").stdout


def test_json_has_the_tree_and_what_is_missing(chain):
    min(chain.incoming.glob("*sb14*")).unlink()
    report = json.loads(run(chain.ms[0], "--json").stdout)
    assert report["origin"]["kind"] == "ms"
    assert report["origin"]["of"][0]["facts"]["bytes"] == 100
    assert report["missing"] == ["subband sb14 2025-10-05T12:30:00_sb14.hdf5: is not there any more"]


def test_a_missing_link_is_named_and_no_failure(chain, tmp_path):
    (chain.ms[0] / "contimg.json").unlink()
    done = run(chain.images[0], "--in", tmp_path)
    assert done.exit_code == 0
    assert "missing: ms 20251005T123000.ms: its record contimg.json is not there" in done.stderr


def test_what_does_not_exist_is_wrong_usage(chain, tmp_path):
    done = run("nothing")
    assert done.exit_code == 2
    assert "there is no nothing" in done.stderr
    assert "Traceback" not in done.output
    assert run(tmp_path).exit_code == 2
