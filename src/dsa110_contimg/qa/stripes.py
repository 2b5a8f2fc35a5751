"""Noise with a direction: stripes across an image, as bad baselines and interference leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import fft, ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Directions that are told apart: sectors of the uv plane, over half a turn.
SECTORS = 12
# The middle of an image is enough [pixels].
_MOST = 2048
# Cells of the uv plane count where the PSF's transform is more than this part of its largest.
_FILLED = 0.02
# The shortest baselines see the mean and the slopes of the image [cells].
_SHORT = 3
# Rings in which baselines of similar length are compared.
_RINGS = 16
_FEWEST = 8


class Stripes(NamedTuple):
    """How much the noise has a direction.

    Attributes
    ----------
    anisotropy : float
        Power of the noise in the direction where it is most, over the mean of all directions; each over what the PSF
        tells, where that is given. 1: none.
    pa_deg : float
        Along which the stripes of that direction run, from north through east, 0 to 180 [deg].
    fringe_jy : float
        Amplitude of the strongest single fringe across the image [Jy/beam].
    fringe_sigma : float
        That fringe over what is usual on baselines of its length; 3 or 4 is chance, 10 is a bad baseline.
    fringe_arcsec, fringe_pa_deg : float
        Its period, and along which direction it runs [arcsec, deg].
    """

    anisotropy: float
    pa_deg: float
    fringe_jy: float
    fringe_sigma: float
    fringe_arcsec: float
    fringe_pa_deg: float

    def as_json(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return self._asdict()


def measure_stripes(
    residual: NDArray[np.floating], cell_deg: float, psf: NDArray[np.floating] | None = None
) -> Stripes | None:
    """Look for directions in a residual image.

    The power of its Fourier transform is summed over sectors of the uv plane, and cell by cell compared with the others
    at the same distance from the middle.

    Parameters
    ----------
    residual : (N, M) ndarray
        Residual; right ascension falls along the second axis. What is not finite counts as 0.
    cell_deg : float
        Pixel size [deg].
    psf : (N, M) ndarray, optional
        Response to a source in the middle: baselines are not equally many in all directions.

    Returns
    -------
    Stripes or None
        None if there is nothing in the image.
    """
    middle = _middle(residual)
    taper = np.outer(*(np.hanning(size + 2)[1:-1] for size in middle.shape)).astype(np.float32)
    power = np.abs(fft.rfft2(middle * taper)) ** 2
    expected = np.ones_like(power) if psf is None else np.abs(fft.rfft2(fft.ifftshift(_middle(psf))))
    v, u = np.meshgrid(fft.fftfreq(middle.shape[0]), fft.rfftfreq(middle.shape[1]), indexing="ij")
    distance = np.hypot(u, v)
    filled = (expected > _FILLED * expected.max()) & (distance * min(middle.shape) > _SHORT)
    if not filled.any() or not power[filled].any():
        return None
    # East is to the left: a fringe that grows to the right by u grows to the north by v.
    across_deg = np.degrees(np.arctan2(-u, v)) % 180.0
    sector = np.minimum((across_deg / 180.0 * SECTORS).astype(int), SECTORS - 1)
    number = np.arange(SECTORS)
    sums = ndimage.sum_labels(np.where(filled, power, 0.0), sector, number)
    due = ndimage.sum_labels(np.where(filled, expected, 0.0), sector, number)
    ratios = np.divide(sums, due, out=np.full(SECTORS, np.nan), where=due > 0.01 * due.max())
    most = int(np.nanargmax(ratios))
    row, column, sigma = _strongest(power / expected.clip(_FILLED * expected.max()), filled, distance)
    amplitude = 2.0 * float(np.sqrt(power[row, column])) / float(taper.sum())
    return Stripes(
        anisotropy=float(ratios[most] / np.nanmean(ratios)),
        pa_deg=float(((most + 0.5) * 180.0 / SECTORS + 90.0) % 180.0),
        fringe_jy=amplitude,
        fringe_sigma=sigma,
        fringe_arcsec=float(3600.0 * cell_deg / distance[row, column]),
        fringe_pa_deg=float((across_deg[row, column] + 90.0) % 180.0),
    )


def _middle(image: NDArray[np.floating]) -> NDArray[np.float32]:
    """Pixels around the middle, as many as are looked at; zero for those that are not finite."""
    half = [min(size, _MOST) // 2 for size in image.shape]
    rows, columns = (slice(size // 2 - n, size // 2 + n) for size, n in zip(image.shape, half, strict=True))
    return np.nan_to_num(np.asarray(image[rows, columns], dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)


def _strongest(
    power: NDArray[np.floating], filled: NDArray[np.bool_], distance: NDArray[np.float64]
) -> tuple[int, int, float]:
    """Find the cell that stands out most among those at its distance: its row, column, and by how many times.

    Power of noise is distributed exponentially: its median is ln 2 of its mean, the square of an amplitude.
    """
    ring = np.minimum((distance / distance[filled].max() * _RINGS).astype(int), _RINGS - 1)
    best = (0, 0, 0.0)
    for number in range(_RINGS):
        rows, columns = np.nonzero(filled & (ring == number))
        if rows.size < _FEWEST:
            continue
        here = power[rows, columns]
        k = int(np.argmax(here))
        usual = float(np.median(here)) / np.log(2.0)
        sigma = float(np.sqrt(here[k] / usual)) if usual > 0.0 else float("inf")
        if sigma > best[2]:
            best = (int(rows[k]), int(columns[k]), sigma)
    return best
