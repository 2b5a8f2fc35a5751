"""Measuring point sources in a FITS image, by astropy and numpy alone."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

_SEARCH = 5
_FIT = 2


class Image(NamedTuple):
    """A plane (y, x) and its coordinates."""

    values: np.ndarray
    wcs: WCS


def read_image(path: Path) -> Image:
    """Read the only plane of a FITS image."""
    with fits.open(path) as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)  # dates and places that it completes
        return Image(hdus[0].data.squeeze().astype(np.float64), WCS(hdus[0].header).celestial)


def measure(image: Image, ra_deg: float, dec_deg: float) -> tuple[float, float, float]:
    """Peak of the source near a position, by fitting a Gaussian's logarithm to the pixels around its highest.

    Returns
    -------
    peak, east, north : float
        Peak, in the image's unit, and where it is from the position [arcsec].
    """
    x, y = (round(float(pixel)) for pixel in image.wcs.all_world2pix(ra_deg, dec_deg, 0))
    box = image.values[y - _SEARCH : y + _SEARCH + 1, x - _SEARCH : x + _SEARCH + 1]
    up, right = np.unravel_index(box.argmax(), box.shape)
    y, x = y + int(up) - _SEARCH, x + int(right) - _SEARCH
    around = image.values[y - _FIT : y + _FIT + 1, x - _FIT : x + _FIT + 1]
    dy, dx = (axis.ravel() for axis in np.mgrid[-_FIT : _FIT + 1, -_FIT : _FIT + 1])
    terms = np.stack([np.ones(dx.size), dx, dy, dx**2, dx * dy, dy**2], axis=1)
    a, b, c, d, e, f = np.linalg.lstsq(terms, np.log(around.ravel()), rcond=None)[0]
    top = -np.linalg.solve([[2 * d, e], [e, 2 * f]], [b, c])
    ra, dec = (float(angle) for angle in image.wcs.all_pix2world(x + top[0], y + top[1], 0))
    east = (ra - ra_deg) * np.cos(np.radians(dec_deg)) * 3600
    return float(np.exp(a + np.dot([b, c], top) / 2)), east, (dec - dec_deg) * 3600


def value_at(image: Image, ra_deg: float, dec_deg: float) -> float:
    """Brightness at a position, between the pixels by a cubic spline."""
    from scipy.ndimage import map_coordinates

    x, y = image.wcs.all_world2pix(ra_deg, dec_deg, 0)
    return float(map_coordinates(image.values, [[float(y)], [float(x)]], order=3)[0])


def fluxes_of(dirty: Image, psf: Image, sources_deg: np.ndarray) -> np.ndarray:
    """Flux densities of sources at known positions, for which the dirty image is the sum of their beams.

    Without deconvolution: brightness at each source = sum over sources of flux times beam at the distance.
    """
    from scipy.ndimage import map_coordinates

    x, y = dirty.wcs.all_world2pix(*sources_deg.T, 0)
    brightness = map_coordinates(dirty.values, [y, x], order=3)
    top, right = np.unravel_index(psf.values.argmax(), psf.values.shape)
    beams = map_coordinates(psf.values, [top + y[:, None] - y, right + x[:, None] - x], order=3)
    return np.linalg.solve(beams, brightness)
