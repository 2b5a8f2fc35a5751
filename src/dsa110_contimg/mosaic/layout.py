"""The grid of a mosaic: large enough for all that the beams reach, no finer than the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.errors import MosaicError
from dsa110_contimg.mosaic.plane import Plane, mean_direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Beyond this the cosine that an orthographic plane squeezes pixels by is below 0.87.
_WIDEST_DEG = 60.0


def lay_out(planes: Sequence[Plane], reach: Sequence[NDArray[np.bool_]], cell_deg: float | None = None) -> Plane:
    """Lay out the grid of a mosaic.

    Parameters
    ----------
    planes : sequence of Plane
        Those of the images.
    reach : sequence of (n_dec, n_ra) bool
        Where the beam of each is strong enough.
    cell_deg : float, optional
        Pixel size [deg]; that of the finest image if not given.

    Raises
    ------
    MosaicError
        No beam reaches anything, or they are too far apart for one plane.
    """
    cell = min(plane.cell_deg for plane in planes) if cell_deg is None else cell_deg
    ra_deg, dec_deg = mean_direction(planes)
    middle = Plane(ra_deg, dec_deg, cell, 0, 0)
    corners = []
    for plane, there in zip(planes, reach, strict=True):
        rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
        if not rows.size:
            continue
        # The edge of the box around it: extremes of a map so smooth are on it.
        x = np.concatenate([np.linspace(columns[0], columns[-1], 33)] * 2 + [np.full(33, columns[k]) for k in (0, -1)])
        y = np.concatenate([np.full(33, rows[k]) for k in (0, -1)] + [np.linspace(rows[0], rows[-1], 33)] * 2)
        corners.append(np.stack(middle.pixels(plane.vectors(x, y))))
    if not corners:
        raise MosaicError("no primary beam reaches the floor", remedy="Is mosaic.floor below 1?")
    found = np.abs(np.concatenate(corners, axis=1))
    if np.isnan(found).any() or found.max() * cell > np.degrees(np.sin(np.radians(_WIDEST_DEG / 2))):
        raise MosaicError(
            f"the images are more than {_WIDEST_DEG:g} degrees apart", remedy="Join fewer, such as those of an hour."
        )
    n_ra, n_dec = (2 * int(np.ceil(value)) + 2 for value in found.max(axis=1))
    return Plane(ra_deg, dec_deg, cell, n_dec, n_ra)
