"""Imaging a small Measurement Set in memory, and looking at the sources in it."""

from typing import NamedTuple

import numpy as np

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.images.fits import ImageHeader, celestial_wcs
from dsa110_contimg.imaging.averaging import collect
from dsa110_contimg.imaging.cycle import Imaged, make_image
from dsa110_contimg.imaging.field import choose_grid
from dsa110_contimg.imaging.observation import observe
from dsa110_contimg.imaging.psf import find_peak
from dsa110_contimg.ms.reading import read_blocks
from dsa110_contimg.telescope.beams import beam_model


def image_of(ms, **options) -> Imaged:
    """Image a Measurement Set with these settings; outliers are left alone."""
    settings = ImageSettings(**({"threads": 2} | options))
    beam, observation = beam_model(settings.beam), observe(ms)
    grid = choose_grid(observation, settings, beam)
    edge_rad = grid.n_pixels / 2 * grid.cell_rad
    samples = collect(read_blocks(ms), observation, settings, edge_rad).samples
    return make_image(samples, observation, grid, settings, beam=beam)


class Seen(NamedTuple):
    """A source in an image: its brightness, the beam there, and offsets from the true place."""

    peak_jy: float
    power: float
    east_arcsec: float
    north_arcsec: float


def wcs_of(imaged):
    """Map between pixels and ICRS degrees."""
    seen = imaged.observation
    nothing = ImageHeader(
        seen.ra_deg, seen.dec_deg, float(np.degrees(imaged.grid.cell_rad)), 1.4e9, 1.0, 0.0, 0.0, 0.0, imaged.beam, ""
    )
    return celestial_wcs(nothing, imaged.image.shape)


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
