"""Our FITS images as others see them: CASA reads them, and their cards are those of an image that WSClean wrote."""

import shutil
import subprocess

import numpy as np
import pytest
from astropy.io import fits

from casa import needs_casa, run_casa
from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.images.fits import celestial_wcs, read_image
from dsa110_contimg.imaging.products import write_images
from dsa110_contimg.naming import image_stem
from made_images import GROUP, PROVENANCE, SIGMA_JY, SOURCES, imaged
from predicted_ms import PredictedMs

CASA = """
from casatasks import imfit, imhead, imstat
from casatools import image
result = {"header": {}, "places": []}
for kind, path in args["images"].items():
    head = imhead(path, mode="list")
    stat = imstat(path)
    result["header"][kind] = {key: head[key] for key in head if key[:5] in ("crval", "cdelt", "crpix", "ctype")}
    result["header"][kind].update(unit=head["bunit"], telescope=head["telescope"], observed=head["date-obs"])
    result["header"][kind].update(beam=[head.get(key, {}) for key in ("beammajor", "beamminor", "beampa")])
    result["header"][kind].update(max=float(stat["max"][0]), rest=head["restfreq"][0])
tool = image()
tool.open(args["images"]["image"])
for x, y in args["pixels"]:
    world = tool.toworld([x, y, 0, 0], "q")["quantity"]
    result["places"].append([world["*1"]["value"], world["*2"]["value"], world["*3"]["value"]])
tool.close()
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_images(imaged(), tmp_path_factory.mktemp("images"), image_stem(GROUP), PROVENANCE, ImageSettings())


@pytest.mark.casa
@needs_casa
def test_casa_reads_every_image(written, tmp_path):
    images = {kind: str(path) for kind, path in written.items() if kind != "record"}
    pixels = [(column, row) for row, column, _ in SOURCES] + [(3, 90)]
    ran = run_casa(tmp_path, CASA, images=images, pixels=pixels)
    assert ran.complaints == []
    made, header = imaged(), read_image(written["image"]).header
    said = ran.result["header"]["image"]
    assert (said["unit"].lower(), said["telescope"]) == ("jy/beam", "OVRO_MMA")
    assert said["observed"].startswith("2025/10/05/12:28:48")
    assert [axis["value"] for axis in said["beam"]] == pytest.approx([80.0, 60.0, 0.0])
    assert said["rest"] == pytest.approx(1.405e9)
    assert said["max"] == pytest.approx(made.image.max())
    ours = np.transpose(celestial_wcs(header, made.image.shape).all_pix2world(*np.transpose(pixels), 0))
    places = np.array(ran.result["places"])
    angles = np.where(np.abs(places[:, :2]) > 2 * np.pi, places[:, :2], np.degrees(places[:, :2]))
    # CASA tells the right ascension between -180 and 180 deg.
    assert np.abs((angles[:, 0] - ours[:, 0] + 180) % 360 - 180).max() * 3600 < 1e-3
    assert np.abs(angles[:, 1] - ours[:, 1]).max() * 3600 < 1e-3
    assert places[:, 2] == pytest.approx(1.405e9)
    assert ran.result["header"]["pbcor"]["max"] == pytest.approx(np.nanmax(read_image(written["pbcor"]).pixels))
    assert ran.result["header"]["rms"]["max"] < 2 * SIGMA_JY


@pytest.mark.wsclean
@pytest.mark.skipif(shutil.which("wsclean") is None, reason="WSClean is not installed")
def test_cards_are_those_of_wsclean(written, tmp_path):
    """Every card that is not WSClean's own is there, of the same type, and with the same meaning."""
    ms = PredictedMs(tmp_path / "a.ms", [(0.1, 0.1)], [1.0], n_times=2).path
    options = ["-size", "96", "96", "-scale", "20asec", "-niter", "10", "-no-update-model-required", "-j", "2"]
    done = subprocess.run(
        ["wsclean", *options, "-name", "sky", str(ms)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for kind in ("image", "residual", "model", "psf"):
        theirs, ours = fits.getheader(tmp_path / f"sky-{kind}.fits"), fits.getheader(written[kind])
        for key in theirs:
            if key.startswith("WSC") or key in {"COMMENT", "HISTORY", "EXTEND", "BSCALE", "BZERO"}:
                continue
            assert key in ours, key
            assert isinstance(ours[key], str) == isinstance(theirs[key], str), key
        same = ["SIMPLE", "BITPIX", "NAXIS", *(f"NAXIS{k}" for k in range(1, 5)), *(f"CTYPE{k}" for k in range(1, 5))]
        same += [*(f"CRPIX{k}" for k in range(1, 5)), *(f"CUNIT{k}" for k in range(1, 5)), "BUNIT", "BTYPE", "TELESCOP"]
        same += ["EQUINOX", "SPECSYS", "CRVAL4", "CDELT4"]
        for key in same:
            assert ours[key] == theirs[key], key
        assert ours["CDELT1"] == pytest.approx(theirs["CDELT1"])
        assert ours["CDELT2"] == pytest.approx(theirs["CDELT2"])


def test_trap_and_vast_find_what_they_look_for(written):
    """Cards by which TraP and VAST tell time, duration, frequency, band and resolution."""
    cards = fits.getheader(written["image"])
    for key in ("DATE-OBS", "DATE-END", "TIMESYS", "TELESCOP", "EXPTIME", "DURATION", "RESTFRQ", "RESTBW", "MJD-OBS"):
        assert cards[key] not in ("", None), key
    assert cards["TIMESYS"] == "UTC"
    assert cards["RESTFRQ"] == cards["CRVAL3"]
    assert cards["RESTBW"] == cards["CDELT3"]
