"""Interference in one dynamic spectrum, found by aoflagger's SumThreshold.

Offringa et al. 2010, MNRAS 405, 155: runs of 1, 2, 4, ... neighbouring samples are held against a threshold that falls
with their number. Our strategies (``strategies/*.lua``) run it twice: on what is strong as it stands, if anything is,
then on what is left, after a smooth background has been taken away. What is found is filled before the background is
fitted, because aoflagger's low-pass filter looks at masked samples too.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import aoflagger
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PASSES = ("strong", "faint")
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
        self._strategies = [self._flagger.load_strategy_file(str(folder / f"{kind}_{name}.lua")) for name in PASSES]
        # The noise of the array's mean is so low that wide emission need not stick out in any one sample.
        self._only_if_strong = self._strategies[0] if kind == "baseline" else None
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
        for strategy in self._strategies:
            good = image[~bad]
            if good.size < _FEWEST_SAMPLES:
                break
            low, middle = np.quantile(good[::_QUANTILE_STEP], [0.1587, 0.5])
            flat = np.where(bad, 0.0, image - middle).astype(np.float32)
            if strategy is self._only_if_strong and flat.max() < _STRONG_SIGMA * (middle - low):
                continue
            self._image.set_image_buffer(0, np.ascontiguousarray(flat.T))
            self._mask.set_buffer(np.ascontiguousarray(bad.T))
            bad = bad | strategy.run(self._image, self._mask).get_buffer().T
        return bad & looked_at
