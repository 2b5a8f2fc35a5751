"""Imaging a small Measurement Set in memory, and looking at the sources in it."""

from typing import NamedTuple

import numpy as np

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.images.fits import ImageHeader, RestoringBeam, celestial_wcs
from dsa110_contimg.imaging.averaging import collect
from dsa110_contimg.imaging.cycle import Imaged, make_image
from dsa110_contimg.imaging.field import choose_grid
from dsa110_contimg.imaging.observation import observe
from dsa110_contimg.imaging.psf import find_peak
from dsa110_contimg.ms.reading import read_blocks
from dsa110_contimg.telescope.beams import beam_model


def image_of(ms, sources=None, **options) -> Imaged:
    """Image a Measurement Set with these settings, outliers left alone; with `sources`, in a mask of where they are."""
    settings = ImageSettings(**({"threads": 2} | options))
    beam, observation = beam_model(settings.beam), observe(ms)
    grid = choose_grid(observation, settings, beam)
    edge_rad = grid.n_pixels / 2 * grid.cell_rad
    samples = collect(read_blocks(ms), observation, settings, edge_rad).samples
    mask = None if sources is None else mask_of(observation, grid, sources)
    return make_image(samples, observation, grid, settings, mask=mask, beam=beam)


def mask_of(observation, grid, sources):
    """Mark squares of pixels where sources are, (N, N)."""
    wcs = field_wcs(observation, grid)
    mask = np.zeros((grid.n_pixels,) * 2, bool)
    for x, y in np.round(np.stack(wcs.all_world2pix(sources.ra_deg, sources.dec_deg, 0), axis=1)).astype(int):
        mask[y - 3 : y + 4, x - 3 : x + 4] = True
    return mask


class Seen(NamedTuple):
    """A source in an image: its brightness, the beam there, and offsets from the true place."""

    peak_jy: float
    power: float
    east_arcsec: float
    north_arcsec: float


def field_wcs(observation, grid):
    """Map between pixels and ICRS degrees."""
    beam = RestoringBeam(1.0, 1.0, 0.0)
    cell_deg = float(np.degrees(grid.cell_rad))
    header = ImageHeader(observation.ra_deg, observation.dec_deg, cell_deg, 1.4e9, 1.0, 0.0, 0.0, 0.0, beam, "")
    return celestial_wcs(header, (grid.n_pixels,) * 2)


def wcs_of(imaged):
    """Map between pixels of an image and ICRS degrees."""
    return field_wcs(imaged.observation, imaged.grid)


def look(imaged, sources) -> list[Seen]:
    """Find the peaks of sources near their true places."""
    cell_arcsec = np.degrees(imaged.grid.cell_rad) * 3600
    places = np.stack(wcs_of(imaged).all_world2pix(sources.ra_deg, sources.dec_deg, 0), axis=1)
    found = []
    for x, y in places:
        peak = find_peak(imaged.image, float(x), float(y))
        power = float(imaged.pb[round(peak.y), round(peak.x)])
        found.append(Seen(peak.value, power, cell_arcsec * (x - peak.x), cell_arcsec * (peak.y - y)))
    return found
