"""The figure of a beam has a row for each band, and is written whole or said not to be."""

import numpy as np
import pytest
from PIL import Image

from beam_measurements import observed
from dsa110_contimg.errors import OutputError
from dsa110_contimg.photometry.beam_crossings import gather
from dsa110_contimg.photometry.beam_fit import fit_beam
from dsa110_contimg.qa.beam_figure import draw_beam
from dsa110_contimg.telescope.beams import AiryBeam


@pytest.mark.parametrize("bands", [("lower", "upper"), ("full",)], ids=len)
def test_a_row_a_band(tmp_path, bands):
    data = gather(*observed(AiryBeam().power, bands=bands, n_groups=5, n_sources=80))
    fit = fit_beam(data)
    path = tmp_path / "beam.png"
    draw_beam(path, data, fit, "a beam")
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[0] == pytest.approx((0.6 + 3.6 * len(bands)) * 110, abs=1)
    # The fitted curve is there, and red.
    red = (pixels[..., 0] > 190) & (pixels[..., 1] < 60) & (pixels[..., 2] < 60)
    assert red.sum() > 300 * len(bands)
    with pytest.raises(OutputError):
        draw_beam(tmp_path / "gone" / "beam.png", data, fit, "a beam")
