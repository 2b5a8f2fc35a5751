"""Settings of images, their sources and their quality, and mosaics."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from dsa110_contimg.config.fields import Count, Number, Section, UserPath


class ImageSettings(Section):
    """Calibrated visibilities to deconvolved images."""

    size: Count | None = Field(
        None, ge=64, description="Pixels on a side. Not set: so that the beam's `edge` is inside the image."
    )
    cell_arcsec: Number | None = Field(
        None, gt=0, description="Pixel size [arcsec]. Not set: a fifth of the beam, or less for the longest baselines."
    )
    edge: Number = Field(
        0.05, gt=0, lt=1, description="The image reaches to where the drift-averaged primary beam is this."
    )
    weighting: Literal["natural", "uniform", "briggs"] = Field("briggs", description="Weighting of the uv plane.")
    robust: Number = Field(0.5, ge=-2, le=2, description="Robustness of Briggs weighting: -2 uniform, 2 natural.")
    taper_arcsec: Number | None = Field(None, gt=0, description="Gaussian taper to this beam [arcsec]. Not set: none.")
    min_uv_m: Number = Field(0.0, ge=0, allow_inf_nan=False, description="Leave out baselines projected shorter [m].")
    max_uv_m: Number | None = Field(None, gt=0, description="Leave out baselines projected longer [m]. Not set: none.")
    stokes: Literal["both", "either"] = Field(
        "both", description="Stokes I of samples where both XX and YY are good, or where either is."
    )
    difference: bool = Field(
        False, description="Whether (XX - YY)/2 is imaged too: a sky without polarization leaves it empty."
    )
    smearing: Number = Field(
        0.01, gt=0, lt=0.5, description="A source at the image's edge may lose this much by averaging channels, times."
    )
    epsilon: Number = Field(1e-4, gt=1e-7, lt=0.1, description="Accuracy of gridding and degridding.")
    iterations: Count = Field(100_000, ge=0, description="Minor iterations in all; 0: the dirty image.")
    major_cycles: Count = Field(7, ge=1, description="The most major cycles.")
    gain: Number = Field(0.1, gt=0, le=1, description="Part of a peak that a minor iteration takes.")
    major_gain: Number = Field(
        0.85, gt=0, le=1, description="Part of the peak that a major cycle takes: more where the last one was right."
    )
    threshold_jy: Number = Field(0.0, ge=0, description="Stop at this residual peak [Jy/beam].")
    auto_mask: Number | None = Field(4.0, gt=0, description="Find components above so many times the local noise.")
    auto_threshold: Number = Field(1.0, ge=0, description="Clean what is masked to so many times the noise.")
    multiscale: bool = Field(False, description="Whether components may be extended.")
    channels_out: Count = Field(1, ge=1, le=64, description="Sub-bands that are imaged apart and cleaned together.")
    terms: Count = Field(
        1, ge=1, le=4, description="Terms of the polynomial that the spectrum of a component follows over sub-bands."
    )
    beam: str = Field("airy", description="Primary beam: airy, tapered, gaussian:FWHM (deg, 1.4 GHz), or a file.")
    drift: bool = Field(True, description="Whether the model drifts through the beam as the sky does.")
    chunks: Count = Field(
        8, ge=1, description="Pieces of time; nothing is averaged over their edges, as the beam drifts."
    )
    alpha: Number = Field(-0.7, description="Spectral index that components have if their spectrum is not solved for.")
    outliers: bool = Field(True, description="Whether bright sources outside of the image are subtracted.")
    outlier_jy: Number = Field(
        0.05, gt=0, description="Sources outside count if they are brighter than this through the beam [Jy]."
    )
    seed: UserPath | None = Field(None, description="A catalogue whose sources are in the mask from the beginning.")
    half_bands: bool | None = Field(
        None,
        description="Whether the halves of the band are imaged too. Not set: they are in the stream, not by hand.",
    )
    threads: Count | None = Field(None, ge=1, description="Threads that work at once. Not set: one per core.")

    @property
    def n_threads(self) -> int:
        """Threads that work at once: `threads`, or the number of cores this process may use."""
        return len(os.sched_getaffinity(0)) if self.threads is None else self.threads


class CatalogueSettings(Section):
    """Sources found in images, and the catalogues that they are compared with."""

    island_sigma: Number = Field(3.0, gt=0, description="Islands reach down to so many times the local noise.")
    peak_sigma: Number = Field(5.0, gt=0, description="A source peaks above so many times the local noise.")
    trough_sigma: Number = Field(
        3.2, gt=0, description="The deepest trough around a source counts as so many times the noise; inf: not at all."
    )
    least_beam: Number = Field(
        0.1, ge=0, lt=1, description="Sources are looked for where the primary beam is more than this."
    )
    reference: UserPath | None = Field(
        None, description="Catalogue (ra, dec, flux[, alpha, e_flux]) that images are compared with and tied to."
    )
    directory: UserPath = Field(
        Path("contimg-data/catalogues"), description="Catalogues that were fetched, by declination."
    )
    match_arcsec: Number | None = Field(
        None, gt=0, description="How near a source matches. Not set: half of the beam's major axis."
    )
    tie: Literal["measure", "apply"] = Field(
        "measure", description="Whether offset and flux scale against the reference are measured, or applied, too."
    )
    flux_error: Number = Field(
        0.03, ge=0, lt=1, description="Error of the flux scale, which every flux density has beside that of the noise."
    )
    position_error_arcsec: Number = Field(
        0.2, ge=0, allow_inf_nan=False, description="Error of the astrometry, which every position has too [arcsec]."
    )
    workers: Count | None = Field(None, ge=1, description="Processes that fit sources at once. Not set: one per core.")

    @property
    def n_workers(self) -> int:
        """Processes that fit sources at once: `workers`, or the number of cores this process may use."""
        return len(os.sched_getaffinity(0)) if self.workers is None else self.workers


class QualitySettings(Section):
    """When an image is good, usable or bad."""

    good_rms_mjy: Number = Field(5.0, gt=0, description="Noise up to which an image is good [mJy/beam].")
    usable_rms_mjy: Number = Field(30.0, gt=0, description="Noise up to which an image is usable [mJy/beam].")
    good_offset_beams: Number = Field(0.1, gt=0, description="Astrometric offset up to which it is good [beams].")
    usable_offset_beams: Number = Field(0.5, gt=0, description="... and usable [beams].")
    good_flux_ratio: Number = Field(1.1, gt=1, description="Flux-scale ratio (or its inverse) up to which it is good.")
    usable_flux_ratio: Number = Field(1.5, gt=1, description="... and usable.")
    least_matches: Count = Field(5, ge=1, description="Matched sources from which on offset and ratio are judged.")
    good_holes: Number = Field(
        0.1,
        ge=0,
        allow_inf_nan=False,
        description="Peaks 5 sigma below zero over those above, which may be sidelobes, too: good up to this.",
    )


class MosaicSettings(Section):
    """Joining images."""

    cell_arcsec: Number | None = Field(None, gt=0, description="Pixel size. Not set: that of the finest image.")
    floor: Number = Field(
        0.2, gt=0, lt=1, description="Blank where no image's primary beam reaches this fraction of its peak."
    )
    least_beam: Number = Field(
        0.05, ge=0, lt=1, description="An image does not count where its primary beam is below this."
    )
    convolve: bool = Field(True, description="Whether images are smoothed to their smallest common beam first.")
    workers: Count | None = Field(None, ge=1, description="Threads. Not set: one per core.")

    @property
    def n_workers(self) -> int:
        """Threads: `workers`, or the number of cores this process may use."""
        return len(os.sched_getaffinity(0)) if self.workers is None else self.workers
