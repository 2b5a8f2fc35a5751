"""What is imaged: Stokes I visibilities, averaged as far as is allowed, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Extent(NamedTuple):
    """Where the data were that N averaged rows are made of.

    Attributes
    ----------
    channels : int
        Channels that were averaged to one.
    times : (N,) int64
        Integrations that were averaged to one, evenly spaced.
    span_m : (N, 2) float64
        By how much (u, v) moved from the first of them to the last [m].
    """

    channels: int
    times: NDArray[np.int64]
    span_m: NDArray[np.float64]


class Samples(NamedTuple):
    """N rows of C channels, in the order of time.

    Attributes
    ----------
    uvw_m : (N, 3) float64
        r[ANTENNA1] - r[ANTENNA2] in the frame of the phase centre [m].
    freq_hz : (C,) float64
        Channel centres, ascending [Hz].
    channel_width_hz : float
        Width of a channel [Hz].
    visibilities : (N, C) complex64
        [Jy]; 0 where the weight is.
    weights : (N, C) float32
        Inverse variance of the real part, and of the imaginary [1/Jy^2 if calibrated]; 0 where there are no good data.
    mjd : (N,) float64
        Middle of what was averaged [MJD, UTC], ascending.
    antenna1, antenna2 : (N,) int32
        Rows of ANTENNA.
    extent : Extent, optional
        What was averaged; None: nothing.
    """

    uvw_m: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    channel_width_hz: float
    visibilities: NDArray[np.complex64]
    weights: NDArray[np.float32]
    mjd: NDArray[np.float64]
    antenna1: NDArray[np.int32]
    antenna2: NDArray[np.int32]
    extent: Extent | None = None
