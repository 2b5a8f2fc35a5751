"""``apply``: what it is told to apply, and what it finds by itself."""

import json
import shutil

import casacore.tables as ct
import numpy as np
import pytest
from typer.testing import CliRunner

from dsa110_contimg.calibration.casa_tables import write_caltable
from dsa110_contimg.cli.app import app
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.ms.layout import create_ms, fill_weights
from dsa110_contimg.naming import PROVENANCE_NAME
from dsa110_contimg.pipeline.calibration_records import register_made
from ledger_groups import gid_of
from made_solutions import make
from registered_sets import make_set, manifest_of, state_of
from small_ms import describe

TIMES = state_of(5).start_mjd + np.arange(3) * 12.88 / 86400
DESCRIPTION = describe(n_times=3, n_antennas=4, times_mjd=TIMES)


@pytest.fixture
def run(in_tmp):
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def ms(in_tmp):
    """A group without noise: DATA are 1."""
    path = in_tmp / "group.ms"
    create_ms(path, DESCRIPTION)
    fill_weights(path, np.ones((DESCRIPTION.n_rows, 2), np.float32), np.ones(DESCRIPTION.n_rows, bool))
    with ct.table(str(path), readonly=False, ack=False) as table:
        table.putcol("DATA", np.ones_like(table.getcol("DATA")))
    return path


@pytest.fixture
def night(in_tmp, ms):
    """Two registered sets around the group: gains of 2 before, and of 4 after."""
    output = in_tmp / "contimg-data" / "ms"
    names = []
    with open_ledger(in_tmp / "contimg-data" / "state" / "ledger.sqlite") as ledger:
        for i, gain in ((0, 2.0), (10, 4.0)):
            made = make_set(output, i)
            for kind in "KBG":
                shutil.rmtree(made / f"{kind}.tab")
                times_mjd = np.array([state_of(i).start_mjd])
                solutions = make(kind, DESCRIPTION, times_mjd=times_mjd, interval_s=np.ones(1))
                solutions.values[:] = {"K": 0, "B": 1, "G": gain}[kind]
                write_caltable(made / f"{kind}.tab", solutions, ms)
            register_made(ledger, manifest_of(i, made), output)
            names.append(made.name)
    return names


def gain_of(ms):
    """The gain that DATA were divided by, if it is one."""
    with ct.table(str(ms), ack=False) as table:
        power = 1 / table.getcol("CORRECTED_DATA")
    np.testing.assert_allclose(power, power[0, 0, 0], rtol=0.02)
    return np.sqrt(power[0, 0, 0].real)


def test_a_directory_of_tables(run, ms, night, in_tmp):
    ran = run("apply", ms, "--table", in_tmp / "contimg-data" / "ms" / night[1], "--json")
    assert ran.exit_code == 0, ran.output
    report = json.loads(ran.stdout)
    assert report["flagged_after"] == 0
    assert report["n_bytes"] == DESCRIPTION.n_rows * 8 * 2 * 8
    assert gain_of(ms) == pytest.approx(4)


def test_one_table(run, ms, night, in_tmp):
    ran = run("apply", ms, "--table", in_tmp / "contimg-data" / "ms" / night[0] / "G.tab")
    assert ran.exit_code == 0, ran.output
    assert "G (1 times)" in ran.stdout
    assert "flagged 0.00% before, 0.00% now" in ran.stdout
    assert gain_of(ms) == pytest.approx(2)


def test_a_registered_set(run, ms, night):
    assert run("apply", ms, "--set", night[0]).exit_code == 0
    assert gain_of(ms) == pytest.approx(2)
    assert run("apply", ms, "--set", night[0], "--set", night[1]).exit_code == 0
    assert gain_of(ms) == pytest.approx(3, abs=0.02)


def test_the_sets_that_serve_the_group(run, ms, night):
    (ms / PROVENANCE_NAME).write_text(json.dumps({"group": gid_of(5), "correlator": state_of(5)._asdict()}))
    ran = run("apply", ms, "--json")
    assert ran.exit_code == 0, ran.output
    report = json.loads(ran.stdout)
    assert report["source"] == ", ".join(night)
    assert report["why"]
    assert gain_of(ms) == pytest.approx(3, abs=0.02)
    (ms / PROVENANCE_NAME).write_text(json.dumps({"correlator": state_of(5, dec_deg=16.27)._asdict()}))
    ran = run("apply", ms)
    assert ran.exit_code == 1
    assert "no calibration set may be used" in ran.stderr


def test_nothing_is_known_of_the_group(run, ms, night):
    ran = run("apply", ms)
    assert ran.exit_code == 2
    assert "does not say how the telescope stood" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--table", "x", "--set", "y"], 2, "both say what to apply"),
        (["--set", "x", "--missing", "guess"], 2, "flag or pass"),
        (["--set", "x.cal"], 1, "x.cal"),
        (["--table", "x"], 1, "not a calibration table"),
    ],
)
def test_what_cannot_be_applied(run, ms, night, arguments, status, said):
    ran = run("apply", ms, *arguments)
    assert ran.exit_code == status
    assert said in ran.stderr


def test_missing_solutions_may_pass(run, ms, in_tmp):
    write_caltable(in_tmp / "g.tab", make("G", DESCRIPTION, working=[0, 1, 2]), ms)
    assert run("apply", ms, "--table", "g.tab", "--missing", "pass").exit_code == 0
    with ct.table(str(ms), ack=False) as table:
        assert not table.getcol("FLAG").any()
    assert run("apply", ms, "--table", "g.tab").exit_code == 0
    with ct.table(str(ms), ack=False) as table:
        assert table.getcol("FLAG").all(axis=(1, 2)).sum() == 3 * 4
