"""Troughs beside ridges: what is left of sidelobes is no source."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import CatalogueSettings
from dsa110_contimg.photometry.finding import find_sources
from dsa110_contimg.photometry.fitting import PixelBeam
from dsa110_contimg.photometry.troughs import trough_depth
from restored_image import CELL_ARCSEC, Source, header_of, noise, plane, restored

BEAM = PixelBeam(8.0, 4.75, 20.0)


def test_depth_within_three_and_a_half_beams():
    pixels = np.zeros((101, 101))
    pixels[50, 50] = -2.0
    pixels[0, 0] = np.nan
    depth = trough_depth(pixels, BEAM)
    assert depth[50, 50] == depth[50 + 21, 50 - 21] == 2.0
    assert depth[50, 50 + 22] == depth[0, 0] == 0.0


def test_noise_has_no_deep_troughs():
    """So that the limit changes little where the rms is right."""
    depth = trough_depth(noise(512, header_of(512), 1), BEAM)
    assert np.mean(np.maximum(depth / 3.2, 1.0)) < 1.04


def test_a_ripple_is_left_out_and_a_source_beside_it_is_not():
    n = 256
    header = header_of(n)
    east, north = plane(n)
    image = restored(n, [Source(header.ra_deg, header.dec_deg, 0.1)], 1e-3, header)
    across = north - 60 * CELL_ARCSEC
    image.pixels[:] += 0.008 * np.cos(2 * np.pi * across / 120) * np.exp(-((across / 150) ** 2) - (east / 700) ** 2)
    rms = np.full((n, n), 1e-3, np.float32)
    found = find_sources(image, None, rms, CatalogueSettings(workers=1))
    assert len(found) == 1
    assert found["flux"][0].value == pytest.approx(0.1, rel=0.05)
    assert found["rms"][0].value == pytest.approx(1e-3)
