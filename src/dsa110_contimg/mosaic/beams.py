"""One restoring beam for all images of a mosaic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from dsa110_contimg.errors import MosaicError
from dsa110_contimg.images.fits import RestoringBeam

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FWHM = np.sqrt(8 * np.log(2))
# A kernel thinner than this fraction of the beam moves a flux by less than a hundredth of a percent.
_SAME = 1e-4


def common_beam(beams: Sequence[RestoringBeam]) -> RestoringBeam:
    """Find the smallest beam to which all can be smoothed (radio_beam); one slightly larger where that finds none."""
    from astropy import units
    from radio_beam import Beams
    from radio_beam.utils import BeamError

    if all(_alike(beam, beams[0]) for beam in beams):
        return beams[0]
    table = Beams(
        major=[beam.major_deg for beam in beams] * units.deg,
        minor=[beam.minor_deg for beam in beams] * units.deg,
        pa=[beam.pa_deg for beam in beams] * units.deg,
    )
    try:
        found = table.common_beam()
    except (BeamError, ValueError):  # its search gives up on some beams that are nearly the same
        return _around(beams)
    major, minor, pa = (float(value.to_value(units.deg)) for value in (found.major, found.minor, found.pa))
    return RestoringBeam(major, minor, (pa + 90.0) % 180.0 - 90.0)


def _around(beams: Sequence[RestoringBeam]) -> RestoringBeam:
    """Widen the mean beam until it holds all: until its covariance less that of each is positive."""
    shapes = [covariance(beam, 1.0) for beam in beams]
    mean = np.mean(shapes, axis=0)
    root = np.linalg.inv(np.linalg.cholesky(mean))
    widest = max(float(np.linalg.eigvalsh(root @ shape @ root.T)[-1]) for shape in shapes)
    (minor2, major2), vectors = np.linalg.eigh(mean * widest)
    west, north = vectors[:, 1]
    major, minor = (_FWHM * float(np.sqrt(square)) for square in (major2, minor2))
    return RestoringBeam(major, minor, float((np.degrees(np.arctan2(-west, north)) + 90.0) % 180.0 - 90.0))


def covariance(beam: RestoringBeam, cell_deg: float) -> NDArray[np.float64]:
    """Covariance of a beam in pixels squared, (2, 2), along x (west) and y (north)."""
    angle = np.radians(beam.pa_deg)
    along = np.array([-np.sin(angle), np.cos(angle)])  # x grows to the west
    across = np.array([np.cos(angle), np.sin(angle)])
    major, minor = (width / cell_deg / _FWHM for width in (beam.major_deg, beam.minor_deg))
    return np.asarray(major**2 * np.outer(along, along) + minor**2 * np.outer(across, across))


def smooth(
    pixels: NDArray[np.float32], of: RestoringBeam, to: RestoringBeam, cell_deg: float, workers: int = 1
) -> NDArray[np.float32]:
    """Smooth an image from one beam to another, in Jy per beam of the other.

    The kernel's transform is exact: exp(-2 pi^2 u.(C' - C).u). What is not finite counts as 0.

    Raises
    ------
    MosaicError
        The other beam is the smaller in some direction.
    """
    kernel = covariance(to, cell_deg) - covariance(of, cell_deg)
    widths = np.linalg.eigvalsh(kernel)
    area = of.major_deg * of.minor_deg / cell_deg**2 / _FWHM**2
    if widths[0] < -1e-3 * area:
        raise MosaicError("the common beam is smaller than an image's own", remedy="Leave it out: --no-convolve.")
    clean = np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
    if widths[1] < _SAME * area:
        return np.asarray(clean, np.float32)
    margin = int(np.ceil(5 * np.sqrt(widths[1])))
    shape = [fft.next_fast_len(n + margin, real=True) for n in clean.shape]
    v, u = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    exponent = kernel[0, 0] * u * u + 2 * kernel[0, 1] * u * v + kernel[1, 1] * v * v
    scale = (to.major_deg * to.minor_deg) / (of.major_deg * of.minor_deg)
    transform = fft.rfft2(clean, shape, workers=workers)
    transform *= (scale * np.exp(-2 * np.pi**2 * exponent)).astype(np.float32)
    smoothed = fft.irfft2(transform, shape, workers=workers, overwrite_x=True)
    return np.asarray(smoothed[: clean.shape[0], : clean.shape[1]], np.float32)


def _alike(one: RestoringBeam, other: RestoringBeam) -> bool:
    first, second = covariance(one, 1.0), covariance(other, 1.0)
    return bool(np.abs(first - second).max() < _SAME * np.abs(second).max())
