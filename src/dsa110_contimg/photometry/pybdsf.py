"""The process in which PyBDSF runs: ``python -m dsa110_contimg.photometry.pybdsf DIRECTORY``.

PyBDSF forks, prints, logs beside its image and changes the logging and floating-point settings of the process that it
runs in. So it has a process of its own, and a directory that its caller removes. In that directory are
``image.fits`` and perhaps ``rms.fits`` and ``mean.fits``, and ``request.json`` with the arguments
of ``bdsf.process_image``; what was found is left there as ``found.npz``, in pixels.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

IMAGE = "image.fits"
RMS = "rms.fits"
MEAN = "mean.fits"
REQUEST = "request.json"
FOUND = "found.npz"


def run(directory: Path) -> None:
    """Fit Gaussians to the image in a directory.

    Leaves ``found.npz`` with, for each Gaussian, ``x``, ``y`` (pixels from 0, along right ascension and declination),
    ``peak`` (as the image), ``major``, ``minor`` (FWHM, pixels), ``pa`` (degrees, from +y towards -x), ``rms``,
    ``island``, ``source``; and for each island without any, ``lost_x``, ``lost_y``, ``lost_peak``, ``lost_flux`` (Jy),
    ``lost_rms`` and ``lost_island``.
    """
    # No plots are wanted; without pyplot it starts a second earlier.
    sys.modules["matplotlib.pyplot"] = None  # type: ignore[assignment]
    import bdsf
    from bdsf import multi_proc

    request = json.loads((directory / REQUEST).read_text())
    # It would leave one core idle, which of two is half.
    multi_proc._ncpus = request["ncores"] + 1
    # What the image is without its sources is not asked for.
    bdsf.default_chain[:] = [step for step in bdsf.default_chain if not isinstance(step, bdsf.Op_make_residimage)]
    image = bdsf.process_image(str(directory / IMAGE), outdir=str(directory), quiet=True, **request)
    gaussians = image.gaussians
    lost = [island for island in image.islands if not island.gaul]
    np.savez(
        directory / FOUND,
        x=_floats(g.centre_pix[0] for g in gaussians),
        y=_floats(g.centre_pix[1] for g in gaussians),
        peak=_floats(g.peak_flux for g in gaussians),
        major=_floats(g.size_pix[0] for g in gaussians),
        minor=_floats(g.size_pix[1] for g in gaussians),
        pa=_floats(g.size_pix[2] for g in gaussians),
        rms=_floats(g.rms for g in gaussians),
        island=np.array([g.island_id for g in gaussians], dtype=np.int64),
        source=np.array([g.source_id for g in gaussians], dtype=np.int64),
        lost_x=_floats(island.dgaul[0].centre_pix[0] for island in lost),
        lost_y=_floats(island.dgaul[0].centre_pix[1] for island in lost),
        lost_peak=_floats(island.max_value for island in lost),
        lost_flux=_floats(island.total_flux for island in lost),
        lost_rms=_floats(island.rms for island in lost),
        lost_island=np.array([island.island_id for island in lost], dtype=np.int64),
    )


def _floats(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.fromiter(values, dtype=np.float64)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
