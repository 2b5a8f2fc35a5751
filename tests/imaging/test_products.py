import json
import math

import numpy as np
import pytest
from astropy.io import fits

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.errors import OutputError
from dsa110_contimg.images.fits import read_image
from dsa110_contimg.imaging.products import beam_pixels, correct, versions, write_images
from dsa110_contimg.naming import image_stem, parse_image_name
from made_images import CALIBRATION, GROUP, PROVENANCE, SIGMA_JY, SOURCES, imaged

STEM = image_stem(GROUP)
KINDS = ("image", "pbcor", "pb", "residual", "model", "psf", "rms")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_images(imaged(), tmp_path_factory.mktemp("images"), STEM, PROVENANCE, ImageSettings())


def test_every_kind_has_its_file_and_nothing_else_is_there(written):
    assert set(written) == {*KINDS, "record"}
    directory = written["image"].parent
    assert sorted(path.name for path in directory.iterdir()) == sorted(path.name for path in written.values())
    for kind in KINDS:
        assert parse_image_name(written[kind].name) == (GROUP, kind, None, None)


def test_pixels_are_what_was_made(written):
    made = imaged()
    for kind in ("image", "pb", "residual", "model", "psf"):
        assert np.array_equal(read_image(written[kind]).pixels, getattr(made, kind))
    noise = read_image(written["rms"]).pixels
    assert np.median(noise) == pytest.approx(SIGMA_JY, rel=0.1)


def test_the_corrected_image_has_true_fluxes_and_is_blank_outside(written):
    made, corrected = imaged(), read_image(written["pbcor"]).pixels
    for row, column, flux in SOURCES:
        assert corrected[row, column] * made.pb[row, column] == pytest.approx(flux, abs=5 * SIGMA_JY)
    assert np.array_equal(np.isnan(corrected), made.pb < 0.05)
    assert np.isnan(corrected).any()


def test_units(written):
    units = {kind: fits.getheader(written[kind])["BUNIT"] for kind in KINDS}
    assert units.pop("pb") == ""
    assert units.pop("model") == "JY/PIXEL"
    assert set(units.values()) == {"JY/BEAM"}
    assert fits.getheader(written["pb"])["BTYPE"] == "PrimaryBeam"


def test_cards_say_where_it_comes_from(written):
    cards = fits.getheader(written["image"])
    assert (cards["GROUP"], cards["OBJECT"]) == (GROUP, "3C147")
    assert [cards["CALSET1"], cards["CALSET2"]] == CALIBRATION["sets"]
    assert (cards["CALRUNG"], cards["CALSTALE"], cards["CALERR"]) == ("between", False, 0.03)
    assert cards["EXPTIME"] == pytest.approx(24 * 12.884901888)
    assert (cards["IMWEIGHT"], cards["IMMAJOR"], cards["IMMINOR"]) == ("briggs 0.5", 2, 120)
    history = "".join(str(line) for line in cards["HISTORY"])
    for text in (*CALIBRATION["sets"], "20251005T122848.ms", "radler", "ducc0", "dsa110-contimg image a.ms out"):
        assert text in history


def test_cards_survive_reading_and_writing(written):
    header = read_image(written["image"]).header
    own = {card.key: card.value for card in header.cards}
    assert (own["GROUP"], own["CALRUNG"], own["IMNVIS"]) == (GROUP, "between", 5678)
    assert "HISTORY" not in own
    assert "CRVAL1" not in own


def test_the_record_is_json_with_the_figures(written):
    figures = json.loads(written["record"].read_text())
    assert figures["provenance"]["calibration"]["sets"] == CALIBRATION["sets"]
    assert figures["rms_jy"] == pytest.approx(SIGMA_JY, rel=0.1)
    assert figures["dynamic_range"] == pytest.approx(figures["peak_jy"] / figures["rms_jy"])
    assert figures["beam"]["major_arcsec"] == pytest.approx(80.0)
    assert [cycle["iterations"] for cycle in figures["cycles"]] == [50, 120]
    assert figures["settings"]["weighting"] == "briggs"
    assert figures["files"]["pbcor"] == f"{STEM}-pbcor.fits"
    assert figures["versions"]["radler"]


def test_what_is_unknown_is_null_and_has_no_card(tmp_path):
    made = imaged()._replace(thermal_jy=math.nan)
    written = write_images(made, tmp_path, STEM, PROVENANCE._replace(calibration=None), ImageSettings())
    assert json.loads(written["record"].read_text())["thermal_jy"] is None
    cards = fits.getheader(written["image"])
    assert "IMTHERM" not in cards
    assert "CALRUNG" not in cards
    assert "not calibrated here" in str(cards["HISTORY"])


def test_sub_bands_have_files_of_their_own(tmp_path):
    written = write_images(imaged(2), tmp_path, STEM, PROVENANCE, ImageSettings(channels_out=2))
    first, second = (read_image(written[f"image-{k:04d}"]).header for k in range(2))
    assert (first.freq_hz, second.freq_hz) == (1.36e9, 1.45e9)
    assert parse_image_name(written["psf-0001"].name) == (GROUP, "psf", None, 1)


def test_only_what_is_wanted_and_the_difference(tmp_path):
    difference = np.ones((96, 96), np.float32)
    kinds = ("image", "difference")
    written = write_images(
        imaged(), tmp_path, STEM, PROVENANCE, ImageSettings(), kinds=kinds, difference=difference, figures={"more": 1}
    )
    assert set(written) == {*kinds, "record"}
    assert read_image(written["difference"]).pixels.min() == 1.0
    assert json.loads(written["record"].read_text())["more"] == 1


def test_no_directory(tmp_path):
    with pytest.raises(OutputError):
        write_images(imaged(), tmp_path / "missing", STEM, PROVENANCE, ImageSettings())


def test_correction_never_divides_by_nothing():
    image, pb = np.ones((2, 2), np.float32), np.array([[1.0, 0.5], [0.04, 0.0]], np.float32)
    assert np.array_equal(correct(image, pb, 0.05), [[1.0, 2.0], [np.nan, np.nan]], equal_nan=True)


def test_beam_in_pixels():
    made = imaged()
    assert beam_pixels(made.beam, made.grid.cell_rad) == pytest.approx(np.sqrt(80 * 60) / 20)


def test_versions_are_of_what_is_installed():
    assert {"dsa110-contimg", "ducc0", "radler", "numpy"} <= set(versions())
