"""Our calibration tables beside CASA's: they look alike, and applied by either they give the same data."""

import shutil

import casacore.tables as ct
import numpy as np
import pytest

from casa import needs_casa, run_casa
from dsa110_contimg.calibration.apply import ApplyOptions
from dsa110_contimg.calibration.apply_in_place import apply_in_place
from dsa110_contimg.calibration.casa_tables import read_caltable, write_caltable
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.conversion.helpers import PhaseCentre
from dsa110_contimg.ms.layout import create_ms, fill_weights
from interop_group import ALPHA, NEAR, observe
from made_solutions import make
from small_ms import describe

pytestmark = [pytest.mark.casa, needs_casa]

DESCRIPTION = describe(n_times=6, n_antennas=6, n_channels=24, tile_channels=8)
# Between the same two solutions CASA goes the shorter way however far it is; gaps of the band it bridges however wide
# they are, or with "linearflag" none.
AS_CASA = ApplyOptions(max_phase_step_deg=180.0, max_gap_hz=0.0)
BRIDGING = ApplyOptions(max_phase_step_deg=180.0, max_gap_hz=1e9)
FLUX_JY = 8.0
REFERENCE = "103"

SOLVE = """
from casatasks import bandpass, gaincal, plotbandpass, setjy
ms = args["ms"]
setjy(vis=ms, standard="manual", fluxdensity=[args["flux"], 0, 0, 0], spix=args["alpha"], reffreq="1.4GHz",
      usescratch=True)
common = dict(vis=ms, refant=args["reference"], minsnr=0)
gaincal(caltable="casa.k", gaintype="K", solint="inf", **common)
bandpass(caltable="casa.b", solint="inf", gaintable=["casa.k"], **common)
gaincal(caltable="casa.g", gaintype="G", calmode="ap", solint="60s", gaintable=["casa.k", "casa.b"], **common)
"""

APPLY = """
from casatasks import applycal
for name, tables in args["cases"].items():
    interp = ["linear" if "bridged" in name else "linear,linearflag"] * len(tables)
    applycal(vis=name, gaintable=tables, interp=interp, calwt=True, flagbackup=False)
"""

PLOT = """
import os
from casatasks import plotbandpass
plotbandpass(caltable=args["table"], xaxis="freq", yaxis="both", antenna="0,115", vis=args["ms"], figfile="plot.png",
             interactive=False)
result = sorted(name for name in os.listdir(".") if name.endswith(".png"))
"""


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """Return a directory with a calibrator's Measurement Set and CASA's solutions of it."""
    directory = tmp_path_factory.mktemp("solved")
    source = {"ra": NEAR[0], "dec": NEAR[1], "flux": FLUX_JY, "alpha": ALPHA}
    options = ConversionOptions(phase_centre=PhaseCentre("given", *NEAR))
    ms = directory / "work.ms"
    observe(directory, [source], options, gains=7).ms.rename(ms)
    ran = run_casa(directory, SOLVE, ms=str(ms), flux=FLUX_JY, alpha=ALPHA, reference=REFERENCE)
    assert ran.complaints == []
    return directory


def described(path):
    """What a table says of itself: columns with their types and keywords, its own keywords, its info."""
    with ct.table(str(path), ack=False) as table:
        columns = {name: table.getcoldesc(name) for name in table.colnames()}
        order = table.colnames()
        keywords = {
            name: "a table" if str(value).startswith("Table:") else value for name, value in table.getkeywords().items()
        }
        return order, columns, keywords, table.info()


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return np.array_equal(one, other)


@pytest.mark.parametrize("kind", ["k", "b", "g"])
def test_tables_are_described_as_casas_are(solved, tmp_path, kind):
    theirs, ours = solved / f"casa.{kind}", tmp_path / f"ours.{kind}"
    write_caltable(ours, read_caltable(theirs), solved / "work.ms")
    for table in ("", "ANTENNA", "FIELD", "OBSERVATION", "SPECTRAL_WINDOW", "HISTORY"):
        for part, expected in zip(described(ours / table), described(theirs / table), strict=True):
            assert same(part, expected), f"{table}: {part} is not {expected}"
    assert {item.name for item in ours.iterdir()} == {item.name for item in theirs.iterdir()}


@pytest.mark.parametrize("kind", ["k", "b", "g"])
def test_what_casa_solved_is_kept(solved, tmp_path, kind):
    theirs, ours = solved / f"casa.{kind}", tmp_path / f"ours.{kind}"
    write_caltable(ours, read_caltable(theirs), solved / "work.ms")
    with ct.table(str(theirs), ack=False) as expected, ct.table(str(ours), ack=False) as found:
        good = ~expected.getcol("FLAG")
        np.testing.assert_array_equal(found.getcol("FLAG"), ~good)
        for column in ("FPARAM" if kind == "k" else "CPARAM", "SNR", "PARAMERR"):
            np.testing.assert_allclose(found.getcol(column)[good], expected.getcol(column)[good], rtol=1e-6)
        for column in ("TIME", "FIELD_ID", "SPECTRAL_WINDOW_ID", "ANTENNA1", "SCAN_NUMBER", "OBSERVATION_ID"):
            np.testing.assert_array_equal(found.getcol(column), expected.getcol(column), err_msg=column)
    for table in ("ANTENNA", "FIELD", "OBSERVATION"):
        with ct.table(f"{theirs}::{table}", ack=False) as expected, ct.table(f"{ours}::{table}", ack=False) as found:
            for row, other in zip(expected, found, strict=True):
                assert same(row, other)


def test_casas_solutions_applied_by_us(solved, tmp_path):
    ours, theirs = (shutil.copytree(solved / "work.ms", tmp_path / name) for name in ("ours.ms", "theirs.ms"))
    tables = [str(solved / f"casa.{kind}") for kind in "kbg"]
    assert run_casa(tmp_path, APPLY, cases={str(theirs): tables}).complaints == []
    apply_in_place(ours, [read_caltable(solved / f"casa.{kind}") for kind in "kbg"], AS_CASA)
    compare(ours, theirs)


def fill(path):
    create_ms(path, DESCRIPTION)
    rng = np.random.default_rng(2)
    n_rows = DESCRIPTION.n_rows
    shape = (n_rows, DESCRIPTION.n_channels, 2)
    fill_weights(path, rng.uniform(1, 4, (n_rows, 2)).astype(np.float32), np.ones(n_rows, bool))
    with ct.table(str(path), readonly=False, ack=False) as table:
        table.putcol("DATA", (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64))
        table.putcol("FLAG", rng.random(shape) < 0.1)
    return path


def cases():
    """Solutions of every kind alone, and all together, with gaps, at one time and at several."""
    delay, band, gain = make("K", DESCRIPTION), make("B", DESCRIPTION), make("G", DESCRIPTION, (1, 4))
    gappy, dead = make("B", DESCRIPTION, (0, 5), seed=3), make("G", DESCRIPTION, seed=4)
    gappy.flags[:, 2, 10:13] = True
    for item in (dead, gappy):
        item.flags[:, 4] = True
    return {
        "delay": [delay],
        "band": [band],
        "gain": [gain],
        "three times": [make("G", DESCRIPTION, (0, 2, 5), seed=5)],
        "gaps": [gappy],
        "bridged": [gappy],
        "dead": [dead],
        "all": [delay, gappy, gain],
    }


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Apply all cases twice: CASA our tables, and we."""
    directory = tmp_path_factory.mktemp("applied")
    wanted = {}
    for name, solutions in cases().items():
        theirs = directory / f"{name} theirs.ms".replace(" ", "_")
        shutil.copytree(fill(directory / f"{name}.ms".replace(" ", "_")), theirs)
        tables = [directory / f"{name}.{item.kind}".replace(" ", "_") for item in solutions]
        for item, table in zip(solutions, tables, strict=True):
            write_caltable(table, item, theirs)
        wanted[str(theirs)] = [str(table) for table in tables]
        ours = directory / f"{name}.ms".replace(" ", "_")
        apply_in_place(ours, [read_caltable(table) for table in tables], BRIDGING if name == "bridged" else AS_CASA)
    assert run_casa(directory, APPLY, cases=wanted).complaints == []
    return directory


def compare(ours, theirs, weights=True):
    columns = ("CORRECTED_DATA", "FLAG", "WEIGHT", "SIGMA", "DATA")
    with ct.table(str(ours), ack=False) as one, ct.table(str(theirs), ack=False) as other:
        found, expected = ({name: table.getcol(name) for name in columns} for table in (one, other))
    np.testing.assert_array_equal(found["FLAG"], expected["FLAG"])
    good = ~expected["FLAG"]
    scale = np.abs(expected["CORRECTED_DATA"][good])
    difference = np.abs(found["CORRECTED_DATA"] - expected["CORRECTED_DATA"])[good]
    assert (difference / scale).max() < 1e-5
    if weights:
        rows = ~expected["FLAG"].all(axis=1)
        np.testing.assert_allclose(found["WEIGHT"][rows], expected["WEIGHT"][rows], rtol=1e-5)
    np.testing.assert_array_equal(found["SIGMA"], expected["SIGMA"])


@pytest.mark.parametrize("name", cases())
def test_applied_by_casa_or_by_us_is_the_same(both, name):
    name = name.replace(" ", "_")
    # CASA's weights are means over the channels that were solved, ours over those that have a gain.
    compare(both / f"{name}.ms", both / f"{name}_theirs.ms", weights=name != "bridged")


def test_plotbandpass_reads_ours(solved, tmp_path):
    # It names antennas by number, and wants the Measurement Set if that is not beside the table.
    table = tmp_path / "ours.b"
    write_caltable(table, read_caltable(solved / "casa.b"), solved / "work.ms")
    ran = run_casa(tmp_path, PLOT, table=str(table), ms=str(solved / "work.ms"))
    assert ran.result
