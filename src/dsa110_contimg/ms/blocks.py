"""What passes from one science step to the next: the visibilities of one integration."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class VisibilityBlock(NamedTuple):
    """One integration: B baselines, autocorrelations among them, C channels, P correlations.

    Attributes
    ----------
    mjd : float
        Middle of the integration [MJD, UTC].
    antenna1, antenna2 : (B,) int32
        Rows of ANTENNA.
    uvw_m : (B, 3) float64
        r[antenna1] - r[antenna2] in the frame of the phase centre [m].
    freq_hz : (C,) float64
        Channel centres, ascending [Hz].
    visibilities : (B, C, P) complex64
        [Jy] if calibrated.
    flags : (B, C, P) bool
        True where a sample is not to be used.
    weights : (B, C, P) float32
        Inverse variance [1/Jy^2] of the real part, and of the imaginary; that of a flagged sample means nothing.
    """

    mjd: float
    antenna1: NDArray[np.int32]
    antenna2: NDArray[np.int32]
    uvw_m: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    visibilities: NDArray[np.complex64]
    flags: NDArray[np.bool_]
    weights: NDArray[np.float32]
