"""What imaging yields: images, their beam, and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dsa110_contimg.images.fits import RestoringBeam
    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.observation import Observation


class Cycle(NamedTuple):
    """Figures of a major cycle.

    Attributes
    ----------
    peak_jy : float
        Largest absolute residual after it [Jy/beam].
    rms_jy : float
        Width of the residuals' distribution, from their median deviation [Jy/beam].
    model_jy : float
        Flux density of the model, apparent [Jy].
    iterations : int
        Minor iterations so far.
    degridded : int
        Images that were degridded, or added up: more than the sub-bands where the drift of the beam needed them.
    followed : int
        Sources whose drift through the beam was followed one by one, in all sub-bands.
    seconds : float
        It took.
    """

    peak_jy: float
    rms_jy: float
    model_jy: float
    iterations: int
    degridded: int
    followed: int
    seconds: float


class Taken(NamedTuple):
    """A model that was taken out of visibilities, and how it was seen through the beam.

    Attributes
    ----------
    lowest_hz, highest_hz : float
        First and last channel of the visibilities [Hz].
    model : (N, N) float32
        Apparent flux densities [Jy].
    mean : (N, N) float32
        Mean of beam times spectrum, or of the spectrum alone if the model stood still, by which it is apparent.
    """

    lowest_hz: float
    highest_hz: float
    model: NDArray[np.float32]
    mean: NDArray[np.float32]


class Left(NamedTuple):
    """What a part of the samples can be imaged from, when all of them were.

    Attributes
    ----------
    taken : tuple of Taken
        What is not in the samples any more; one, or one a sub-band.
    weights : (N, C) float32
        Imaging weights of the samples.
    dirty : (N, N) float32
        Image before anything was cleaned.
    """

    taken: tuple[Taken, ...]
    weights: NDArray[np.float32]
    dirty: NDArray[np.float32]


class Begun(NamedTuple):
    """What is known already of a part of visibilities that were imaged as a whole.

    Attributes
    ----------
    taken : tuple of Taken
        What was taken out of them: it is in the model, too.
    weights : (N, C) float32
        Their imaging weights.
    psf, dirty : (N, N) float32, optional
        Their PSF, and the image of what is left of them.
    """

    taken: tuple[Taken, ...]
    weights: NDArray[np.float32]
    psf: NDArray[np.float32] | None = None
    dirty: NDArray[np.float32] | None = None


class BandImage(NamedTuple):
    """The image of a sub-band.

    Attributes
    ----------
    freq_hz, bandwidth_hz : float
        Mean frequency of its weights, and the width of its channels with a weight [Hz].
    image, residual, model, psf : (N, N) float32
        As in `Imaged`.
    beam : RestoringBeam
        Its own.
    """

    freq_hz: float
    bandwidth_hz: float
    image: NDArray[np.float32]
    residual: NDArray[np.float32]
    model: NDArray[np.float32]
    psf: NDArray[np.float32]
    beam: RestoringBeam


class Imaged(NamedTuple):
    """An image and all that belongs to it; pixels in the order of FITS, (n_dec, n_ra) float32.

    Attributes
    ----------
    image : (N, N) float32
        Model convolved with the beam, plus residual [Jy/beam]; as the sky appears through the primary beam.
    residual : (N, N) float32
        [Jy/beam].
    model : (N, N) float32
        Flux density of each pixel, apparent [Jy].
    psf : (N, N) float32
        Response to a source of 1 Jy at the phase centre, pixel (N // 2, N // 2).
    pb : (N, N) float32
        Mean of the primary beam over integrations and channels, with the image's weights.
    bands : tuple of BandImage
        Images of sub-bands, ascending in frequency; empty if there is only one.
    beam : RestoringBeam
        Gaussian fitted to the PSF.
    grid : Grid
        The pixels.
    observation : Observation
        What was observed.
    freq_hz, bandwidth_hz : float
        Mean frequency of the weights, and the width of all channels with a weight [Hz].
    sum_weights : float
        Sum of the imaging weights.
    thermal_jy : float
        Noise of the image if the samples' weights are the inverse of their variance [Jy/beam].
    n_visibilities : int
        Samples with a weight.
    cycles : tuple of Cycle
        One a major cycle.
    diverged : bool
        Whether the last cycle made it worse; what was before is kept.
    weighting : dict
        Facts about the weighting.
    seconds : float
        All of it took.
    left : Left or None
        For images of a part of the same samples; None if another program made this.
    """

    image: NDArray[np.float32]
    residual: NDArray[np.float32]
    model: NDArray[np.float32]
    psf: NDArray[np.float32]
    pb: NDArray[np.float32]
    bands: tuple[BandImage, ...]
    beam: RestoringBeam
    grid: Grid
    observation: Observation
    freq_hz: float
    bandwidth_hz: float
    sum_weights: float
    thermal_jy: float
    n_visibilities: int
    cycles: tuple[Cycle, ...]
    diverged: bool
    weighting: dict[str, object]
    seconds: float
    left: Left | None = None
