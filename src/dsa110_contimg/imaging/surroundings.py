"""What else was in the sky: how far away the Sun and the brightest sources were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dsa110_contimg.catalogue.bright import load_bright_sources
from dsa110_contimg.telescope.geometry import apparent_directions, meridian_direction
from dsa110_contimg.telescope.sun import sun_icrs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.observation import Observation


def surroundings(observation: Observation) -> dict[str, Any]:
    """Say how far from the pointing the Sun and the brightest sources were in the middle of an observation.

    Returns
    -------
    dict
        ``sun``: ``distance_deg`` from where the dishes point, and ``elevation_deg`` above the horizon of the site.
        ``bright_sources``: the same two of each, by its name, the nearest first.
    """
    middle = observation.middle_mjd
    sun_ra, sun_dec = sun_icrs(middle)
    sources = load_bright_sources()
    ra_deg = np.concatenate([sun_ra, [source.ra_deg for source in sources]])
    dec_deg = np.concatenate([sun_dec, [source.dec_deg for source in sources]])
    directions = apparent_directions(ra_deg, dec_deg, middle, observation.site)[0]
    axis = meridian_direction(observation.pointing_dec_rad)
    zenith = meridian_direction(np.radians(observation.site.latitude_deg))
    figures = [
        {"distance_deg": round(float(_apart_deg(here, axis)), 3), "elevation_deg": round(up, 3)}
        for here, up in ((here, 90.0 - float(_apart_deg(here, zenith))) for here in directions)
    ]
    nearest = sorted(zip(sources, figures[1:], strict=True), key=lambda pair: pair[1]["distance_deg"])
    return {"sun": figures[0], "bright_sources": {source.name: figure for source, figure in nearest}}


def _apart_deg(one: NDArray[np.float64], other: NDArray[np.float64]) -> np.float64:
    """Angle between two unit vectors (3,) [deg]; exact at small angles too."""
    return np.float64(np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other)))
