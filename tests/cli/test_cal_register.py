"""``cal register``: a calibrator solved by hand, judged and registered; a bad one is not."""

import json

import pytest
from typer.testing import CliRunner

from calibrated_groups import observe
from dsa110_contimg.cli.app import app
from dsa110_contimg.conversion import convert_subband_groups_to_ms
from dsa110_contimg.conversion.calibrators import convert_calibrator_groups, find_calibrator_groups
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.ledger import open_ledger


@pytest.fixture(scope="module")
def calibrator_ms(tmp_path_factory):
    """3C286 as `convert --calibrator` leaves it."""
    base = tmp_path_factory.mktemp("night")
    night = observe(base, "3C286", 30.4, n_groups=1)
    found = find_calibrator_groups(find_groups(night.files).groups, "3C286")
    (made,) = convert_calibrator_groups(found, base / "cal", ConversionOptions())
    (plain,) = convert_subband_groups_to_ms(night.files, base / "plain")
    return made.ms, plain.ms, night


@pytest.fixture
def run(in_tmp):
    open_ledger(in_tmp / "contimg-data" / "state" / "ledger.sqlite").close()
    (in_tmp / "contimg-data" / "ms").mkdir()
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_a_good_set_is_registered_and_serves(run, calibrator_ms):
    ms, _, night = calibrator_ms
    result = run("cal", "register", ms, "--catalogue", night.catalogue, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["grade"]["verdict"] == "good"
    assert report["scale"]["kind"] == "standard"
    (item,) = json.loads(run("cal", "list", "--json").stdout)["sets"]
    assert item["path"].endswith(report["set"].rsplit("/", 1)[1])
    assert item["calibrator"] == "3C286"
    assert "by hand: 3C286" in run("cal", "show", item["name"]).stdout


def test_one_that_is_bad_is_not(run, calibrator_ms, tmp_path):
    ms, _, night = calibrator_ms
    wrong = [
        {"ra": night.sources[0]["ra"] + 0.01 * k, "dec": night.sources[0]["dec"] + 0.3 - 0.05 * k, "flux": 60.0 + 9 * k}
        for k in range(6)
    ]
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    result = run("cal", "register", ms, "--catalogue", tmp_path / "wrong.json")
    assert result.exit_code == 1
    assert "not registered: bad" in result.stdout
    assert json.loads(run("cal", "list", "--json").stdout)["sets"] == []


def test_a_measurement_set_of_no_calibrator_is_refused(run, calibrator_ms):
    _, plain, _ = calibrator_ms
    result = run("cal", "register", plain)
    assert result.exit_code == 2
    assert "what its calibrator is" in result.stderr
