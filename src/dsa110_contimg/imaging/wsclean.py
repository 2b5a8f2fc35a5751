"""The external program WSClean as another engine, with options like ours: for comparison.

It differs where it has no such option: its model does not drift through the beam, the noise that its thresholds are
relative to is the same all over the image, and a seed confines its cleaning from the beginning, for good.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from dsa110_contimg.errors import ImagingError, MissingToolError, UnreadableFileError
from dsa110_contimg.images.fits import ImageHeader, RestoringBeam
from dsa110_contimg.imaging.cycle import BandImage, Cycle, Imaged
from dsa110_contimg.imaging.primary_beam import average_power
from dsa110_contimg.imaging.products import write_images
from dsa110_contimg.imaging.psf import fit_beam
from dsa110_contimg.imaging.samples import Samples
from dsa110_contimg.imaging.seeding import seed_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.imaging.products import Provenance
    from dsa110_contimg.telescope.beams import BeamModel
    from dsa110_contimg.telescope.prediction import PointSources

log = logging.getLogger(__name__)

PROGRAM = "wsclean"
_LAST_LINES = 6


def run_wsclean(
    ms: Path,
    directory: Path,
    stem: str,
    grid: Grid,
    settings: ImageSettings,
    provenance: Provenance,
    *,
    observation: Observation,
    beam: BeamModel,
    column: str = "DATA",
    seed: PointSources | None = None,
) -> dict[str, Path]:
    """Image a Measurement Set with WSClean, and write the same products as our own engine.

    Parameters
    ----------
    ms : Path
        The Measurement Set, which stays as it is; its `column` is calibrated.
    directory, stem : Path, str
        Where images go, and how their names begin.
    grid : Grid
        The pixels.
    settings : ImageSettings
        How to image.
    provenance : Provenance
        Where it comes from.
    observation : Observation
        What was observed.
    beam : BeamModel
        The primary beam; its average takes all integrations and channels alike.
    column : str
        What is imaged.
    seed : PointSources, optional
        Components are allowed where these are, and nowhere else.

    Returns
    -------
    dict of str to Path
        As of `products.write_images`.

    Raises
    ------
    MissingToolError
        WSClean is not installed.
    ImagingError
        It failed, or diverged.
    OutputError
        The images cannot be written.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise MissingToolError(
            "WSClean is not installed", remedy="install it (apt install wsclean), or use our own engine"
        )
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix=".wsclean-", dir=directory) as room:
        mask = None
        if seed is not None:
            mask = _mask(program, ms, Path(room), grid, settings, column, observation, seed)
        command = [program, *arguments(ms, Path(room), grid, settings, column, mask)]
        imaged = _imaged(Path(room), _run(command, ms), grid, settings, observation, beam)
    imaged = imaged._replace(seconds=time.perf_counter() - began)
    figures = {"engine": {"program": "wsclean", "command": command}}
    return write_images(imaged, directory, stem, provenance, settings, figures=figures)


def _run(command: list[str], ms: Path) -> str:
    """Run WSClean; return what it said."""
    log.info("%s", " ".join(command))
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    for line in done.stdout.splitlines():
        log.debug("%s", line)
    if done.returncode != 0:
        said = " ".join((done.stderr + done.stdout).split("\n")[-_LAST_LINES:])
        raise ImagingError(f"WSClean ended with status {done.returncode} ({said.strip()})", path=ms)
    return done.stdout


def _mask(
    program: str,
    ms: Path,
    room: Path,
    grid: Grid,
    settings: ImageSettings,
    column: str,
    observation: Observation,
    seed: PointSources,
) -> NDArray[np.bool_]:
    """Mark known sources (N, N), each as large as the beam; for that WSClean makes the PSF first."""
    plain = settings.model_copy(update={"channels_out": 1, "terms": 1})
    *options, last = arguments(ms, room, grid, plain, column)
    _run([program, *options, "-make-psf-only", last], ms)
    psf, cards = _read(room, "psf")
    seen = observation
    band_hz = float(cards["CRVAL3"]), float(cards["CDELT3"])
    times_mjd = seen.start_mjd, seen.middle_mjd, seen.end_mjd
    cell_deg = float(np.degrees(grid.cell_rad))
    header = ImageHeader(
        seen.ra_deg, seen.dec_deg, cell_deg, *band_hz, *times_mjd, fit_beam(psf, grid.cell_rad), seen.telescope
    )
    mask = seed_mask(seed, header, psf.shape)
    if not mask.any():
        log.warning("no source of the seed is in the image: nothing is cleaned")
    return mask


def arguments(
    ms: Path,
    room: Path,
    grid: Grid,
    settings: ImageSettings,
    column: str,
    mask: NDArray[np.bool_] | None = None,
) -> list[str]:
    """Say in WSClean's options what our settings say; a mask is written into its room."""
    size, scale_arcsec = str(grid.n_pixels), np.degrees(grid.cell_rad * grid.magnification) * 3600.0
    options = ["-name", str(room / "sky"), "-temp-dir", str(room), "-j", str(settings.n_threads), "-pol", "I"]
    options += ["-no-update-model-required", "-make-psf", "-data-column", column]
    options += ["-size", size, size, "-scale", f"{scale_arcsec:.10f}asec"]
    options += ["-use-wgridder", "-wgridder-accuracy", f"{settings.epsilon:g}"]
    options += ["-weight", settings.weighting, *([f"{settings.robust:g}"] if settings.weighting == "briggs" else [])]
    options += _given("-taper-gaussian", settings.taper_arcsec, "asec")
    options += _given("-minuvw-m", settings.min_uv_m or None) + _given("-maxuvw-m", settings.max_uv_m)
    options += ["-niter", str(settings.iterations), "-nmiter", str(settings.major_cycles)]
    options += ["-gain", f"{settings.gain:g}", "-mgain", f"{settings.major_gain:g}"]
    options += _given("-threshold", settings.threshold_jy or None) + _given("-auto-mask", settings.auto_mask)
    options += _given("-auto-threshold", settings.auto_threshold or None)
    if settings.multiscale:
        options.append("-multiscale")
    if settings.channels_out > 1:
        options += ["-channels-out", str(settings.channels_out), "-join-channels"]
        options += ["-fit-spectral-pol", str(min(settings.terms, settings.channels_out))]
    if mask is not None:
        path = room / "mask.fits"
        fits.PrimaryHDU(mask[None, None].astype(np.float32)).writeto(path)
        options += ["-fits-mask", str(path)]
    return [*options, str(ms)]


def _given(option: str, value: float | None, unit: str = "") -> list[str]:
    return [] if value is None else [option, f"{value:g}{unit}"]


def _imaged(
    room: Path, said: str, grid: Grid, settings: ImageSettings, observation: Observation, beam: BeamModel
) -> Imaged:
    """Read what WSClean left."""
    whole = "MFS-" if settings.channels_out > 1 else ""
    image, cards = _read(room, f"{whole}image")
    psf, _ = _read(room, f"{whole}psf")
    cleaned = (room / f"sky-{whole}model.fits").exists()
    residual = _read(room, f"{whole}residual")[0] if cleaned else image
    model = _read(room, f"{whole}model")[0] if cleaned else np.zeros_like(image)
    if not (np.isfinite(image).all() and np.isfinite(model).all()):
        raise ImagingError("WSClean diverged", remedy="clean less deep (image.threshold_jy), or with a smaller gain")
    bands = tuple(_band(room, k) for k in range(settings.channels_out)) if whole and cleaned else ()
    samples = _even_samples(observation)
    return Imaged(
        image=image,
        residual=residual,
        model=model,
        psf=psf,
        pb=average_power(observation, beam, grid, samples, samples.weights),
        bands=bands,
        beam=_beam(cards),
        grid=grid,
        observation=observation,
        freq_hz=float(cards["CRVAL3"]),
        bandwidth_hz=float(cards["CDELT3"]),
        sum_weights=float(cards.get("WSCIMGWG", np.nan)),
        thermal_jy=float("nan"),
        n_visibilities=int(cards.get("WSCNVIS", 0)),
        cycles=_cycles(said, residual, model),
        diverged=False,
        weighting={"weighting": str(cards.get("WSCWEIGH", settings.weighting))},
        seconds=0.0,
    )


def _band(room: Path, number: int) -> BandImage:
    image, cards = _read(room, f"{number:04d}-image")
    residual, model, psf = (_read(room, f"{number:04d}-{kind}")[0] for kind in ("residual", "model", "psf"))
    return BandImage(float(cards["CRVAL3"]), float(cards["CDELT3"]), image, residual, model, psf, _beam(cards))


def _read(room: Path, kind: str) -> tuple[NDArray[np.float32], Any]:
    path = room / f"sky-{kind}.fits"
    try:
        with fits.open(path, memmap=False) as hdus:
            return np.ascontiguousarray(hdus[0].data[0, 0], dtype=np.float32), hdus[0].header
    except OSError as error:
        raise UnreadableFileError(f"WSClean did not leave an image ({error})", path=path) from error


def _beam(cards: Any) -> RestoringBeam:
    return RestoringBeam(float(cards["BMAJ"]), float(cards["BMIN"]), float(cards["BPA"]))


def _cycles(said: str, residual: NDArray[np.float32], model: NDArray[np.float32]) -> tuple[Cycle, ...]:
    """Major cycles, of which the log tells the iterations alone; the figures of the last are of what is left."""
    iterations = [int(number) for number in re.findall(r"Performed (\d+) iterations in total", said)]
    nothing = float("nan")
    cycles = [Cycle(nothing, nothing, nothing, number, 1, 0, nothing) for number in iterations]
    if cycles:
        spread = float(1.4826 * np.median(np.abs(residual - np.median(residual))))
        cycles[-1] = cycles[-1]._replace(
            peak_jy=float(np.abs(residual).max()), rms_jy=spread, model_jy=float(model.sum(dtype=np.float64))
        )
    return tuple(cycles)


def _even_samples(observation: Observation) -> Samples:
    """One row an integration, all alike: for the mean of the beam, where weights are not known."""
    n_times, n_channels = observation.times_mjd.size, observation.freq_hz.size
    return Samples(
        uvw_m=np.zeros((n_times, 3)),
        freq_hz=observation.freq_hz,
        channel_width_hz=observation.channel_width_hz,
        visibilities=np.zeros((n_times, n_channels), np.complex64),
        weights=np.ones((n_times, n_channels), np.float32),
        mjd=observation.times_mjd,
        antenna1=np.zeros(n_times, np.int32),
        antenna2=np.ones(n_times, np.int32),
    )
