"""The settings as models: every value that can be set, its default, and what it means.

The models are frozen, refuse unknown keys, and carry the documentation of each field as its description.
`dsa110_contimg.config.load_settings` is the way to get one.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

ENV_PREFIX = "DSA110_CONTIMG_"
ENV_DELIMITER = "__"


def _refuse_empty(value: object) -> object:
    if value == "":
        raise ValueError("it should not be empty")  # Path("") would be the working directory
    return value


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("it should be a number")  # noqa: TRY004 - pydantic takes ValueError; True would be 1
    return value


def _check_phase_centre(text: str) -> str:
    if text in {"meridian", "drift"}:
        return text
    try:
        ra_deg, dec_deg = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError('it is "meridian", "drift" or "RA,DEC" in ICRS degrees') from None
    if not (0.0 <= ra_deg < 360.0 and -90.0 <= dec_deg <= 90.0):
        raise ValueError("RA is from 0 to 360 and DEC from -90 to 90 degrees")
    return text


UserPath = Annotated[Path, BeforeValidator(_refuse_empty), AfterValidator(Path.expanduser)]
Count = Annotated[int, BeforeValidator(_refuse_bool)]
Number = Annotated[float, BeforeValidator(_refuse_bool)]
PhaseCentre = Annotated[str, AfterValidator(_check_phase_centre)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PathSettings(_Section):
    """Where things are. A relative path starts at the working directory; ``~`` is the home directory."""

    input: UserPath = Field(
        Path("contimg-data/incoming"), description="Subband files, as the correlator leaves them. Never written to."
    )
    ms: UserPath = Field(Path("contimg-data/ms"), description="Published Measurement Sets.")
    qa: UserPath = Field(Path("contimg-data/qa"), description="Plots and reports.")
    scratch: UserPath | None = Field(
        None, description="A fast disk for work in progress and staged copies. Not set: work beside the product."
    )
    state: UserPath = Field(Path("contimg-data/state"), description="What the pipeline remembers; a local disk.")
    cache: UserPath | None = Field(
        None, description="Compiled kernels (NUMBA_CACHE_DIR). Not set: beside the package's own files."
    )


class ConvertSettings(_Section):
    """Subband files to Measurement Sets."""

    writer: Literal["direct-subband", "pyuvdata"] = Field(
        "direct-subband",
        description="How to write: tile by tile, or through pyuvdata (the reference: slow, needs 9 GB).",
    )
    phase_centre: PhaseCentre = Field(
        "meridian",
        description=(
            'Where to rotate the data to: "meridian" (the ICRS meridian pointing of mid-group), "drift" (leave them as '
            'they are, one FIELD per integration) or "RA,DEC" (ICRS degrees).'
        ),
    )
    min_subbands: Count = Field(
        12, ge=1, le=16, description="Convert a group with at least so many of its 16 subbands; flag the missing."
    )
    workers: Count | None = Field(None, ge=1, description="Processes that work at once. Not set: one per core.")
    tolerance_s: Number = Field(
        30.0,
        gt=0,
        le=150,
        allow_inf_nan=False,
        description="Seconds by which the times in a group's file names may differ before that earns a warning.",
    )
    qa: Literal["none", "fast", "shadems", "all"] = Field(
        "none",
        description=(
            'What is drawn of each Measurement Set that was converted by hand: "fast" plots, those of "shadems", or '
            '"all" (those of ragavi, too). A plot that fails costs a warning.'
        ),
    )

    @property
    def n_workers(self) -> int:
        """Processes that work at once: `workers`, or the number of cores this process may use."""
        return len(os.sched_getaffinity(0)) if self.workers is None else self.workers


class FlagSettings(_Section):
    """What is not sky, and how it is told."""

    rfi: bool = Field(True, description="Whether to look for interference. Data without noise are never looked at.")
    missing_above: Number = Field(
        0.5, ge=0, le=1, description="An antenna that lacks more than this fraction of what others have is missing."
    )
    dead_below: Number = Field(
        0.02, ge=0, lt=1, description="An antenna with less power than this, relative to the array's median, is dead."
    )
    hot_above: Number = Field(
        50.0, gt=1, description="An antenna with more power than this, relative to the array's median, is hot."
    )
    deaf_below: Number = Field(
        0.1, ge=0, lt=1, description="An antenna that shares less than this of the power that others share is deaf."
    )
    min_uv_m: Number | None = Field(None, ge=0, description="Flag baselines projected shorter [m]. Not set: none.")
    max_uv_m: Number | None = Field(None, gt=0, description="Flag baselines projected longer [m]. Not set: none.")
    shadow: bool = Field(False, description="Whether to flag antennas that stand in the light of another.")
    workers: Count | None = Field(None, ge=1, description="Processes that work at once. Not set: one per core.")

    @property
    def n_workers(self) -> int:
        """Processes that work at once: `workers`, or the number of cores this process may use."""
        return len(os.sched_getaffinity(0)) if self.workers is None else self.workers


class TelescopeSettings(_Section):
    """The array, where it differs from what the package knows."""

    antenna_positions: UserPath | None = Field(
        None, description="A CSV of station positions to use. Not set: those in the headers of the files."
    )


class ScratchSettings(_Section):
    """Copies on a fast disk. Their place, the scratch root, is ``paths.scratch``, else ``/scratch/dsa110-contimg``."""

    data_root: UserPath = Field(
        Path("/data/dsa110-contimg"), description="What is staged comes from here and is archived to here."
    )
    reserve_gb: Number = Field(
        100.0, ge=0, allow_inf_nan=False, description="Free space [GB] that copies leave on the root file system."
    )
    workers: Count | None = Field(None, ge=1, description="Threads that copy at once. Not set: one per core.")

    @property
    def n_workers(self) -> int:
        """Threads that copy at once: `workers`, or the number of cores this process may use."""
        return len(os.sched_getaffinity(0)) if self.workers is None else self.workers


class LoggingSettings(_Section):
    """Log lines, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    format: Literal["text", "json"] = Field("text", description="Lines for people, or JSON lines for machines.")


class StreamSettings(_Section):
    """The daemon that takes every group through the stages."""

    stages: tuple[str, ...] = Field(
        ("convert", "flag", "solve", "apply", "image", "catalogue", "report"),
        min_length=1,
        description="What is done with a group, in this order.",
    )
    executor: Literal["process", "dask"] = Field(
        "process", description="Where jobs run: child processes of the daemon, or a Dask cluster."
    )
    dask_address: str | None = Field(
        None, description="Address of the Dask scheduler. Not set: a cluster of `workers` processes on this machine."
    )
    workers: Count = Field(1, ge=1, description="Jobs at once; each has its share of the cores (convert.workers).")
    memory_gb: Number | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Memory that one job may take [GB]. Not set: its share of 80% of the machine's.",
    )
    deadline_s: Number = Field(
        600.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds that a group waits for missing subbands, from when its first file was first seen.",
    )
    timeouts_s: dict[str, Number] = Field(
        default_factory=dict, description="Seconds that a stage may take, by its name, where not the stage's own."
    )
    heartbeat_s: Number = Field(
        120.0, gt=2, allow_inf_nan=False, description="Seconds without a sign of life after which a job is ended."
    )
    retry_s: Number = Field(
        10.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds before a failure that may pass is tried again; four times longer each further time.",
    )
    late: Literal["redo", "keep"] = Field(
        "redo", description="Groups to which subbands come after they were published: redo them once, or keep them."
    )
    settle_s: Number = Field(
        2.0, ge=0, allow_inf_nan=False, description="Seconds for which a file has to stay as it is to be whole."
    )
    poll: bool = Field(
        False, description="List the input directory again and again, even where inotify would see what changes there."
    )
    poll_s: Number = Field(5.0, gt=0, allow_inf_nan=False, description="Seconds between two listings of a poll.")
    reserve_gb: Number = Field(
        100.0,
        ge=0,
        allow_inf_nan=False,
        description="Free space [GB] on the root file system below which intake pauses.",
    )
    http_port: Count = Field(
        9110, ge=0, le=65535, description="Port of /healthz and /metrics on 127.0.0.1; 0 is any that is free."
    )

    @property
    def memory_share_bytes(self) -> float:
        """Memory that one job may take: `memory_gb`, or its share of 80% of the machine's [bytes]."""
        if self.memory_gb is not None:
            return self.memory_gb * 1e9
        return 0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / self.workers


class CalibrateSettings(_Section):
    """Solving for the gains of the antennas."""

    beam: str = Field("airy", description="Primary beam of the model: airy, tapered or gaussian:FWHM (deg, 1.4 GHz).")
    reference: tuple[str, ...] = Field(
        ("103",), description="Stations preferred as reference; after them the other outriggers, then the core."
    )
    min_uv_m: Number = Field(50.0, ge=0, allow_inf_nan=False, description="Leave out baselines shorter than this [m].")
    max_uv_m: Number | None = Field(None, gt=0, description="Leave out longer baselines [m]. Not set: none.")
    gain_interval_s: Number = Field(
        60.0, gt=0, description="Length of the intervals in which phases are solved for (G); inf is one for all."
    )
    amplitude_interval_s: Number = Field(
        float("inf"), gt=0, description="Length of the intervals in which amplitudes are solved for (G)."
    )
    min_snr: Number = Field(
        3.0, ge=0, allow_inf_nan=False, description="An antenna below it in the median channel is marked as weak."
    )
    smooth_snr: Number = Field(
        120.0,
        ge=0,
        allow_inf_nan=False,
        description="Smooth the bandpass over channels (16 at most) where its signal-to-noise ratio is less; 0: never.",
    )
    weights: Literal["autos", "uniform"] = Field(
        "autos", description="Weigh by the antennas' own powers, or all samples alike."
    )
    robust: bool = Field(True, description="Whether samples and baselines that fit badly lose weight.")
    leave_out_mhz: tuple[tuple[Number, Number], ...] = Field(
        ((1419.6, 1421.2),), description="Ranges to leave out of solutions and to bridge: neutral hydrogen [MHz]."
    )


class ApplySettings(_Section):
    """Applying solutions."""

    missing: Literal["flag", "pass"] = Field(
        "flag", description="What becomes of samples without a solution: they are flagged, or passed as they are."
    )
    max_gap_hz: Number = Field(
        2e6, ge=0, allow_inf_nan=False, description="Bridge gaps in a bandpass that are no wider [Hz]."
    )
    max_phase_step_deg: Number = Field(
        90.0,
        ge=0,
        le=180,
        description="Interpolate phases that move by no more between two solutions [deg]; else the nearer holds.",
    )


class SetsSettings(_Section):
    """Calibration sets in the stream: on what they are solved, and what is made of them."""

    catalogue: UserPath | None = Field(
        None, description="Reference sources (ra, dec, flux[, alpha]) for the models. Not set: the calibrator alone."
    )
    least_flux_jy: Number = Field(
        1.0, gt=0, allow_inf_nan=False, description="Solve on transits of calibrators with this much through the beam."
    )
    tie: Literal["never", "phase", "amplitude"] = Field(
        "never",
        description="Whether each group is tied to the sky of the catalogue: in phase alone, or in amplitude too.",
    )
    corrected_data: bool = Field(False, description="Whether published Measurement Sets have CORRECTED_DATA too.")


class ImageSettings(_Section):
    """Calibrated visibilities to deconvolved images."""

    size: Count | None = Field(
        None, ge=64, description="Pixels on a side. Not set: so that the beam's `edge` is inside the image."
    )
    cell_arcsec: Number | None = Field(
        None, gt=0, description="Pixel size [arcsec]. Not set: a third of what the longest baselines resolve."
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
    major_gain: Number = Field(0.85, gt=0, le=1, description="Part of the peak that a major cycle takes.")
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


class CatalogueSettings(_Section):
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


class QualitySettings(_Section):
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


class QuicklooksSettings(_Section):
    """Plots that external programs make of Measurement Sets."""

    tools: UserPath | None = Field(
        None, description='Where those programs have their environments. Not set: "tools" in the state directory.'
    )
    timeout_s: Number = Field(
        900.0, gt=0, allow_inf_nan=False, description="Seconds after which a run of such a program is ended."
    )
    max_plots: Count | None = Field(
        None, ge=1, description="At most so many plots of such programs, the most telling first. Not set: all."
    )


class HousekeepingSettings(_Section):
    """What is left over, and when it may go."""

    leftover_age_s: Number = Field(
        600.0, ge=0, description="What FUSE left of a deleted file (.fuse_hidden*) may go when it is older [s]."
    )
    temporary_age_h: Number = Field(
        24.0, ge=0, description="Partial products and scratch directories may go when nothing in them is younger [h]."
    )
    stop_wait_s: Number = Field(
        10.0, ge=0, description="So long a process that holds leftovers may take to end before it is killed [s]."
    )
    watch_s: Number = Field(
        600.0, gt=0, description="The stream adds up what FUSE has left in its directories every so often [s]."
    )


class MosaicSettings(_Section):
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


class KeepSettings(_Section):
    """How long data of one kind are kept."""

    days: Number | None = Field(
        None, ge=0, allow_inf_nan=False, description="Days after they were taken until they may go. Not set: never."
    )
    newest: Count = Field(0, ge=0, description="Groups, the newest, whose data stay however old they are.")
    below_free_gb: Number | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description=(
            "They go, the oldest first, only while their file system has less free space than this [GB]. Not set: "
            "whatever is free."
        ),
    )


class RetentionSettings(_Section):
    """What may go, and when. Nothing goes by itself: see the verb ``retention``."""

    raw: KeepSettings = Field(default_factory=KeepSettings, description="Subband files of groups that are finished.")
    ms: KeepSettings = Field(default_factory=KeepSettings, description="Measurement Sets, with their flag versions.")
    images: KeepSettings = Field(default_factory=KeepSettings, description="Directories of images and catalogues.")
    raw_copies: tuple[UserPath, ...] = Field(
        (),
        description=(
            "Directories, two or more, with copies of the subband files, at any depth. A file goes only when two of "
            "them have it, to the byte."
        ),
    )


class Settings(BaseSettings):
    """Every setting, validated.

    Built from keyword arguments, which the environment (``DSA110_CONTIMG_SECTION__KEY``) overrides.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
        env_parse_none_str="none",
        extra="forbid",
        frozen=True,
    )

    paths: PathSettings = Field(default_factory=PathSettings)
    convert: ConvertSettings = Field(default_factory=ConvertSettings)
    flag: FlagSettings = Field(default_factory=FlagSettings)
    telescope: TelescopeSettings = Field(default_factory=TelescopeSettings)
    stream: StreamSettings = Field(default_factory=StreamSettings)
    calibrate: CalibrateSettings = Field(default_factory=CalibrateSettings)
    apply: ApplySettings = Field(default_factory=ApplySettings)
    sets: SetsSettings = Field(default_factory=SetsSettings)
    image: ImageSettings = Field(default_factory=ImageSettings)
    catalogue: CatalogueSettings = Field(default_factory=CatalogueSettings)
    quality: QualitySettings = Field(default_factory=QualitySettings)
    quicklooks: QuicklooksSettings = Field(default_factory=QuicklooksSettings)
    scratch: ScratchSettings = Field(default_factory=ScratchSettings)
    housekeeping: HousekeepingSettings = Field(default_factory=HousekeepingSettings)
    mosaic: MosaicSettings = Field(default_factory=MosaicSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    logging: LoggingSettings = Field(default_factory=LoggingSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, which arrives as keyword arguments."""
        return env_settings, init_settings
