"""CASA solves the antennas' gains on a calibrator, and applies them."""

import shutil

import casacore.tables as ct
import numpy as np
import pytest

from casa import needs_casa, run_casa
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.conversion.helpers import PhaseCentre
from interop_group import ALPHA, NEAR, observe

pytestmark = [pytest.mark.casa, needs_casa]

FLUX_JY = 8.0

PROGRAM = """
from casatasks import applycal, bandpass, setjy
ms = args["ms"]
setjy(vis=ms, standard="manual", fluxdensity=[args["flux"], 0, 0, 0], spix=args["alpha"], reffreq="1.4GHz",
      usescratch=True)
bandpass(vis=ms, caltable="bandpass.b", refant="51", solint="inf", minsnr=0, uvrange=">0m")
applycal(vis=ms, gaintable=["bandpass.b"], calwt=False, flagbackup=False)
"""


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bandpass")
    source = {"ra": NEAR[0], "dec": NEAR[1], "flux": FLUX_JY, "alpha": ALPHA}
    options = ConversionOptions(phase_centre=PhaseCentre("given", *NEAR))
    observed = observe(directory, [source], options, gains=7)
    ms = directory / "work.ms"
    shutil.copytree(observed.ms, ms)
    return observed, ms, run_casa(directory, PROGRAM, ms=str(ms), flux=FLUX_JY, alpha=ALPHA)


def crosses(ms, *names):
    with ct.table(str(ms), ack=False) as table, table.query("ANTENNA1 != ANTENNA2") as rows:
        return [rows.getcol(name) for name in names]


def test_casa_does_not_complain(solved):
    assert solved[2].complaints == []


def test_gains_are_there_to_be_solved(solved):
    data, flags = crosses(solved[0].ms, "DATA", "FLAG")
    assert abs(data[~flags].mean()) < 0.5 * FLUX_JY


def test_corrected_data_are_the_source(solved):
    corrected, model, flags = crosses(solved[1], "CORRECTED_DATA", "MODEL_DATA", "FLAG")
    ratio = (corrected / model)[~flags]
    assert np.abs(ratio).mean() == pytest.approx(1, abs=0.01)
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert np.degrees(np.angle(ratio)).std() < 3


def test_only_missing_channels_are_without_solution(solved):
    (before,) = crosses(solved[0].ms, "FLAG")
    (after,) = crosses(solved[1], "FLAG")
    np.testing.assert_array_equal(before, after)
