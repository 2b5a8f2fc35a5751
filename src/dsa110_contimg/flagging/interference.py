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
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# With fewer good samples than this there is no noise to measure.
_FEWEST_SAMPLES = 32
# Every so many samples are enough to tell their distribution.
_QUANTILE_STEP = 4
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
        bad = mask | ~np.isfinite(image)
        looked_at = ~bad
        for strategy in (self._strong, self._faint):
            good = image[~bad]
            if good.size < _FEWEST_SAMPLES:
                break
            low, middle = np.quantile(good[::_QUANTILE_STEP], [0.1587, 0.5])
            flat = (image - middle).astype(np.float32)
            flat[bad] = 0.0 if strategy is self._strong else _drawn(good, int(np.count_nonzero(bad))) - middle
            nothing_strong = flat.max() < _STRONG_SIGMA * (middle - low)
            if strategy is self._strong and self._only_if_strong and nothing_strong:
                continue
            self._image.set_image_buffer(0, np.ascontiguousarray(flat.T))
            self._mask.set_buffer(np.ascontiguousarray(bad.T))
            bad = bad | strategy.run(self._image, self._mask).get_buffer().T
        return bad & looked_at


def _drawn(good: NDArray[np.floating], count: int) -> NDArray[np.floating]:
    """Draw so many samples of the good, the same each time."""
    return good[np.random.default_rng(0).integers(0, good.size, count)]
