"""WSClean, an external program, images the Measurement Set."""

import re
import shutil
import subprocess

import casacore.tables as ct
import numpy as np
import pytest

from sky_image import fluxes_of, measure, read_image

pytestmark = [
    pytest.mark.wsclean,
    pytest.mark.skipif(shutil.which("wsclean") is None, reason="WSClean is not installed"),
]

# nsamples are uniform, so WEIGHT says all that WEIGHT_SPECTRUM could; which is what WSClean then uses.
KNOWN = "no or an invalid WEIGHT_SPECTRUM column; will use less informative WEIGHT column"


@pytest.fixture(scope="module")
def imaged(observed, tmp_path_factory):
    """Return the directory of images, and what was printed."""
    directory = tmp_path_factory.mktemp("wsclean")
    # Its default gridder takes two w-layers here, and puts sources 0.4 arcsec off.
    options = ["-use-wgridder", "-size", "768", "768", "-scale", "3asec", "-weight", "natural", "-j", "2"]
    cleaning = ["-niter", "100", "-mgain", "0.8", "-no-update-model-required"]
    done = subprocess.run(
        ["wsclean", *options, *cleaning, "-name", "sky", str(observed.ms)],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory, done.stdout + done.stderr


def test_it_has_nothing_to_say_against_the_measurement_set(imaged):
    _, said = imaged
    warnings = [line for line in said.splitlines() if re.search("warn|error|invalid|unknown", line, re.IGNORECASE)]
    assert [line for line in warnings if KNOWN not in line] == []


def test_the_dirty_image_holds_the_true_flux(imaged, observed):
    dirty, psf = (read_image(imaged[0] / f"sky-{kind}.fits") for kind in ("dirty", "psf"))
    fluxes = fluxes_of(dirty, psf, observed.sources_deg)
    np.testing.assert_allclose(fluxes, observed.apparent_jy, rtol=0.005)


def test_cleaned_sources_are_where_and_as_bright_as_they_are(imaged, observed):
    image = read_image(imaged[0] / "sky-image.fits")
    for (ra, dec), flux in zip(observed.sources_deg, observed.apparent_jy, strict=True):
        peak, east, north = measure(image, ra, dec)
        assert np.hypot(east, north) < 0.3
        assert peak == pytest.approx(flux, rel=0.015)


def test_only_good_samples_are_gridded(imaged, observed):
    n_antennas = len(observed.truth["antennas"])
    good = n_antennas * (n_antennas - 1) // 2 * len(observed.truth["mjd"]) * 15 * 48
    assert f"Gridded visibility count: {good}" in imaged[1]


def test_it_adds_its_model_to_the_measurement_set(copied, tmp_path):
    done = subprocess.run(
        [
            "wsclean",
            "-use-wgridder",
            "-size",
            "256",
            "256",
            "-scale",
            "8asec",
            "-niter",
            "10",
            "-mgain",
            "0.9",
            "-name",
            "x",
            str(copied),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with ct.table(str(copied), ack=False) as ms:
        model = ms.getcol("MODEL_DATA")
        assert model.shape == ms.getcol("DATA").shape
        assert np.abs(model).max() > 0.05
