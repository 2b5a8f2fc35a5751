"""Gaussians fitted to an image by PyBDSF, in a process of its own that leaves nothing behind."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.io import fits

from dsa110_contimg.errors import SourceFindingError
from dsa110_contimg.photometry import pybdsf

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

log = logging.getLogger(__name__)

_CELL_DEG = 1e-3  # any will do: what comes back is in pixels
_LOG_LINES = 4


class PixelBeam(NamedTuple):
    """An elliptical beam: axes (FWHM) in pixels, and the position angle from +y towards -x [deg]."""

    major: float
    minor: float
    pa_deg: float


class Fitter:
    """A process of PyBDSF; it may be started before there is something to fit, as starting takes a second or two.

    It ends by itself when this process does.
    """

    def __init__(self) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe would have to be read while it works
        self._process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-u", "-m", pybdsf.__name__],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=self._said,
        )

    def __enter__(self) -> Fitter:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # unless it has ended
        with self._process, self._said:
            pass

    def begin(self, directory: Path) -> None:
        """Have it fit what is in a directory, as `pybdsf` wants that; once."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError), self._process.stdin as stdin:  # if it has died, `end` says of what
                stdin.write(f"{directory.absolute()}\n".encode())

    def end(self) -> None:
        """Wait until it has.

        Raises
        ------
        SourceFindingError
            PyBDSF failed.
        """
        status = self._process.wait()
        self._said.seek(0)
        said = [line.strip() for line in self._said.read().decode(errors="replace").splitlines() if line.strip()]
        for line in said:
            log.debug("PyBDSF: %s", line)
        if status != 0:
            raise SourceFindingError(
                f"PyBDSF ended with status {status}: {' | '.join(said[-_LOG_LINES:] or ['it said nothing'])}",
                remedy="Look at the image; with --log-level debug all that PyBDSF says is logged.",
            )


class Gaussians(NamedTuple):
    """What was fitted, each (G,); in pixels from 0, x falling and y rising along right ascension and declination.

    Attributes
    ----------
    x, y : float64
        Centres [pixels].
    peak : float64
        Peaks, in the unit of the image.
    major, minor : float64
        Full widths at half maximum [pixels].
    pa_deg : float64
        Position angles of the major axes, from +y towards -x [deg].
    rms : float64
        Noise in their islands, in the unit of the image.
    island, source : int64
        Numbers of the islands of pixels, and of the sources that they are grouped into.
    fitted : bool
        False for an island to which no Gaussian fits: it has one of its flux and peak, as round as the beam is.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    peak: NDArray[np.float64]
    major: NDArray[np.float64]
    minor: NDArray[np.float64]
    pa_deg: NDArray[np.float64]
    rms: NDArray[np.float64]
    island: NDArray[np.int64]
    source: NDArray[np.int64]
    fitted: NDArray[np.bool_]


def fit_gaussians(
    pixels: NDArray[np.floating],
    rms: NDArray[np.floating] | None,
    beam: PixelBeam,
    *,
    island_sigma: float,
    peak_sigma: float,
    n_cores: int,
    scratch: Path | None = None,
    fitter: Fitter | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Gaussians:
    """Fit Gaussians to all that stands out of an image.

    Parameters
    ----------
    pixels : (n_y, n_x) ndarray
        The image, flat-noise as far as may be; not a number where nothing is to be looked for.
    rms : (n_y, n_x) ndarray or None
        Its noise. None: PyBDSF's, in boxes of twenty beams, smaller around bright sources.
    beam : PixelBeam
        What a point looks like.
    island_sigma, peak_sigma : float
        Islands are pixels above the one, of which one is above the other, times the noise.
    n_cores : int
        Processes that fit.
    scratch : Path, optional
        Where its directory is made, and removed again. Not given: the system's.
    fitter : Fitter, optional
        One that was started before, and is used now. Not given: one is started.
    meanwhile : callable, optional
        What there is to do while PyBDSF works; not called if there is nothing to fit.

    Returns
    -------
    Gaussians

    Raises
    ------
    SourceFindingError
        PyBDSF failed.
    """
    began = time.perf_counter()
    if rms is not None and not np.any(pixels > peak_sigma * rms):
        return _nothing()
    request: dict[str, Any] = {
        "ncores": n_cores,
        "thresh": "hard",
        "thresh_isl": island_sigma,
        "thresh_pix": peak_sigma,
        "beam": [beam.major * _CELL_DEG, beam.minor * _CELL_DEG, beam.pa_deg],
        "frequency": 1.4e9,
        "mean_map": "zero",
        "rms_map": True,
        # A faint source's island is hardly longer than half its width: with PyBDSF's 0.5 a narrow one has no fit.
        "flag_maxsize_fwhm": 0.3,
        **_noise_options(pixels.shape, beam, given=rms is not None),
    }
    with (
        tempfile.TemporaryDirectory(prefix=".sources-", dir=scratch) as name,
        Fitter() if fitter is None else nullcontext(fitter) as process,
    ):
        directory = Path(name)
        _write_plane(directory / pybdsf.IMAGE, pixels)
        if rms is not None:
            _write_plane(directory / pybdsf.RMS, rms)
            _write_plane(directory / pybdsf.MEAN, np.zeros_like(rms))
        (directory / pybdsf.REQUEST).write_text(json.dumps(request))
        process.begin(directory)
        if meanwhile is not None:
            meanwhile()
        process.end()
        with np.load(directory / pybdsf.FOUND) as found:
            gaussians = _gaussians(found, beam)
    log.info(
        "PyBDSF: %d Gaussians in %d islands, %d of them without a fit, in %.1f s",
        len(gaussians.x),
        len(np.unique(gaussians.island)),
        np.count_nonzero(~gaussians.fitted),
        time.perf_counter() - began,
    )
    return gaussians


def _noise_options(shape: tuple[int, ...], beam: PixelBeam, *, given: bool) -> dict[str, Any]:
    """Where PyBDSF gets the noise from.

    Its boxes must be less than a quarter of the image, given maps or not: else it takes the noise to be constant.
    """
    most = max(min(shape) // 4 - 1, 1)
    box = min(int(20 * beam.major) + 1, most)
    if given:
        return {"rms_box": [most // 2 + 1, most // 8 + 1], "rmsmean_map_filename": [pybdsf.MEAN, pybdsf.RMS]}
    bright = max(min(int(5 * beam.major) + 1, box), 4)
    return {
        "rms_box": [box, max(box // 4, 1)],
        "adaptive_rms_box": True,
        "adaptive_thresh": 100.0,
        "rms_box_bright": [bright, max(bright // 4, 1)],
    }


def _write_plane(path: Path, plane: NDArray[np.floating]) -> None:
    header = fits.Header()
    n_y, n_x = plane.shape
    for axis, (kind, value, step, pixel) in enumerate(
        [
            ("RA---SIN", 180.0, -_CELL_DEG, n_x // 2 + 1.0),
            ("DEC--SIN", 0.0, _CELL_DEG, n_y // 2 + 1.0),
            ("FREQ", 1.4e9, 1e6, 1.0),
            ("STOKES", 1.0, 1.0, 1.0),
        ],
        1,
    ):
        header[f"CTYPE{axis}"], header[f"CRVAL{axis}"] = kind, value
        header[f"CDELT{axis}"], header[f"CRPIX{axis}"] = step, pixel
    header["BUNIT"] = "JY/BEAM"
    fits.PrimaryHDU(np.asarray(plane, np.float32)[None, None], header).writeto(path)


def _gaussians(found: Any, beam: PixelBeam) -> Gaussians:
    n_fitted, n_lost = len(found["x"]), len(found["lost_x"])
    # As wide as its flux wants, but never narrower than the beam.
    peak, flux = found["lost_peak"], found["lost_flux"]
    wider = np.sqrt(np.maximum(flux / np.where(peak > 0.0, peak, np.inf), 1.0))
    first = int(found["source"].max()) + 1 if n_fitted else 0
    return Gaussians(
        x=np.concatenate([found["x"], found["lost_x"]]),
        y=np.concatenate([found["y"], found["lost_y"]]),
        peak=np.concatenate([found["peak"], peak]),
        major=np.concatenate([found["major"], beam.major * wider]),
        minor=np.concatenate([found["minor"], beam.minor * wider]),
        pa_deg=np.concatenate([found["pa"], np.full(n_lost, beam.pa_deg)]),
        rms=np.concatenate([found["rms"], found["lost_rms"]]),
        island=np.concatenate([found["island"], found["lost_island"]]),
        source=np.concatenate([found["source"], first + np.arange(n_lost)]),
        fitted=np.concatenate([np.ones(n_fitted, bool), np.zeros(n_lost, bool)]),
    )


def _nothing() -> Gaussians:
    none, number = np.zeros(0), np.zeros(0, np.int64)
    return Gaussians(none, none, none, none, none, none, none, number, number, np.zeros(0, bool))
