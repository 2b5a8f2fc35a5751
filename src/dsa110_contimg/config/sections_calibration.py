"""Settings of calibration."""

from typing import Literal

from pydantic import Field

from dsa110_contimg.config.fields import Number, Section, UserPath


class CalibrateSettings(Section):
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


class ApplySettings(Section):
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


class SetsSettings(Section):
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
