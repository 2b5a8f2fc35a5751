"""Interference in one dynamic spectrum, found by aoflagger's SumThreshold.

Offringa et al. 2010, MNRAS 405, 155: runs of 1, 2, 4, ... neighbouring samples are held against a threshold that falls
with their number. Our strategies (``strategies/*.lua``) run it twice: on what is strong as it stands, if anything is,
then on what is left, after a smooth background has been taken away. By then what is masked is filled with good samples,
drawn by chance: aoflagger's low-pass filter looks at masked samples too, and its fast SumThreshold would hold the few
good samples of a run against the threshold of the whole run.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import aoflagger
import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# With fewer good samples than this there is no noise to measure.
_FEWEST_SAMPLES = 32
# Every so many samples are enough to tell their distribution.
_QUANTILE_STEP = 4
# The median, and what Gaussian noise has a standard deviation below it.
_QUANTILES = (0.1587, 0.5)
# Without a sample so many standard deviations above the median, nothing is strong; noise has one in a million images.
_STRONG_SIGMA = 8.0


class Detector:
    """Finds interference in images of one size.

    Parameters
    ----------
    n_times, n_channels : int
        Their size.
    kind : {"array", "baseline"}
        What they are of: the mean of the array, with little noise, or one baseline.
    """

    def __init__(self, n_times: int, n_channels: int, kind: Literal["array", "baseline"]) -> None:
        self._flagger = aoflagger.AOFlagger()
        folder = files("dsa110_contimg.flagging") / "strategies"
        self._strong, self._faint = (
            self._flagger.load_strategy_file(str(folder / f"{kind}_{name}.lua")) for name in ("strong", "faint")
        )
        # The noise of the array's mean is so low that wide emission need not stick out in any one sample.
        self._only_if_strong = kind == "baseline"
        # aoflagger's images are channels high and times wide.
        self._image = self._flagger.make_image_set(n_times, n_channels, 1)
        self._mask = self._flagger.make_flag_mask(n_times, n_channels)
        self._flat = np.empty((n_channels, n_times), np.float32)
        self._bad = np.empty((n_channels, n_times), np.bool_)
        self._drawn_from, self._drawn = 0, np.empty(0, np.int64)

    def find(self, image: NDArray[np.floating], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Find what sticks out of an image.

        Parameters
        ----------
        image : (T, C) float
            Amplitudes or powers in any unit, with the same noise everywhere.
        mask : (T, C) bool
            What is not to be looked at.

        Returns
        -------
        (T, C) bool
            What sticks out, outside the mask.
        """
        bad, good = sort_out(image, mask)
        looked_at = ~bad
        if good.size >= _FEWEST_SAMPLES:
            low, middle = _low_and_middle(good)
            n_bad = bad.size - good.size
            if not self._only_if_strong or _highest(good, middle, n_bad) >= _STRONG_SIGMA * (middle - low):
                self._run(self._strong, image, bad, middle, np.zeros(n_bad, np.float32))
                bad, good = sort_out(image, bad)
                middle = _low_and_middle(good)[1] if good.size >= _FEWEST_SAMPLES else middle
        if good.size >= _FEWEST_SAMPLES:
            drawn = good[self._draw(good.size, bad.size - good.size)]
            self._run(self._faint, image, bad, middle, (drawn - np.float64(middle)).astype(np.float32))
        return bad & looked_at

    def _draw(self, n_good: int, count: int) -> NDArray[np.int64]:
        """Draw so many of the good samples, the same each time: most baselines have as many."""
        if self._drawn_from != n_good or self._drawn.size != count:
            self._drawn_from, self._drawn = n_good, np.random.default_rng(0).integers(0, n_good, count)
        return self._drawn

    def _run(
        self,
        strategy: aoflagger.Strategy,
        image: NDArray[np.floating],
        bad: NDArray[np.bool_],
        middle: float,
        filling: NDArray[np.float32],
    ) -> None:
        """Add to what is bad what a strategy finds, with the rest filled in its order in the image."""
        flatten(image, bad, middle, filling, self._flat, self._bad)
        self._image.set_image_buffer(0, self._flat)
        self._mask.set_buffer(self._bad)
        bad |= strategy.run(self._image, self._mask).get_buffer().T


@numba.njit(cache=True, nogil=True)
def sort_out(image: NDArray[np.floating], mask: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
    """Tell the samples of an image (T, C) that are masked or not finite, (T, C), and give the others, (n,)."""
    n_times, n_channels = image.shape
    bad = np.empty(image.shape, np.bool_)
    good = np.empty(image.size, image.dtype)
    n = 0
    for t in range(n_times):
        for c in range(n_channels):
            value = image[t, c]
            bad[t, c] = mask[t, c] or not np.isfinite(value)
            good[n] = value
            n += not bad[t, c]
    return bad, good[:n]


@numba.njit(cache=True, nogil=True)
def flatten(
    image: NDArray[np.floating],
    bad: NDArray[np.bool_],
    middle: float,
    filling: NDArray[np.float32],
    flat: NDArray[np.float32],
    mask: NDArray[np.bool_],
) -> None:
    """Fill in an image and a mask as aoflagger wants them.

    Parameters
    ----------
    image : (T, C) float
        Any image.
    bad : (T, C) bool
        Which of its samples do not count.
    middle : float
        What is taken from the others.
    filling : (n,) float32
        What is put in the place of those that do not count, in the order of `bad`.
    flat, mask : (C, T) float32, bool
        Filled in.
    """
    n_times, n_channels = image.shape
    n = 0
    for t in range(n_times):
        for c in range(n_channels):
            mask[c, t] = bad[t, c]
            if bad[t, c]:
                flat[c, t] = filling[n]
                n += 1
            else:
                flat[c, t] = np.float32(image[t, c] - middle)


def _low_and_middle(good: NDArray[np.floating]) -> tuple[float, float]:
    """Quantiles of some of the good samples: a standard deviation below the median, and that."""
    ordered = np.sort(good[::_QUANTILE_STEP])
    # In numpy's way, with less around it: numpy.quantile takes six times as long.
    where = [(ordered.size - 1) * q for q in _QUANTILES]
    low, middle = (_between(ordered, position) for position in where)
    return low, middle


def _between(ordered: NDArray[np.floating], position: float) -> float:
    first = int(position)
    low, high = ordered[first], ordered[min(first + 1, ordered.size - 1)]
    part, step = position - first, float(high - low)
    return float(low) + step * part if part < 0.5 else float(high) - step * (1 - part)


def _highest(good: NDArray[np.floating], middle: float, n_bad: int) -> float:
    """How far the highest sample is above the middle, 0 at the least if others are bad: they will be 0."""
    highest = float(np.float32(float(good.max()) - middle))
    return max(highest, 0.0) if n_bad else highest
