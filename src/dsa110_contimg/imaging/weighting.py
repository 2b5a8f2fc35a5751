"""Weighting of the uv plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.samples import Samples


class Weighting(NamedTuple):
    """What `apply_weighting` makes.

    Attributes
    ----------
    weights : (N, C) float32
        Imaging weights; only their ratios count. 0 where the samples' weights are.
    facts : dict
        Figures for records.
    """

    weights: NDArray[np.float32]
    facts: dict[str, Any]


def apply_weighting(samples: Samples, grid: Grid, settings: ImageSettings) -> Weighting:
    """Weigh the samples as ``weighting``, ``robust`` and ``taper_arcsec`` say.

    Parameters
    ----------
    samples : Samples
        With their inverse variances.
    grid : Grid
        Its size tells that of the cells in which weights are counted.
    settings : ImageSettings
        What is wanted.
    """
    return Weighting(samples.weights, {"weighting": settings.weighting, "pixels": grid.n_pixels})
