"""Orthographic (SIN) planes: where they are on the sky, and how one is turned against another.

A direction has the cosines (l, m, n) along east, north and the centre of a plane (Greisen & Calabretta 2002, A&A 395,
1077, section 5.1.5); those of two planes differ by a rotation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Plane(NamedTuple):
    """A grid of pixels on the tangent plane.

    Attributes
    ----------
    ra_deg, dec_deg : float
        Its centre, ICRS [deg]: the pixel ``(n_dec // 2, n_ra // 2)``, counted from 0.
    cell_deg : float
        Pixel size at the centre [deg].
    n_dec, n_ra : int
        Pixels.
    """

    ra_deg: float
    dec_deg: float
    cell_deg: float
    n_dec: int
    n_ra: int

    @property
    def axes(self) -> NDArray[np.float64]:
        """Unit vectors of east, north and the centre, in ICRS; (3, 3), a row each."""
        ra, dec = np.radians([self.ra_deg, self.dec_deg])
        sin_ra, cos_ra, sin_dec, cos_dec = np.sin(ra), np.cos(ra), np.sin(dec), np.cos(dec)
        return np.array(
            [
                [-sin_ra, cos_ra, 0.0],
                [-sin_dec * cos_ra, -sin_dec * sin_ra, cos_dec],
                [cos_dec * cos_ra, cos_dec * sin_ra, sin_dec],
            ]
        )

    def vectors(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unit vectors (n, 3), ICRS, of pixels (n,); NaN where there is no sky."""
        cell = np.radians(self.cell_deg)
        l, m = -(x - self.n_ra // 2) * cell, (y - self.n_dec // 2) * cell  # noqa: E741 - the field's letters
        square = 1.0 - l * l - m * m
        n = np.sqrt(np.where(square > 0, square, np.nan))
        return np.asarray(np.stack([l, m, n], axis=-1) @ self.axes)

    def pixels(self, vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels x, y (n,) of unit vectors (n, 3), ICRS; NaN for those on the other side of the sky."""
        cosines = vectors @ self.axes.T
        cell = np.radians(self.cell_deg)
        seen = np.where(cosines[..., 2] > 0, 1.0, np.nan)
        return self.n_ra // 2 - cosines[..., 0] / cell * seen, self.n_dec // 2 + cosines[..., 1] / cell * seen


def rotation(onto: Plane, of: Plane) -> NDArray[np.float64]:
    """Rotation that takes direction cosines (l, m, n) of `onto` to those of `of`, (3, 3)."""
    return np.asarray(of.axes @ onto.axes.T)


def turned_by(onto: Plane, of: Plane) -> float:
    """Position angle in the plane `onto` of the north of another at its centre [deg], north through east."""
    east, north, _ = rotation(onto, of)[1]
    return float(np.degrees(np.arctan2(east, north)))


def mean_direction(planes: Sequence[Plane]) -> tuple[float, float]:
    """Right ascension and declination of the mean of the centres [deg]: of vectors, for 0h and 24h are one place."""
    x, y, z = np.sum([plane.axes[2] for plane in planes], axis=0)
    return float(np.degrees(np.arctan2(y, x)) % 360.0), float(np.degrees(np.arctan2(z, np.hypot(x, y))))
