"""The same Measurement Set imaged by WSClean, an external program, and by us: one sky."""

import shutil

import numpy as np
import pytest

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.images.fits import celestial_wcs, read_image
from dsa110_contimg.imaging.averaging import collect
from dsa110_contimg.imaging.cycle import make_image
from dsa110_contimg.imaging.field import choose_grid
from dsa110_contimg.imaging.observation import observe
from dsa110_contimg.imaging.products import Provenance, write_images
from dsa110_contimg.imaging.psf import find_peak, fit_beam
from dsa110_contimg.imaging.restore import restore
from dsa110_contimg.imaging.wsclean import run_wsclean
from dsa110_contimg.ms.reading import read_blocks
from dsa110_contimg.telescope.beams import beam_model
from simulated_fields import CORE, make_field, scatter

pytestmark = [
    pytest.mark.wsclean,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("wsclean") is None, reason="WSClean is not installed"),
]

CELL_ARCSEC = 12.0
# What WSClean does: nothing is averaged, and components have the same flux density in all channels, as the sources do.
SAME = {"smearing": 1e-6, "alpha": 0.0, "drift": False}
SETTINGS = ImageSettings(size=640, cell_arcsec=CELL_ARCSEC, major_cycles=9, outliers=False, threads=2, **SAME)
N_SOURCES, RADIUS_DEG, APART_DEG = 10, 0.9, 0.15


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Ten sources in the noise of the receivers; they do not drift through a beam, which WSClean would not follow."""
    rng = np.random.default_rng(12)
    offsets, flux_jy = scatter(N_SOURCES, rng, RADIUS_DEG, APART_DEG), np.geomspace(0.3, 3.0, N_SOURCES)
    sky = {"stations": CORE, "every": 48, "n_times": 8, "step": 3, "noise": True, "beam": "flat"}
    return make_field(tmp_path_factory.mktemp("field") / "field.ms", offsets, flux_jy, **sky)


@pytest.fixture(scope="module")
def both(field, tmp_path_factory):
    """Images by kind, of WSClean and of ours."""
    made = []
    observation, beam = observe(field.path), beam_model("airy")
    grid = choose_grid(observation, SETTINGS, beam)
    provenance = Provenance("2025-10-05T12:30:00", field.path.name)
    theirs, ours = (tmp_path_factory.mktemp(name) for name in ("theirs", "ours"))
    made.append(run_wsclean(field.path, theirs, "sky", grid, SETTINGS, provenance, observation=observation, beam=beam))
    edge_rad = grid.n_pixels / 2 * grid.cell_rad
    samples = collect(read_blocks(field.path), observation, SETTINGS, edge_rad).samples
    imaged = make_image(samples, observation, grid, SETTINGS, beam=beam)
    made.append(write_images(imaged, ours, "sky", provenance, SETTINGS))
    return [{kind: read_image(path) for kind, path in one.items() if path.suffix == ".fits"} for one in made]


def test_the_beams_agree(both):
    """By one and the same fit: what a header says of a beam depends on which part of it is fitted."""
    theirs, ours = (images["psf"] for images in both)
    fits = [fit_beam(psf.pixels, np.radians(psf.header.cell_deg)) for psf in (theirs, ours)]
    assert fits[1].major_deg == pytest.approx(fits[0].major_deg, rel=0.01)
    assert fits[1].minor_deg == pytest.approx(fits[0].minor_deg, rel=0.01)
    assert fits[1].pa_deg == pytest.approx(fits[0].pa_deg, abs=1.0)
    middle = np.s_[240:400, 240:400]
    assert np.abs(ours.pixels - theirs.pixels)[middle].max() < 0.005


def test_fluxes_and_positions_agree(both, field):
    """Both restored with the same beam: a wider or narrower one would show a source between pixels differently.

    What the two differ by in position is what either is off from the sky; ours are no further off.
    """
    beam = both[1]["psf"].header.beam
    peaks = []
    for images in both:
        header, cell_rad = images["image"].header, np.radians(images["image"].header.cell_deg)
        restored = restore(images["model"].pixels, images["residual"].pixels, beam, cell_rad, threads=2)
        wcs = celestial_wcs(header, restored.shape)
        places = np.transpose(wcs.all_world2pix(field.sources.ra_deg, field.sources.dec_deg, 0))
        peaks.append(np.array([find_peak(restored, float(x), float(y)) for x, y in places]))
    theirs, ours = peaks
    assert ours[:, 0] == pytest.approx(theirs[:, 0], rel=0.01)
    apart_arcsec = CELL_ARCSEC * np.hypot(*(ours - theirs)[:, 1:].T)
    assert np.sqrt(np.mean(apart_arcsec**2)) < 0.1
    assert apart_arcsec.max() < 0.2
    off_theirs, off_ours = (CELL_ARCSEC * np.hypot(*(found[:, 1:] - places).T) for found in peaks)
    assert np.mean(off_ours) < 1.05 * np.mean(off_theirs)


def test_the_noise_is_the_same(both):
    """No more than theirs; a little less, as our cleaning goes on while the noise falls."""
    theirs, ours = (1.4826 * np.median(np.abs(images["residual"].pixels)) for images in both)
    assert 0.9 * theirs < ours < 1.02 * theirs
