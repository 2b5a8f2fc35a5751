"""A small night from files to images: a target, then a calibrator's transit; settings, and ``run`` as a process."""

import os
import subprocess
import sys
from pathlib import Path

import dsa110_contimg
from calibrated_groups import calibrator, observe_at, targets, transit_of
from dsa110_contimg.telescope.band import INTEGRATION_S

SOURCE = Path(dsa110_contimg.__file__).parents[1]
INTEGRATIONS = 8
DEC_DEG = 33.0
# The target is so many integrations before the transit: 3C48 is then where the beam's first null is.
BEFORE = 72
SETTINGS = """
[sets]
catalogue = "{catalogue}"

[image]
size = 256
cell_arcsec = 12.0
max_uv_m = 1200.0
iterations = 3000
major_cycles = 4
drift = false

[catalogue]
reference = "{catalogue}"
"""


def make_night(base):
    """Simulate it; give the night, whose first source is the calibrator, and a file of settings."""
    length_d, integration_d = INTEGRATIONS * INTEGRATION_S / 86400, INTEGRATION_S / 86400
    transit = transit_of("3C48", 60953.0) - length_d / 2
    first = transit - BEFORE * integration_d
    sources = [calibrator("3C48"), *targets(DEC_DEG, first + length_d / 2)]
    for start_mjd in (first, transit):
        night = observe_at(base, start_mjd, DEC_DEG, sources, integrations=INTEGRATIONS, noise=0.5)
    settings = base / "contimg.toml"
    settings.write_text(SETTINGS.format(catalogue=night.catalogue))
    return night, settings


def command(*words):
    return [sys.executable, "-m", "dsa110_contimg.cli", *map(str, words)]


def environment():
    return os.environ | {"PYTHONPATH": str(SOURCE), "NUMBA_NUM_THREADS": "1"}


def run_cli(*words, timeout=400):
    """Run a verb to its end."""
    return subprocess.run(command(*words), capture_output=True, text=True, env=environment(), timeout=timeout)
