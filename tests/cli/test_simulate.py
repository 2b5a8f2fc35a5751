"""``dsa110-contimg simulate``."""

import json

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.simulation import read_truth

SMALL = ("--antennas", "24,103,11", "--integrations", "2", "--subbands", "3", "--sky", "random:3")


@pytest.fixture
def run(in_tmp):
    return lambda *arguments: CliRunner().invoke(app, ["simulate", *arguments])


def test_every_option(run, in_tmp):
    result = run(
        "out", *SMALL, "--start", "2025-12-01T00:00:00", "--dec", "-10", "--groups", "2", "--noise", "1.5",
        "--gains", "3", "--rfi", "--jitter", "0", "--faults", "short:3@1", "--oversample", "2", "--dead", "24",
        "--one-pol-dead", "103", "--deaf", "11", "--swapped", "103,11", "--site", "37,-118,1000",
        "--beam", "tapered", "--beam-offset", "-0.1,0.2", "--seed", "5", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert [group["id"] for group in report["groups"]] == ["2025-12-01T00:00:00", "2025-12-01T00:00:26"]
    truth = read_truth(in_tmp / report["groups"][1]["truth"])
    assert truth.antennas == (24, 103, 11)
    assert truth.pt_dec_deg == -10
    assert truth.site == (37.0, -118.0, 1000.0)
    record = truth.record
    assert (record["noise_jy"], record["oversample"], record["seed"]) == (1.5, 2, 5)
    assert (record["dead"], record["one_pol_dead"], record["deaf"], record["swapped"]) == ([24], [103], [11], [103, 11])
    assert (record["beam_model"], record["beam_offset_deg"]) == ("tapered", [-0.1, 0.2])
    assert record["faults"] == ["short:3@1"]
    with h5py.File(report["groups"][1]["files"][0]) as file:
        assert file["Header/Ntimes"][()] == 1
        assert file["Header/phase_center_app_dec"][()] == np.radians(-10)


def test_what_it_says(run, in_tmp):
    result = run("out", *SMALL)
    assert result.exit_code == 0, result.output
    assert "2025-10-05T12:30:00: 1 files, truth in out/truth.json" in result.stdout
    assert (in_tmp / "out" / "sky.csv").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--start", "yesterday"),
        ("--antennas", "0"),
        ("--antennas", "1,1"),
        ("--subbands", "16"),
        ("--sky", "nowhere.csv"),
        ("--noise", "loud"),
        ("--faults", "tired:3"),
        ("--beam", "square"),
        ("--site", "37,-118"),
        ("--dead", "x"),
        ("--dec", "100"),
    ],
)
def test_wrong_usage(run, in_tmp, option, value):
    result = run("out", *SMALL, option, value)
    assert result.exit_code == 2, result.output
    assert not (in_tmp / "out").exists()


def test_a_second_run_into_the_same_place_fails(run):
    assert run("out", *SMALL, "--jitter", "0").exit_code == 0
    result = run("out", *SMALL, "--jitter", "0")
    assert result.exit_code == 1
    assert "overwrite" in result.stderr
