"""A mask of where sources are known to be, from a catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from dsa110_contimg.errors import UsageError
from dsa110_contimg.images.fits import celestial_wcs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.telescope.prediction import PointSources

# An image shows one hemisphere at most, and the edge of it badly.
_WIDEST_RAD: Final = np.radians(80.0)


def seed_mask(
    sources: PointSources, header: ImageHeader, shape: tuple[int, int], *, radius_beams: float = 0.75
) -> NDArray[np.bool_]:
    """Mark the pixels around known sources.

    Parameters
    ----------
    sources : PointSources
        Where they are, ICRS.
    header : ImageHeader
        Of the image: phase centre, pixel size, restoring beam.
    shape : (int, int)
        Pixels of the image (n_dec, n_ra).
    radius_beams : float
        Marked are an ellipse like the beam whose semi-axes are so many full widths at half maximum, and at least the
        pixel at the place.

    Returns
    -------
    (n_dec, n_ra) bool
        False everywhere if no source is in the image.

    Raises
    ------
    UsageError
        The radius is negative.
    """
    if radius_beams < 0.0:
        raise UsageError(f"a seed has a radius of {radius_beams:g} beams, which is negative")
    mask = np.zeros(shape, dtype=bool)
    near = _near(sources, header)
    if not near.any():
        return mask
    stamp = _ellipse(header, radius_beams)
    half = stamp.shape[0] // 2
    x, y = celestial_wcs(header, shape).all_world2pix(sources.ra_deg[near], sources.dec_deg[near], 0)
    for row, column in zip(np.rint(y).astype(int), np.rint(x).astype(int), strict=True):
        top, left = row - half, column - half
        rows = slice(max(0, top), min(shape[0], row + half + 1))
        columns = slice(max(0, left), min(shape[1], column + half + 1))
        if rows.start < rows.stop and columns.start < columns.stop:
            mask[rows, columns] |= stamp[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return mask


def _near(sources: PointSources, header: ImageHeader) -> NDArray[np.bool_]:
    """Which sources are on the hemisphere that the image shows."""
    ra, dec = np.radians(sources.ra_deg - header.ra_deg), np.radians(sources.dec_deg)
    centre = np.radians(header.dec_deg)
    cosine = np.sin(dec) * np.sin(centre) + np.cos(dec) * np.cos(centre) * np.cos(ra)
    return np.asarray(cosine > np.cos(_WIDEST_RAD))


def _ellipse(header: ImageHeader, radius_beams: float) -> NDArray[np.bool_]:
    """Pixels (odd, odd) within so many beams of the one in the middle."""
    major, minor = (
        max(axis * radius_beams / header.cell_deg, 0.5) for axis in (header.beam.major_deg, header.beam.minor_deg)
    )
    half = int(np.ceil(major))
    north, west = np.mgrid[-half : half + 1, -half : half + 1]
    pa = np.radians(header.beam.pa_deg)
    along = north * np.cos(pa) - west * np.sin(pa)
    across = north * np.sin(pa) + west * np.cos(pa)
    return np.asarray((along / major) ** 2 + (across / minor) ** 2 <= 1.0)
