"""PNG files with a palette."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from dsa110_contimg.errors import OutputError
from dsa110_contimg.qa.pictures import VERDICTS, flux_text, save_png


def test_colours_stay(tmp_path) -> None:
    figure = Figure(figsize=(2, 1), facecolor=VERDICTS["bad"])
    save_png(figure, tmp_path / "a.png", dpi=50)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        assert picture.size == (100, 50)
        wanted = [int(VERDICTS["bad"][k : k + 2], 16) for k in (1, 3, 5)]
        np.testing.assert_allclose(picture.convert("RGB").getpixel((50, 25)), wanted, atol=8)


def test_no_place_for_it(tmp_path) -> None:
    with pytest.raises(OutputError):
        save_png(Figure(figsize=(1, 1)), tmp_path / "none" / "a.png")


def test_flux_text() -> None:
    assert [flux_text(flux) for flux in (2.345, 0.801)] == ["2.35 Jy", "801 mJy"]
