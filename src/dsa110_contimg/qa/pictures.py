"""What all pictures share: colours, and small PNG files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

INK, SOFT, SOURCE, POWER, NO_DATA = "#111418", "#3c4650", "#0b6fb8", "#d9822b", "#dfe3e8"
VERDICTS = {"good": "#1a7f4b", "usable": "#b26a00", "bad": "#b3261e"}
# A picture in shades of grey with a few colours needs no more.
_COLOURS = 128


def save_png(figure: Figure, path: Path, dpi: int = 110, palette: Image.Image | None = None) -> None:
    """Write a figure as a PNG with a palette, a third the size of one in full colour.

    Parameters
    ----------
    figure, path, dpi
        What, where to, and how large.
    palette : Image, optional
        Its palette is taken; else one is made from the colours of the figure, the frequent ones first.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    FigureCanvasAgg(figure)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, pil_kwargs={"compress_level": 0})
    with Image.open(drawn) as coloured:
        picture = coloured.convert("RGB").quantize(
            _COLOURS, method=Image.Quantize.MEDIANCUT, palette=palette, dither=Image.Dither.NONE
        )
    with output_errors(path):
        picture.save(path, optimize=False, compress_level=6)


def flux_text(flux_jy: float) -> str:
    """Say a flux density in the unit that suits it."""
    return f"{flux_jy:.3g} Jy" if abs(flux_jy) >= 1.0 else f"{1e3 * flux_jy:.3g} mJy"
