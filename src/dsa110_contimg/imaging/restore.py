"""What was taken out as components put back as the beam that would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.images.fits import RestoringBeam

# The Gaussian is cut off where it is 1e-7 of its peak.
_CUT = 7 * np.log(10.0)


def gaussian_stamp(beam: RestoringBeam, cell_rad: float) -> NDArray[np.float32]:
    """Pixels of a restoring beam, 1 in the middle of an odd number of them; axes as in a FITS image."""
    cell_deg = float(np.degrees(cell_rad))
    half = int(np.ceil(beam.major_deg / cell_deg * np.sqrt(_CUT / np.log(16.0))))
    north, east = np.meshgrid(np.arange(-half, half + 1), -np.arange(-half, half + 1), indexing="ij")
    angle = np.radians(beam.pa_deg)
    along = (north * np.cos(angle) + east * np.sin(angle)) * cell_deg / beam.major_deg
    across = (east * np.cos(angle) - north * np.sin(angle)) * cell_deg / beam.minor_deg
    return np.exp(-4.0 * np.log(2.0) * (along**2 + across**2)).astype(np.float32)


def restore(
    model: NDArray[np.float32],
    residual: NDArray[np.float32],
    beam: RestoringBeam,
    cell_rad: float,
    *,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Convolve a model with the restoring beam and add the residual.

    Parameters
    ----------
    model : (N, N) float32
        Flux density of each pixel [Jy].
    residual : (N, N) float32
        [Jy/beam].
    beam : RestoringBeam
        The Gaussian.
    cell_rad : float
        Pixel size [rad].
    threads : int
        For the Fourier transforms.

    Returns
    -------
    (N, N) float32
        [Jy/beam]; nothing wraps around the edges.
    """
    if not model.any():
        return residual.copy()
    stamp = gaussian_stamp(beam, cell_rad)
    half = stamp.shape[0] // 2
    rows, columns = model.shape
    # Room for half a stamp, so that what leaves at one edge does not come in at the other.
    shape = tuple(fft.next_fast_len(n + half, real=True) for n in (rows, columns))
    if min(shape) < stamp.shape[0]:
        shape = tuple(fft.next_fast_len(max(n, stamp.shape[0]), real=True) for n in shape)
    kernel = np.zeros(shape, dtype=np.float32)
    kernel[: stamp.shape[0], : stamp.shape[1]] = stamp
    kernel = np.roll(kernel, (-half, -half), axis=(0, 1))
    spectrum = fft.rfft2(model, s=shape, workers=threads)
    spectrum *= fft.rfft2(kernel, workers=threads)
    restored = fft.irfft2(spectrum, s=shape, workers=threads)[:rows, :columns]
    restored += residual
    return np.asarray(restored, dtype=np.float32)
