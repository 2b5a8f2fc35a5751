"""The dirty image: what the array sees of the sky through its uv coverage, nothing deconvolved.

The image is I_D(l, m) = sum w V exp(-2 pi i nu/c (u l + v m + w (n - 1))) / sum w over all samples (Thompson, Moran &
Swenson 2017, section 10.2, with the sign of a Measurement Set whose UVW is r[ANTENNA1] - r[ANTENNA2]): at a point
source's place it is that source's flux density, near the phase centre or far from it. The pixels of the image are
ICRS: the frame of the UVWs is magnified by aberration, and the direction cosines (l, m) are taken that much larger.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import ducc0
import numpy as np

from dsa110_contimg.errors import MeasurementSetError, UsageError
from dsa110_contimg.images.fits import ImageHeader, write_image
from dsa110_contimg.imaging.blocks import BLOCK_BYTES, describe, stokes_blocks
from dsa110_contimg.imaging.psf import fit_beam

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.images.fits import RestoringBeam
    from dsa110_contimg.imaging.blocks import Observation, StokesBlock

#: Accuracy of the gridding, relative to the sum of all visibilities.
EPSILON = 1e-4
_SMALLEST = 32


class Grid(NamedTuple):
    """A square of pixels around the phase centre.

    Attributes
    ----------
    n_pixels : int
        Pixels along each side: even, 32 or more. The phase centre is pixel n_pixels // 2, counted from 0.
    cell_rad : float
        Pixel size in ICRS [rad].
    magnification : float
        Of the sky in the frame of the UVWs (`Observation.aberration_scale`).
    """

    n_pixels: int
    cell_rad: float
    magnification: float = 1.0


@dataclass(frozen=True, eq=False)
class DirtyImage:
    """A dirty image and its point spread function.

    Attributes
    ----------
    image : (N, N) float32
        Brightness [Jy/beam]; right ascension falls along the second axis, declination rises along the first.
    psf : (N, N) float32
        Response to a source of 1 Jy at the phase centre, pixel (N // 2, N // 2).
    grid : Grid
        Its pixels.
    observation : Observation
        What was observed.
    beam : RestoringBeam
        Gaussian fitted to the middle of the PSF.
    freq_hz : float
        Mean frequency of the weights [Hz].
    bandwidth_hz : float
        Of the channels that have any weight [Hz].
    sum_weights : float
        Sum of the weights of all samples.
    n_visibilities : int
        Samples with a weight.
    """

    image: NDArray[np.float32]
    psf: NDArray[np.float32]
    grid: Grid
    observation: Observation
    beam: RestoringBeam
    freq_hz: float
    bandwidth_hz: float
    sum_weights: float
    n_visibilities: int

    @property
    def rms_jy(self) -> float:
        """Noise and sidelobes: the width of the pixels' distribution, from their median deviation [Jy/beam]."""
        return float(1.4826 * np.median(np.abs(self.image - np.median(self.image))))

    @property
    def header(self) -> ImageHeader:
        """What its FITS file says."""
        seen = self.observation
        return ImageHeader(
            seen.ra_deg,
            seen.dec_deg,
            float(np.degrees(self.grid.cell_rad)),
            self.freq_hz,
            self.bandwidth_hz,
            seen.start_mjd,
            seen.middle_mjd,
            seen.end_mjd,
            self.beam,
            seen.telescope,
        )

    def write(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the image (not the PSF) as FITS.

        Raises
        ------
        OutputExistsError, OutputError
            See `write_image`.
        """
        history = (
            f"dirty image of {self.n_visibilities} visibilities: Stokes I, natural weighting, no autocorrelations",
            f"direction cosines magnified by the aberration {self.grid.magnification:.8f}: pixels are ICRS",
        )
        write_image(path, self.image, self.header, history, overwrite=overwrite)


def dirty_image(
    ms_path: Path,
    n_pixels: int,
    cell_rad: float,
    *,
    column: str = "DATA",
    threads: int | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> DirtyImage:
    """Image the cross-correlations of a Measurement Set, with natural weighting.

    Parameters
    ----------
    ms_path : Path
        A Measurement Set with one phase centre.
    n_pixels : int
        Pixels along each side: even, 32 or more.
    cell_rad : float
        Pixel size in ICRS [rad].
    column : str
        ``DATA``, ``CORRECTED_DATA`` or ``MODEL_DATA``.
    threads : int, optional
        For the gridding; default: one a core.
    block_bytes : int
        Memory for a block of visibilities [bytes]. Each block costs the Fourier transforms of its own w planes, so
        small blocks are slow.

    Raises
    ------
    UsageError
        The pixels cannot be so.
    MeasurementSetError
        It cannot be read, has several phase centres, or nothing in it is good.
    """
    _check(n_pixels, cell_rad)
    observation = describe(ms_path)
    grid = Grid(n_pixels, cell_rad, observation.aberration_scale)
    image, psf = (np.zeros((n_pixels, n_pixels)) for _ in range(2))
    channel_weights = np.zeros(observation.freq_hz.size)
    n_visibilities = 0
    for block in stokes_blocks(ms_path, column, block_bytes):
        image += grid_block(block, grid, threads=threads)
        psf += grid_block(block._replace(visibilities=np.ones_like(block.visibilities)), grid, threads=threads)
        channel_weights += block.weights.sum(axis=0, dtype=np.float64)
        n_visibilities += int(np.count_nonzero(block.weights))
    total = float(channel_weights.sum())
    if total == 0.0:
        raise MeasurementSetError("has no good visibility of two different antennas", path=ms_path)
    psf /= total
    return DirtyImage(
        image=(image / total).astype(np.float32),
        psf=psf.astype(np.float32),
        grid=grid,
        observation=observation,
        beam=fit_beam(psf, cell_rad),
        freq_hz=float(channel_weights @ observation.freq_hz / total),
        bandwidth_hz=float(np.count_nonzero(channel_weights) * observation.channel_width_hz),
        sum_weights=total,
        n_visibilities=n_visibilities,
    )


def grid_block(block: StokesBlock, grid: Grid, *, threads: int | None = None) -> NDArray[np.float32]:
    """Sum w V exp(-2 pi i nu/c (u l + v m + w (n - 1))) over the visibilities of a block, for every pixel.

    Returns
    -------
    (n_pixels, n_pixels) float32
        In the order of a FITS image; divided by the sum of the weights of all blocks it is in Jy/beam.
    """
    pixel = grid.cell_rad * grid.magnification
    # ducc sums V exp(2 pi i nu/c (u l + v m - w (n - 1))), l along the first axis. Flipping v puts the sign of m right;
    # u as it is lets l rise to the west, as in a FITS image. No division by n: a source of S Jy far from the centre
    # would then show S / n.
    image = ducc0.wgridder.vis2dirty(
        uvw=block.uvw_m,
        freq=block.freq_hz,
        vis=block.visibilities,
        wgt=block.weights,
        npix_x=grid.n_pixels,
        npix_y=grid.n_pixels,
        pixsize_x=pixel,
        pixsize_y=pixel,
        epsilon=EPSILON,
        do_wgridding=True,
        flip_v=True,
        divide_by_n=False,
        nthreads=threads or os.cpu_count() or 1,
    )
    return np.asarray(image.T)


def _check(n_pixels: int, cell_rad: float) -> None:
    if n_pixels < _SMALLEST or n_pixels % 2:
        raise UsageError(f"an image has an even number of pixels on a side, 32 or more, not {n_pixels}")
    if not 0.0 < cell_rad * n_pixels < np.sqrt(2.0):
        raise UsageError(
            f"{n_pixels} pixels of {np.degrees(cell_rad) * 3600:g} arcsec are not a part of one hemisphere",
            remedy="give the pixel size in radians",
        )
