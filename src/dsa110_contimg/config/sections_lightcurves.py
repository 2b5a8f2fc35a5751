"""Settings of epochs, photometry and light curves."""

import os

from pydantic import Field

from dsa110_contimg.config.fields import Count, Number, Section, UserPath


class EpochSettings(Section):
    """Hours of sidereal time whose images are joined and measured by the stream."""

    enabled: bool = Field(
        True,
        description="Whether the stream joins and measures the hours that have closed; without images there are none.",
    )
    wait_s: Number = Field(
        1800.0,
        ge=0,
        description="An hour closes so long after its last group, if none is still being worked on [s].",
    )
    least_images: Count = Field(6, ge=1, description="With fewer images than this an hour is not joined.")
    good_rms_mjy: Number = Field(3.0, gt=0, description="Noise of a mosaic up to which its epoch is good [mJy/beam].")
    usable_rms_mjy: Number = Field(20.0, gt=0, description="... and usable [mJy/beam].")
    good_missing: Number = Field(
        0.1, ge=0, le=1, description="Part of the listed sources, of those that should stand out, that may be missing."
    )
    usable_missing: Number = Field(0.4, ge=0, le=1, description="... for the epoch to be usable.")
    good_flux_ratio: Number = Field(
        1.1, gt=1, description="Flux-scale ratio to the list or the reference (or its inverse) up to which it is good."
    )
    usable_flux_ratio: Number = Field(1.3, gt=1, description="... and usable.")
    least_sources: Count = Field(5, ge=1, description="Sources from which on what is missing and the ratio are judged.")


class PhotometrySettings(Section):
    """Forced measurements at the positions of a reference list."""

    radius_sigma: Number = Field(
        5.68, gt=0, description="De Ruiter radius up to which a source found and one of the list are the same."
    )
    new_sigma: Number = Field(
        6.0, gt=0, description="A source found on a mosaic is added to the list if it is so many times above the noise."
    )
    detection_sigma: Number = Field(5.0, gt=0, description="Below so many times its error a flux has an upper limit.")
    blend_beams: Number = Field(2.0, gt=0, description="Sources nearer than this are fitted together [beams].")
    least_beam: Number = Field(0.2, gt=0, lt=1, description="Sources below this part of the beam are not measured.")
    align: bool = Field(
        True,
        description="Whether an image whose bright sources are all off the list's places is measured where they are.",
    )
    flux_error: Number = Field(0.03, ge=0, lt=1, description="Error of the flux scale, in each measurement.")
    workers: Count | None = Field(None, ge=1, description="Threads. Not set: one per core.")

    @property
    def n_workers(self) -> int:
        """Threads: `workers`, or the number of cores this process may use."""
        return len(os.sched_getaffinity(0)) if self.workers is None else self.workers


class LightcurveSettings(Section):
    """The store of measurements, and what counts as variable."""

    directory: UserPath | None = Field(
        None, description='Where the measurements are kept. Not set: "lightcurves" beside paths.ms.'
    )
    steady_sigma: Number = Field(
        20.0,
        gt=0,
        description="A steady source, on which an epoch's scale rests, is above so many times its noise.",
    )
    least_epochs: Count = Field(4, ge=2, description="Measured less often than this, no source counts as steady.")
    least_steady: Count = Field(
        10, ge=3, description="With fewer steady sources than this in an image, its fluxes stay as they were measured."
    )
    join_epochs: Count = Field(
        24, ge=1, description="So many epochs of a month are kept in files of their own, then joined to one."
    )
    memory_gb: Number = Field(1.0, ge=0.1, description="Memory that a query may use; beyond it, it works on disk [GB].")
    bin_days: Number = Field(1.0, gt=0, description="Variability is told from means over so long [d].")
    variable_sigma: Number = Field(
        4.0,
        gt=0,
        description="A source varies if its eta and V are so far above those of sources of like flux [sigma].",
    )
    false_alarms: Number = Field(
        0.1,
        gt=0,
        description="An event is listed if fewer are expected by chance in all sources of its strip together.",
    )
    threads: Count | None = Field(None, ge=1, description="Threads of a query. Not set: one per core.")


class BeamSettings(Section):
    """Fitted versions of the primary beam, and when it counts as another than the one that images were made with."""

    directory: UserPath | None = Field(
        None, description='Where fitted beams are kept. Not set: "beams" beside paths.ms.'
    )
    significance: Number = Field(5.0, gt=0, description="A difference is said if it is so many times its error,")
    tolerance_deg: Number = Field(0.1, ge=0, description="... and the axis is farther off than this [deg],")
    tolerance_width: Number = Field(0.03, ge=0, description="... or the width by more than this part of it.")
