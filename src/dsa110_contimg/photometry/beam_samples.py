"""Where sources were in the primary beam while the images were taken, and the beam's power there, averaged as they are.

An image is the mean over its integrations and channels, in which the sky drifts through the beam; so the power that
attenuates a source is the mean of the power along its way. Here both means are Gauss-Legendre sums over a few moments
and frequencies: for a group and half a band they are exact to 1e-5 of the peak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.errors import HeaderValueError
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.beams import beam_model, beam_offsets
from dsa110_contimg.telescope.geometry import apparent_directions, meridian_direction

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.telescope.beams import BeamModel

N_TIMES, N_FREQUENCIES = 5, 4
_DEFAULT_MODEL = "airy"


class Track(NamedTuple):
    """The ways of R sources through the beam.

    Attributes
    ----------
    x, y : (R, T) float64
        Direction cosines to the east and north of the pointing, at T moments.
    time_weights : (T,) float64
        Of the moments; their sum is 1.
    freq_hz, freq_weights : (R, F) or (F,) float64
        Frequencies [Hz], and their weights, of which the sum is 1.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    time_weights: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    freq_weights: NDArray[np.float64]

    def mean_power(
        self, power: Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Average a function of (x, y, frequency) along the ways and over the band, (R,)."""
        values = power(self.x[:, :, None], self.y[:, :, None], np.atleast_2d(self.freq_hz)[:, None, :])
        return np.asarray((values @ self.freq_weights) @ self.time_weights)

    @property
    def middle(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean offsets (R,), to the east and north."""
        return self.x @ self.time_weights, self.y @ self.time_weights


def track(header: ImageHeader, ra_deg: ArrayLike, dec_deg: ArrayLike) -> Track:
    """Follow sources through the beam while an image was taken.

    Parameters
    ----------
    header : ImageHeader
        Of a group's image: its time, band and pointing.
    ra_deg, dec_deg : (R,) array_like
        Positions, ICRS [deg].
    """
    moments, time_weights = _nodes(header.start_mjd, header.end_mjd, N_TIMES)
    half_hz = header.bandwidth_hz / 2.0
    freq_hz, freq_weights = _nodes(header.freq_hz - half_hz, header.freq_hz + half_hz, N_FREQUENCIES)
    axis = _pointing(header)
    directions = apparent_directions(ra_deg, dec_deg, moments, HEADER_SITE) @ axis.turn.T
    x, y = beam_offsets(directions, axis.dec_rad)
    # Behind the dishes there is no beam: as far off as can be.
    behind = directions @ meridian_direction(axis.dec_rad) <= 0.0
    return Track(np.where(behind, 1.0, x).T, np.where(behind, 1.0, y).T, time_weights, freq_hz, freq_weights)


class _Pointing(NamedTuple):
    """Apparent declination of the dishes [rad], and what turns the meridian frame to that of their hour angle."""

    dec_rad: float
    turn: NDArray[np.float64]


def _pointing(header: ImageHeader) -> _Pointing:
    """Say where the dishes point: to the meridian, as the image says; or to its centre, if it says nothing."""
    for card in header.cards:
        if card.key == "PNTDEC" and isinstance(card.value, int | float):
            return _Pointing(float(np.radians(card.value)), np.eye(3))
    x, y, z = apparent_directions([header.ra_deg], [header.dec_deg], [header.middle_mjd], HEADER_SITE)[0, 0]
    along = np.hypot(x, y)
    turn = np.array([[x / along, y / along, 0.0], [-y / along, x / along, 0.0], [0.0, 0.0, 1.0]])
    return _Pointing(float(np.arctan2(z, along)), turn)


def pointing_dec_deg(header: ImageHeader) -> float:
    """Apparent declination of the dishes [deg]: as the image says, or that of its centre at its middle."""
    return float(np.degrees(_pointing(header).dec_rad))


def model_name(header: ImageHeader) -> str:
    """Name the model of the primary beam that an image was made with."""
    said = [str(card.value) for card in header.cards if card.key == "PBMODEL"]
    return said[0] if said else _DEFAULT_MODEL


def model_of(header: ImageHeader) -> BeamModel:
    """Give the model of the primary beam that an image was made with.

    Raises
    ------
    UsageError
        It is a file that is not there any more, or is no beam.
    """
    return beam_model(model_name(header))


def _nodes(start: float, end: float, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give places between two ends, and weights that sum to 1, for a mean."""
    if not end >= start:
        raise HeaderValueError(f"it ends at {end} but begins at {start}")
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (start + end) / 2.0 + nodes * (end - start) / 2.0, weights / 2.0
