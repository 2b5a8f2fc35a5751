"""After the kernels are compiled, solving and applying compile nothing more."""

import numpy as np

from calibrator_group import observe_calibrator
from dsa110_contimg.calibration import apply_kernels, blocks, spectra, stefcal, sums
from dsa110_contimg.calibration.apply import calibrated_blocks
from dsa110_contimg.calibration.calibrate import calibrate
from dsa110_contimg.calibration.compiled import compile_kernels
from dsa110_contimg.calibration.sky_tie import tie_to_sky
from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.config.settings import CalibrateSettings

KERNELS = {
    "solve": stefcal._solve_channels,
    "add": sums._add,
    "add fitting": sums._add_fitting,
    "blocks": blocks._add,
    "spectra": spectra._add,
    "apply": apply_kernels.correct,
    "weigh": apply_kernels.scale_weights,
}


def compiled():
    return {name: len(kernel.signatures) for name, kernel in KERNELS.items()}


def test_solving_and_applying_find_all_their_kernels_compiled(tmp_path):
    compile_kernels()
    before = compiled()
    assert all(before.values())
    # Two antennas in each other's place: then every kernel is called.
    antennas = (1, 12, 26, 37, 48, 75, 103, 113)
    group = observe_calibrator(tmp_path, 60.0, field=1, antennas=antennas, integrations=4, swapped=(12, 113))
    catalogue = read_sources(tmp_path / "sky.json")
    found = calibrate(group.ms, CalibrateSettings(), group.calibrator, catalogue)
    assert np.count_nonzero(["exchanged" in text for text in found.ailments]) == 2
    assert len(list(calibrated_blocks(group.ms, found.tables))) == 4
    tie_to_sky(group.ms, found.tables, catalogue, CalibrateSettings())
    assert compiled() == before
