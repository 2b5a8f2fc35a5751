"""The process in which PyBDSF runs: ``python -m dsa110_contimg.photometry.pybdsf``.

PyBDSF forks, prints, logs beside its image and changes the logging and floating-point settings of the process that it
runs in. So it has a process of its own, and a directory that its caller removes. In that directory are
``image.fits`` and perhaps ``rms.fits`` and ``mean.fits``, and ``request.json`` with the arguments
of ``bdsf.process_image``; what was found is left there as ``found.npz``, in pixels.

To start takes a second or two, so that it may be started before there is a directory: its name is a line on the
standard input. Without one it ends.
"""

from __future__ import annotations

import gc
import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE = "image.fits"
RMS = "rms.fits"
MEAN = "mean.fits"
REQUEST = "request.json"
FOUND = "found.npz"

# Steps that are never taken, and bring half of SciPy with them: module, class.
_UNWANTED = (("make_residimage", "Op_make_residimage"), ("wavelet_atrous", "Op_wavelet_atrous"))
# What is looked up in tables of PyBDSF's otherwise only when it is at work.
_USED = ("astropy.io.fits", "astropy.wcs", "scipy.optimize", "bdsf.interface", "bdsf.image", "bdsf._cbdsm")


def load() -> Any:
    """Import PyBDSF, without what is not used of it, and with what is made faster here; give its module."""
    # No plots are wanted; without pyplot it starts a second earlier.
    sys.modules["matplotlib.pyplot"] = None  # type: ignore[assignment]
    for name, step in _UNWANTED:
        stand_in = ModuleType(f"bdsf.{name}")
        setattr(stand_in, step, type(step, (), {}))
        sys.modules[stand_in.__name__] = stand_in
    import bdsf

    for name in _USED:
        import_module(name)
    bdsf.functions.get_maxima = maxima
    bdsf.default_chain[:] = [*_steps_until_fitted(bdsf), _grouping(bdsf)]
    # It collects garbage after each step, which takes as long as there are objects: modules have most of them.
    gc.freeze()
    return bdsf


def _steps_until_fitted(bdsf: Any) -> list[Any]:
    """List the steps of PyBDSF up to the fit; what it tells of spectra, shapes and residuals is not asked for."""
    wanted = (
        bdsf.Op_readimage,
        bdsf.Op_collapse,
        bdsf.Op_preprocess,
        bdsf.Op_rmsimage,
        bdsf.Op_threshold,
        bdsf.Op_islands,
        bdsf.Op_gausfit,
    )
    return [step() for step in wanted]


def _grouping(bdsf: Any) -> Any:
    """Make the step that groups Gaussians to sources.

    Which belong together is PyBDSF's to say; what a source of several is like is not asked (see `merging`).
    """

    class Grouping(bdsf.Op_gaul2srl):  # type: ignore[misc]
        def process_Multiple(self, _img: Any, gaussians: Any, _mask: Any, number: int, *_: Any) -> tuple[int, None]:  # noqa: N802
            for gaussian in gaussians:
                gaussian.source_id = number + 1
            return number + 1, None

    return Grouping()


def maxima(
    image: NDArray[np.floating],
    mask: NDArray[np.bool_],
    threshold: float,
    _shape: tuple[int, int],
    beam: tuple[float, float, float],
    im_pos: NDArray[np.floating] | None = None,
) -> tuple[list[Any], list[tuple[Any, ...]], NDArray[np.floating]]:
    """Do what ``bdsf.functions.get_maxima`` does, pixel by pixel there: look for the peaks of an island.

    Parameters
    ----------
    image : (N, M) ndarray
        The island.
    mask : (N, M) ndarray of bool
        True for what is beside it.
    threshold : float
        Peaks are higher.
    beam : tuple of float
        Gaussian that is taken out at each peak, as PyBDSF has it.
    im_pos : (N, M) ndarray, optional
        Where peaks are looked for, if not in the image.

    Returns
    -------
    tuple
        Their heights, their places (row, column), and what the image is without them.
    """
    from bdsf.functions import mclean
    from scipy.ndimage import maximum_filter

    looked_at = image if im_pos is None else im_pos
    around = np.ones((3, 3), bool)
    around[1, 1] = False
    # Beside a pixel without a value nothing is a peak.
    known = np.where(np.isnan(looked_at), np.inf, looked_at)
    highest = maximum_filter(known, footprint=around, mode="constant", cval=-np.inf)
    places = [tuple(place) for place in np.argwhere(~mask & (looked_at > threshold) & (looked_at > highest))]
    rest = image.copy()
    for place in places:
        rest = mclean(rest, place, beam)
    return [image[place] for place in places], places, rest


def run(bdsf: Any, directory: Path) -> None:
    """Fit Gaussians to the image in a directory.

    Leaves ``found.npz`` with, for each Gaussian, ``x``, ``y`` (pixels from 0, along right ascension and declination),
    ``peak`` (as the image), ``major``, ``minor`` (FWHM, pixels), ``pa`` (degrees, from +y towards -x), ``rms``,
    ``island``, ``source``; and for each island without any, ``lost_x``, ``lost_y``, ``lost_peak``, ``lost_flux`` (Jy),
    ``lost_rms`` and ``lost_island``.
    """
    request = json.loads((directory / REQUEST).read_text())
    # It would leave one core idle, which of two is half.
    bdsf.multi_proc._ncpus = request["ncores"] + 1
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


def main() -> None:
    """Start, wait for the name of a directory, and fit what is in it."""
    bdsf = load()
    if name := sys.stdin.readline().rstrip("\n"):
        run(bdsf, Path(name))


if __name__ == "__main__":
    main()
