"""All kernels of the room, compiled at set-up, so that the first list of variables does not wait for it."""

from __future__ import annotations

import numpy as np

from dsa110_contimg.lightcurves.days import days_of
from dsa110_contimg.lightcurves.events import relative
from dsa110_contimg.lightcurves.events_kernels import own_spread, slide
from dsa110_contimg.lightcurves.shapes import LEAST_DAYS
from dsa110_contimg.lightcurves.variability import variability


def compile_kernels() -> None:
    """Take a small problem through every kernel, with arrays as the room has them."""
    mjd = 60_000.0 + np.arange(20.0)
    days = days_of(np.ones(mjd.size, np.int64), mjd, 1.0 + 0.01 * np.sin(mjd), np.full(mjd.size, 0.01))
    variability(days)
    weight, weighted = relative(days)
    centres = np.arange(0, 20, 2)
    size, snr = np.empty((2, 1, centres.size))
    slide(weight, weighted, -np.ones(3), centres, LEAST_DAYS, size, snr)
    own_spread(snr, np.empty(1))
