"""``dsa110-contimg calibrate``, as it is typed."""

import json
from datetime import timedelta

import casacore.tables as ct
import numpy as np
import pytest
from typer.testing import CliRunner

from calibrator_group import START, CalibratorGroup, errors_of
from dsa110_contimg.calibration.casa_tables import read_caltable
from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.cli.app import app
from dsa110_contimg.conversion.calibrators import convert_calibrator_groups, find_calibrator_groups
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.simulation import SimulationOptions, simulate
from dsa110_contimg.simulation.truth import read_truth

ANTENNAS = (1, 12, 26, 37, 48, 75, 86, 103, 108)
SOURCE = find_calibrator("3C147")
# It transits nine minutes after the others' groups.
TRANSIT = START + timedelta(minutes=9, seconds=19)


@pytest.fixture(scope="module")
def transit(tmp_path_factory):
    """A transit of 3C147, converted as a calibrator's; its other source is in a table."""
    directory = tmp_path_factory.mktemp("transit")
    low, high = SOURCE.spectrum.flux_jy([1.31e9, 1.5e9])
    alpha = np.log(high / low) / np.log(1.5 / 1.31)
    flux = float(SOURCE.spectrum.flux_jy(1.4e9))
    rows = [(SOURCE.ra_deg, SOURCE.dec_deg, flux, alpha), (SOURCE.ra_deg + 0.5, SOURCE.dec_deg + 0.2, 1.0, -0.7)]
    sky = directory / "sky.csv"
    sky.write_text("\n".join(["ra,dec,flux,alpha", *(",".join(map(repr, map(float, row))) for row in rows)]) + "\n")
    options = SimulationOptions(
        sky=str(sky), start=TRANSIT, dec_deg=49.9, antennas=ANTENNAS, integrations=6, gains=3, noise=0.3
    )
    simulated = simulate(directory / "files", options)
    found = find_calibrator_groups(find_groups(directory / "files").groups, "3C147")
    (done,) = convert_calibrator_groups(found, directory / "ms", ConversionOptions())
    return CalibratorGroup(done.ms, read_truth(simulated.groups[0].truth), directory / "files"), sky


def run(*arguments):
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments)])


def test_the_measurement_set_says_its_calibrator_and_gets_true_gains(transit):
    group, sky = transit
    done = run(group.ms, "--catalogue", sky, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [path.rsplit("/", 1)[1] for path in report["tables"]] == ["K.tab", "B.tab", "G.tab"]
    directory = group.ms.with_suffix(".cal")
    assert sorted(path.name for path in directory.iterdir()) == ["B.tab", "G.tab", "K.tab"]
    tables = [read_caltable(directory / f"{kind}.tab") for kind in "KBG"]
    errors = errors_of(group, *tables)
    assert np.nanmean(np.abs(errors)) == pytest.approx(1, abs=0.003)
    assert np.nanstd(np.abs(errors)) < 0.01
    with ct.table(f"{directory}/B.tab", ack=False) as table:
        assert table.getkeyword("VisCal") == "B Jones"
    bandpass = tables[1]
    assert bandpass.field_name == "3C147"
    assert {int(bandpass.antenna_names[row]) for row in bandpass.working} == set(ANTENNAS)
    assert bandpass.facts["flux_scale"]["kind"] == "standard"
    assert any("Perley & Butler 2017" in line for line in bandpass.history)


def test_what_is_there_already_is_not_replaced_unless_asked(transit):
    group, _ = transit
    output = group.ms.parent / "two.cal"
    assert run(group.ms, "--output", output).exit_code == 0
    before = (output / "B.tab/table.dat").stat().st_ino
    refused = run(group.ms, "--output", output)
    assert refused.exit_code == 1
    assert "--overwrite" in refused.output
    assert (output / "B.tab/table.dat").stat().st_ino == before
    done = run(group.ms, "--output", output, "--overwrite", "--reference", "108", "--least-squares")
    assert done.exit_code == 0
    assert "reference 108" in done.output
    assert (output / "B.tab/table.dat").stat().st_ino != before
    assert not list(group.ms.parent.glob(".partial*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--flux", "3"), "--flux without --calibrator"),
        (("--calibrator", "3C999"), "no calibrator is called"),
        (("--weights", "guess"), "weights"),
        (("--beam", "square"), "not a beam model"),
    ],
)
def test_wrong_arguments_are_usage_errors(transit, arguments, words):
    group, _ = transit
    done = run(group.ms, "--output", group.ms.parent / "never.cal", *arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert not (group.ms.parent / "never.cal").exists()


def test_a_calibrator_outside_the_beam_is_refused(transit):
    group, _ = transit
    done = run(group.ms, "--output", group.ms.parent / "never.cal", "--calibrator", "3C286")
    assert done.exit_code == 1
    assert "does not come through the beam" in done.output


def test_what_is_no_measurement_set(tmp_path):
    done = run(tmp_path / "absent.ms")
    assert done.exit_code == 1
    assert "absent.ms" in done.output
