"""Joining images to a mosaic.

An image is the sky times its beam A, with even noise s; the sky's best estimate from several is the sum of A I / s^2
over the sum of A^2 / s^2, and the noise of that one over the root of the latter (Sault, Staveley-Smith & Brouw 1996,
A&AS 120, 375). The grid is worked through in bands of rows, so that memory is bounded by a band, not by the mosaic.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import spline_filter

from dsa110_contimg.errors import MosaicError
from dsa110_contimg.images.fits import read_image
from dsa110_contimg.mosaic.beams import common_beam, smooth
from dsa110_contimg.mosaic.inputs import require_alike
from dsa110_contimg.mosaic.kernels import add_image
from dsa110_contimg.mosaic.layout import lay_out
from dsa110_contimg.mosaic.plane import Plane, mean_direction, rotation, turned_by
from dsa110_contimg.telescope.spread import robust_sigma

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import MosaicSettings
    from dsa110_contimg.images.fits import RestoringBeam
    from dsa110_contimg.mosaic.inputs import Input

log = logging.getLogger(__name__)

# Pixels of a band: three sums of them are 340 MB.
_BAND_PIXELS = 4096**2
# Rows that a thread takes at once.
_ROWS = 64
# The noise is measured where the beam is at least this, and clipped at so many times itself.
_NOISE_BEAM, _CLIP_SIGMA, _CLIPS = 0.2, 3.0, 10


class Used(NamedTuple):
    """An image as it enters a mosaic.

    Attributes
    ----------
    group, image : str
        Group id, and the file.
    noise_jy : float
        Its noise, at the common beam [Jy/beam].
    share : float
        Of the mosaic's weight.
    beam : RestoringBeam
        Its own; the position angle is that in the mosaic's plane.
    """

    group: str
    image: str
    noise_jy: float
    share: float
    beam: RestoringBeam


class Band(NamedTuple):
    """Some rows of a mosaic: the first of them, and (rows, n_ra) float32; blank where no beam reaches the floor.

    Attributes
    ----------
    row : int
    image, rms, weight : (rows, n_ra) float32
        Flux [Jy/beam], its noise [Jy/beam], one over the noise squared.
    """

    row: int
    image: NDArray[np.float32]
    rms: NDArray[np.float32]
    weight: NDArray[np.float32]


class Joint(NamedTuple):
    """What a mosaic will be: its plane, the images in it, their common beam, and its bands, made as they are asked for.

    Without smoothing, `beam` is that of the image with the largest weight.
    """

    plane: Plane
    used: tuple[Used, ...]
    beam: RestoringBeam
    bands: Iterator[Band]


class _Ready(NamedTuple):
    """An image, ready to be added: spline coefficients and primary beam (n_dec, n_ra) float32, and its weight."""

    plane: Plane
    splines: NDArray[np.float32]
    pb: NDArray[np.float32]
    weight: float


def join(
    inputs: Sequence[Input],
    settings: MosaicSettings,
    progress: Callable[[float], object] = lambda fraction: None,
) -> Joint:
    """Join images.

    Parameters
    ----------
    inputs : sequence of Input
        Images of one strip and band.
    settings : MosaicSettings
        Pixel size, floor of the beam, and whether to smooth to a common beam.
    progress : callable
        Is told which fraction of the work has been done.

    Raises
    ------
    MosaicError
        They cannot be joined.
    UnreadableFileError, HeaderKeyError, HeaderValueError
        An image cannot be read.
    """
    require_alike(inputs)
    began = time.perf_counter()
    onto = Plane(*mean_direction([one.plane for one in inputs]), inputs[0].plane.cell_deg, 0, 0)
    beams = [_beam_in(one, onto) for one in inputs]
    target = common_beam(beams) if settings.convolve else None
    ready, noises = [], []
    for k, (one, beam) in enumerate(zip(inputs, beams, strict=True)):
        item, noise = _prepare(one, beam, target, settings)
        ready.append(item)
        noises.append(noise)
        progress(0.5 * (k + 1) / len(inputs))
    cell_deg = None if settings.cell_arcsec is None else settings.cell_arcsec / 3600.0
    plane = lay_out([item.plane for item in ready], [item.pb >= settings.floor for item in ready], cell_deg)
    total = sum(item.weight for item in ready)
    used = tuple(
        Used(one.group, str(one.image), noise, item.weight / total, beam)
        for one, noise, item, beam in zip(inputs, noises, ready, beams, strict=True)
    )
    log.info(
        "%d images, %d x %d pixels of %.2f arcsec around %.4f %+.4f, ready in %.1f s",
        *(len(used), plane.n_ra, plane.n_dec, plane.cell_deg * 3600, plane.ra_deg, plane.dec_deg),
        time.perf_counter() - began,
    )
    best = max(range(len(used)), key=lambda k: used[k].share)
    return Joint(plane, used, beams[best] if target is None else target, _bands(plane, ready, settings, progress))


def _bands(
    plane: Plane, ready: Sequence[_Ready], settings: MosaicSettings, progress: Callable[[float], object]
) -> Iterator[Band]:
    n_rows = max(1, min(plane.n_dec, _BAND_PIXELS // plane.n_ra))
    turns = [rotation(plane, item.plane) for item in ready]
    with ThreadPoolExecutor(settings.n_workers) as pool:
        for first in range(0, plane.n_dec, n_rows):
            shape = (min(n_rows, plane.n_dec - first), plane.n_ra)
            flux, power = np.zeros((2, *shape))
            best = np.zeros(shape, np.float32)

            def add(start: int, first: int = first, sums: Any = (flux, power, best)) -> None:
                part = slice(start, start + _ROWS)
                offset = (float(first + start - plane.n_dec // 2), float(-(plane.n_ra // 2)))
                for item, turn in zip(ready, turns, strict=True):
                    add_image(
                        item.splines,
                        item.pb,
                        item.weight,
                        turn,
                        np.radians(item.plane.cell_deg),
                        np.radians(plane.cell_deg),
                        offset,
                        settings.least_beam,
                        *(values[part] for values in sums),
                    )

            list(pool.map(add, range(0, shape[0], _ROWS)))
            there = best >= settings.floor
            weight = np.where(there, power, 0.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                image = np.where(there, flux / power, np.nan).astype(np.float32)
                rms = np.where(there, 1 / np.sqrt(power), np.nan).astype(np.float32)
            progress(0.5 + 0.5 * (first + shape[0]) / plane.n_dec)
            yield Band(first, image, rms, weight.astype(np.float32))


def _beam_in(one: Input, onto: Plane) -> RestoringBeam:
    """The beam of an image as it lies in the mosaic, whose north is another one's far from its centre."""
    beam = one.header.beam
    return beam._replace(pa_deg=beam.pa_deg + turned_by(onto, one.plane))


def _prepare(
    one: Input, beam: RestoringBeam, target: RestoringBeam | None, settings: MosaicSettings
) -> tuple[_Ready, float]:
    """Read an image, smooth it if wanted, and measure its noise [Jy/beam]."""
    pixels, pb = read_image(one.image).pixels, read_image(one.pb).pixels
    if pb.shape != pixels.shape:
        raise MosaicError(f"has {pixels.shape} pixels, its primary beam {pb.shape}", path=one.image)
    bad = ~np.isfinite(pixels)
    if target is not None:
        # In the image's own plane the target is turned back.
        turn = beam.pa_deg - one.header.beam.pa_deg
        back = target._replace(pa_deg=target.pa_deg - turn)
        pixels = smooth(pixels, one.header.beam, back, one.plane.cell_deg, settings.n_workers)
    else:
        pixels = np.where(bad, np.float32(0), pixels)
    pb = np.where(bad | ~np.isfinite(pb), np.float32(0), pb)
    noise = noise_of(pixels[pb >= _NOISE_BEAM])
    if not noise > 0:
        raise MosaicError("has no noise where its beam is", path=one.image, remedy="Leave it out.")
    splines = spline_filter(pixels, order=3, output=np.float32, mode="mirror")
    return _Ready(one.plane, splines, pb, 1 / noise**2), noise


def noise_of(values: NDArray[np.floating]) -> float:
    """Standard deviation of what is not source: from the median absolute deviation, clipped; NaN of nothing."""
    for _ in range(_CLIPS):
        if values.size == 0:
            return float("nan")
        middle = float(np.median(values))
        sigma = robust_sigma(values, middle)
        kept = values[np.abs(values - middle) <= _CLIP_SIGMA * sigma]
        if kept.size == values.size:
            break
        values = kept
    return sigma
