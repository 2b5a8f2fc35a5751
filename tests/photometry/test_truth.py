"""Sources found in the image of a noisy field against the sky that was simulated."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import CatalogueSettings, ImageSettings
from dsa110_contimg.images.fits import SkyImage
from dsa110_contimg.imaging.noise import rms_map
from dsa110_contimg.imaging.products import Provenance, beam_pixels, image_header
from dsa110_contimg.photometry.finding import find_sources
from imaged_fields import image_of, wcs_of
from simulated_fields import CORE, make_field, scatter

N_SOURCES = 30
SIZE, CELL_ARCSEC = 800, 12.0


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Thirty sources to 1.2 deg off axis, 10 mJy to 5 Jy, in the noise of the receivers, drifting through the beam."""
    rng = np.random.default_rng(4)
    offsets, flux_jy = scatter(N_SOURCES, rng, 1.2, 0.1), np.geomspace(0.01, 5.0, N_SOURCES)
    path = tmp_path_factory.mktemp("field") / "a.ms"
    return make_field(path, offsets, flux_jy, stations=CORE, every=48, n_times=8, step=3, noise=True)


@pytest.fixture(scope="module")
def found(field):
    """Sources; and of each true one its flux density over the noise there."""
    imaged = image_of(field.path, size=SIZE, cell_arcsec=CELL_ARCSEC, major_cycles=8)
    noise = rms_map(imaged.residual, beam_pixels(imaged.beam, imaged.grid.cell_rad))
    header = image_header(imaged, Provenance("2025-10-05T12:30:00", "a.ms"), ImageSettings())
    sources = find_sources(SkyImage(imaged.image, header, ()), imaged.pb, noise, CatalogueSettings())
    x, y = np.rint(wcs_of(imaged).all_world2pix(field.sources.ra_deg, field.sources.dec_deg, 0)).astype(int)
    return sources, field.sources.flux_jy * imaged.pb[y, x] / noise[y, x], imaged


def apart(field, sources):
    """Offsets (true, found) of sources that were found from true ones to the east and north ["]."""
    ra, dec = (np.asarray(sources[name], float) for name in ("ra", "dec"))
    turn = (ra[None] - field.sources.ra_deg[:, None] + 180) % 360 - 180
    east = 3600 * turn * np.cos(np.radians(field.sources.dec_deg))[:, None]
    return east, 3600 * (dec[None] - field.sources.dec_deg[:, None])


@pytest.mark.slow
def test_every_source_is_found_and_measured_without_bias(field, found):
    sources, snr, imaged = found
    east, north = apart(field, sources)
    which = np.hypot(east, north).argmin(axis=1)
    rows = np.arange(N_SOURCES)
    near_arcsec = np.hypot(east, north)[rows, which]
    beam_arcsec = 3600 * np.sqrt(imaged.beam.major_deg * imaged.beam.minor_deg)
    assert (near_arcsec[snr > 7] < beam_arcsec / 2).all()
    bright = snr > 20
    assert np.count_nonzero(bright) > 12
    flux_jy = np.asarray(sources["flux"], float)[which]
    assert np.mean(flux_jy[bright] / field.sources.flux_jy[bright]) == pytest.approx(1.0, abs=0.02)
    for offset in (east, north):
        assert abs(offset[rows, which][bright].mean()) < 0.05 * beam_arcsec


@pytest.mark.slow
def test_what_is_not_there_is_faint(field, found):
    """So few visibilities leave sidelobes; how reliable catalogues of a whole group are, the benchmark says."""
    sources, _, imaged = found
    near_arcsec = np.hypot(*apart(field, sources)).min(axis=0)
    false = near_arcsec > 3600 * imaged.beam.major_deg
    assert np.asarray(sources["apparent"], float)[false].max(initial=0.0) < 0.01 * imaged.image.max()
