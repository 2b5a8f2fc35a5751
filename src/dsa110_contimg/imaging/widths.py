"""What averaging takes from a model: its visibilities are those of samples that are wide in frequency and in time.

Across f channels of which the mean is taken, and n integrations, a source at (l, m) turns the phase of a visibility,
and keeps, to second order,

    1 - pi^2/6 [(1 - 1/f^2) (B/c)^2 (u l + v m)^2 + (n + 1)/(n - 1) (nu/c)^2 (u' l + v' m)^2]

of its amplitude: B is the width of the f channels, (u', v') how far the baseline moved from the first integration to
the last (Bridle and Schwab 1999, in Synthesis Imaging in Radio Astronomy II, ASP 180, 371; n - 1 is left out, as it is
a hundredth of l). So what is missing are the visibilities of three images, l^2, l m and m^2 times the model, each times
a factor of its own. They are less than a hundredth of the model's: little accuracy will do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.samples import Samples

#: Images that are degridded for it.
N_IMAGES = 3
# Components in squares of so many pixels are one source, when it is told how much it loses.
_TOGETHER = 8
_THIRD_HALF = np.pi**2 / 6


class Widths(NamedTuple):
    """How wide N rows of C channels are.

    Attributes
    ----------
    by_channel : (N, 3) float64
        Squares and product of u and v, times that of the width of a channel: (u^2, 2 u v, v^2) B^2 (1 - 1/f^2) / c^2.
    by_time : (N, 3) float64
        The same of how far they moved, (u'^2, 2 u' v', v'^2) (n + 1) / (n - 1) / c^2 [s^2].
    freq_hz : (C,) float64
        [Hz].
    mean : float
        Of a source at a distance of 1 (as a direction cosine), how much is lost in the mean over the weights.
    """

    by_channel: NDArray[np.float64]
    by_time: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    mean: float

    def image(self, number: int, model: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
        """Give the first, second or third image that is degridded, l^2, l m or m^2 times the model (N, N) [Jy]."""
        along = grid.offsets.astype(np.float32)
        m, l = along[:, None], -along  # noqa: E741 - the direction cosine
        return model * (l * l, l * m, m * m)[number]

    def factor(self, number: int, rows: slice) -> NDArray[np.float32]:
        """What the visibilities of that image are multiplied by in some rows and all channels."""
        lost = self.by_channel[rows, number, None] + self.by_time[rows, number, None] * self.freq_hz**2
        return (-_THIRD_HALF * lost).astype(np.float32)

    def lost_jy(self, model: NDArray[np.float32], grid: Grid) -> float:
        """Tell about how much is lost of the source of a model that loses most [Jy]."""
        along = grid.offsets.astype(np.float32)
        far = model * (along[:, None] ** 2 + along**2)
        first = np.arange(0, grid.n_pixels, _TOGETHER)
        return self.mean * float(np.abs(np.add.reduceat(np.add.reduceat(far, first, axis=0), first, axis=1)).max())


def sample_widths(samples: Samples, weights: NDArray[np.float32]) -> Widths | None:
    """Say how wide samples are.

    Parameters
    ----------
    samples : Samples
        N rows, C channels.
    weights : (N, C) float32
        Imaging weights, not all of them 0.

    Returns
    -------
    Widths or None
        None if nothing was averaged, or it is not known what.
    """
    extent = samples.extent
    if extent is None or (extent.channels == 1 and not (extent.times > 1).any()):
        return None
    width = samples.channel_width_hz**2 * (1 - 1 / extent.channels**2)
    several = extent.times > 1
    stretch = np.where(several, (extent.times + 1) / np.where(several, extent.times - 1, 1), 0.0)
    by_channel = _products(samples.uvw_m) * (width / SPEED_OF_LIGHT**2)
    by_time = _products(extent.span_m) * (stretch / SPEED_OF_LIGHT**2)[:, None]
    total = weights.sum(dtype=np.float64)
    by_row = weights.sum(axis=1, dtype=np.float64) / total
    in_time = (weights @ (samples.freq_hz**2).astype(np.float32)).astype(np.float64) / total
    # In the mean over directions, (u l + v m)^2 is half of the product of the squares.
    mean = _THIRD_HALF / 2 * float((by_row @ by_channel + in_time @ by_time)[[0, 2]].sum())
    return Widths(by_channel, by_time, samples.freq_hz, mean)


def _products(uv_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """(u^2, 2 u v, v^2) of each row, (N, 3)."""
    u, v = uv_m[:, 0], uv_m[:, 1]
    return np.column_stack([u * u, 2 * u * v, v * v])
