"""CASA's flagmanager reads what we keep, we read what it keeps; its counts and its shadows are ours."""

import shutil

import casacore.tables as ct
import numpy as np
import pytest

from casa import needs_casa, run_casa
from dsa110_contimg.config.settings import FlagSettings
from dsa110_contimg.flagging.flags import find_flags, write_flags
from dsa110_contimg.flagging.reasons import Reason
from dsa110_contimg.flagging.tables import tabulate
from dsa110_contimg.flagging.versions import list_versions, restore_version
from dsa110_contimg.ms.columns import OpenMs
from flagged_groups import converted, write_sky

pytestmark = [pytest.mark.casa, needs_casa]

ANTENNAS = (113, 89, 1, 2, 3, 39, 46, 96)
"""Three neighbours on the east-west arm among them."""
DEAD = 46

PROGRAM = """
from casatasks import flagdata, flagmanager
ms = args["ms"]
def summary():
    return flagdata(vis=ms, mode="summary")["antenna"]
kept = flagmanager(vis=ms, mode="list")
ours = summary()
flagmanager(vis=ms, mode="restore", versionname=args["version"])
before = summary()
flagdata(vis=ms, mode="manual", antenna="89", flagbackup=False)
flagmanager(vis=ms, mode="save", versionname="from_casa", comment="without 89")
flagmanager(vis=ms, mode="restore", versionname=args["version"])
flagdata(vis=ms, mode="shadow", tolerance=args["tolerance"], flagbackup=False)
result = {"kept": kept, "ours": ours, "before": before}
"""


@pytest.fixture(scope="module")
def flagged(tmp_path_factory):
    directory = tmp_path_factory.mktemp("casa_flags")
    ms, _ = converted(
        directory, sky=write_sky(directory / "sky.json", []), antennas=ANTENNAS, dead=(DEAD,), integrations=4, rfi=True
    )
    with ct.table(f"{ms}::ANTENNA", readonly=False, ack=False) as table:
        # Dishes so large that neighbours shade each other; CASA also asks those that do not observe: out of the way.
        table.putcol("DISH_DIAMETER", np.full(table.nrows(), 60.0))
        idle = ~np.isin(np.arange(table.nrows()) + 1, ANTENNAS)
        table.putcol("POSITION", table.getcol("POSITION") + 1e5 * idle[:, None] * np.arange(table.nrows())[:, None])
    found = find_flags(ms, FlagSettings(workers=1))
    version = write_flags(found, "before a test")
    shaded = find_flags(ms, FlagSettings(rfi=False, shadow=True))
    return found, shaded, version, run_casa(directory, PROGRAM, ms=str(ms), version=version, tolerance=0.0)


def flags_of(ms):
    with ct.table(str(ms), ack=False) as table:
        return table.getcol("FLAG")


def fractions(summary):
    return {name: counts["flagged"] / counts["total"] for name, counts in summary.items()}


def test_casa_lists_what_we_keep(flagged):
    _, _, version, ran = flagged
    assert ran.complaints == []
    assert {item["name"]: item["comment"] for key, item in ran.result["kept"].items() if key != "MS"} == {
        version: "before a test"
    }


def test_casa_counts_what_we_count(flagged):
    found, _, _, ran = flagged
    table = tabulate(found)
    counted = fractions(ran.result["ours"])
    assert set(counted) == set(table.antennas)
    for name, row in zip(table.antennas, table.by_antenna, strict=True):
        assert counted[name] == pytest.approx(1 - row[Reason.GOOD], abs=0.02)
    assert counted[str(DEAD)] == 1


def test_casa_restores_what_we_kept(flagged):
    assert set(fractions(flagged[3].result["before"]).values()) == {0.0}


def test_we_restore_what_casa_kept(flagged, tmp_path):
    found = flagged[0]
    ms = tmp_path / found.ms.name
    shutil.copytree(found.ms, ms)
    shutil.copytree(f"{found.ms}.flagversions", f"{ms}.flagversions")
    assert [item.name for item in list_versions(ms)] == [flagged[2], "from_casa"]
    with OpenMs(ms, writable=True) as opened:
        restore_version(opened, "from_casa")
        first, second = opened.info.antenna1, opened.info.antenna2
    its = (first == 88) | (second == 88)
    flags = flags_of(ms).reshape(4, -1, 768, 2)
    # CASA leaves autocorrelations alone, unless they are asked for.
    assert flags[:, its & (first != second)].all()
    assert not flags[:, ~its].any()


def test_shadows_are_casas(flagged):
    found, shaded, _, _ = flagged
    theirs = flags_of(found.ms).reshape(shaded.reasons.shape)
    ours = shaded.reasons == Reason.SHADOW
    cross = found.info.is_cross
    untouched = shaded.reasons != Reason.BEFORE
    untouched &= shaded.reasons != Reason.ANTENNA
    assert 0 < ours.mean() < 0.9
    np.testing.assert_array_equal(ours[:, cross][untouched[:, cross]], theirs[:, cross][untouched[:, cross]])
