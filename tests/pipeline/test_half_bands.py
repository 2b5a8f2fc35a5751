"""Images of the halves of a band, beside the whole."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.images.fits import read_image
from dsa110_contimg.imaging.cycle import make_image
from dsa110_contimg.imaging.products import Provenance
from dsa110_contimg.pipeline.imaging import Place, _write_half_bands
from dsa110_contimg.telescope.beams import AiryBeam
from sampled_fields import CORE, sampled_field

SETTINGS = ImageSettings(threads=2, weighting="natural", alpha=0.0, major_cycles=3, auto_mask=1000.0)
PROVENANCE = Provenance("2025-10-05T12:30:00", "a.ms")


@pytest.fixture(scope="module")
def imaged():
    """Samples of two sources, without their model, and their image."""
    field = sampled_field([(8, -3), (-68, 35)], [1.0, 0.8], stations=CORE[::3], every=96, n_times=8, cell_arcsec=25.0)
    mask = np.zeros((256, 256), bool)
    for row, column in zip(field.rows, field.columns, strict=True):
        mask[row - 2 : row + 3, column - 2 : column + 3] = True
    made = make_image(field.samples, field.observation, field.grid, SETTINGS, mask=mask, beam=AiryBeam())
    return field, made


def write(imaged, directory, samples=None, **changes):
    field, made = imaged
    place = Place(directory, "here")
    _write_half_bands(samples or field.samples, made._replace(**changes), place, SETTINGS, PROVENANCE, None)
    return sorted(path.name for path in directory.glob("*-image.fits"))


def test_both_halves_have_their_sources(imaged, tmp_path):
    assert write(imaged, tmp_path) == ["here-lower-image.fits", "here-upper-image.fits"]
    field = imaged[0]
    for half in ("lower", "upper"):
        pixels, power = (read_image(tmp_path / f"here-{half}-{kind}.fits").pixels for kind in ("image", "pb"))
        for row, column, flux in zip(field.rows, field.columns, (1.0, 0.8), strict=True):
            assert pixels[row, column] / power[row, column] == pytest.approx(flux, rel=0.01)


def test_a_half_of_which_no_image_can_be_made_is_left_out(imaged, tmp_path, caplog):
    assert write(imaged, tmp_path, left=None) == []
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "no image of the lower half" in caplog.text


def test_a_half_without_data_is_left_out(imaged, tmp_path, caplog):
    samples = imaged[0].samples
    weights, imaging = samples.weights.copy(), imaged[1].left.weights.copy()
    weights[:, :4] = imaging[:, :4] = 0.0
    left = imaged[1].left._replace(weights=imaging)
    assert write(imaged, tmp_path, samples._replace(weights=weights), left=left) == ["here-upper-image.fits"]
    assert "no good visibility" in caplog.text


def test_one_channel_has_no_halves(imaged, tmp_path, caplog):
    samples = imaged[0].samples
    assert write(imaged, tmp_path, samples._replace(freq_hz=samples.freq_hz[:1])) == []
    assert "cannot be halved" in caplog.text
