"""CASA's tclean images the Measurement Set."""

import numpy as np
import pytest

from casa import needs_casa, run_casa
from sky_image import fluxes_of, measure, read_image

pytestmark = [pytest.mark.casa, needs_casa]

PROGRAM = """
from casatasks import exportfits, tclean
# Without w-projection sources are 0.4 arcsec off.
how = dict(vis=args["ms"], imagename="sky", datacolumn="data", imsize=768, cell="3arcsec", stokes="I", specmode="mfs",
           gridder="wproject", wprojplanes=16, weighting="natural", pblimit=-1, savemodel="none", restoration=False)
tclean(niter=0, **how)
exportfits("sky.residual", "dirty.fits")
exportfits("sky.psf", "psf.fits")
tclean(**how | {"niter": 100, "calcpsf": False, "calcres": False, "restoration": True})
exportfits("sky.image", "cleaned.fits")
"""


@pytest.fixture(scope="module")
def imaged(observed, tmp_path_factory):
    """Return the directory of images, and the run."""
    directory = tmp_path_factory.mktemp("tclean")
    return directory, run_casa(directory, PROGRAM, ms=str(observed.ms))


def test_casa_does_not_complain(imaged):
    assert imaged[1].complaints == []


def test_the_dirty_image_holds_the_true_flux(imaged, observed):
    dirty, psf = (read_image(imaged[0] / f"{kind}.fits") for kind in ("dirty", "psf"))
    fluxes = fluxes_of(dirty, psf, observed.sources_deg)
    np.testing.assert_allclose(fluxes, observed.apparent_jy, rtol=0.01)


def test_cleaned_sources_are_where_and_as_bright_as_they_are(imaged, observed):
    image = read_image(imaged[0] / "cleaned.fits")
    for (ra, dec), flux in zip(observed.sources_deg, observed.apparent_jy, strict=True):
        peak, east, north = measure(image, ra, dec)
        assert np.hypot(east, north) < 0.3
        assert peak == pytest.approx(flux, rel=0.02)
