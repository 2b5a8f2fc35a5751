"""What solutions leave of the data, and the figures of a solution that are put on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dsa110_contimg.calibration.residuals import Residuals, closure_rms_deg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.calibration.bandpass import Bandpass
    from dsa110_contimg.calibration.health import Ailment, Signs
    from dsa110_contimg.calibration.observed import Observed
    from dsa110_contimg.calibration.stefcal import Stefcal
    from dsa110_contimg.calibration.sums import Baselines, Refined


def model_jy(observed: Observed) -> float:
    """Flux density of the model in the beam, in the middle of the band and of the time [Jy]."""
    info = observed.info
    _, apparent = observed.sky.apparent(float(info.times_mjd[info.n_times // 2]), observed.pointing, info.freq_hz)
    return float(apparent[:, info.n_channels // 2].sum())


def residuals_of(
    observed: Observed, baselines: Baselines, refined: Refined, signs: Signs, lost: NDArray[np.bool_]
) -> Residuals:
    """Residuals of what is calibrated: their rms by the weights, in janskys by the median antenna."""
    info, fine = observed.info, ~lost
    both = fine[baselines.first] & fine[baselines.second]
    sefd = np.where(fine, signs.sefd_jy, np.nan)
    usual_jy = float(np.nanmedian(sefd)) if np.isfinite(sefd).any() else float("nan")
    thermal_jy = usual_jy / np.sqrt(2.0 * info.channel_width_hz * info.exposure_s)
    samples = int(refined.samples[both].sum())
    rms = float(np.sqrt(refined.misfit[both].sum() / max(samples, 1)))
    ratio = np.where(both, refined.times.cross.sum(axis=1, dtype=np.complex128), 0.0)
    rows1, rows2 = (info.antenna1[baselines.rows], info.antenna2[baselines.rows])
    return Residuals(rms * thermal_jy, thermal_jy, closure_rms_deg(ratio, rows1, rows2), samples)


def antenna_rms(baselines: Baselines, refined: Refined, lost: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Residual rms over thermal of each antenna's baselines to those that are not lost, (A, P); 0 without any."""
    both = ~(lost[baselines.first] | lost[baselines.second])
    misfit, samples = np.zeros((2, *lost.shape))
    for ends in baselines.pairs:
        np.add.at(misfit, ends, np.where(both, refined.misfit, 0.0))
        np.add.at(samples, ends, np.where(both, refined.samples, 0))
    return np.asarray(np.sqrt(misfit / np.maximum(samples, 1.0)))


def facts_of(
    observed: Observed,
    names: list[str],
    signs: Signs,
    rms: NDArray[np.float64],
    band: Stefcal,
    bandpass: Bandpass,
    ailments: tuple[Ailment, ...],
) -> dict[str, Any]:
    """Figures for records."""
    used = np.isfinite(band.error).any(axis=0)
    return {
        "model_sources": int(observed.sky.ra_deg.size),
        "model_apparent_jy": model_jy(observed),
        "beam": observed.pointing.beam.description,
        "sefd_jy": {
            name: [float(f"{value:.4g}") if np.isfinite(value) else None for value in row]
            for name, row in zip(names, signs.sefd_jy.tolist(), strict=True)
        },
        "residual_over_thermal": {
            name: [float(f"{value:.4g}") if value > 0.0 else None for value in row]
            for name, row in zip(names, rms.tolist(), strict=True)
        },
        "scatter_over_thermal": float(np.median(band.scatter[used])) if used.any() else None,
        "converged": float(band.converged[used].mean()) if used.any() else 0.0,
        "smoothed_channels": bandpass.smoothed,
        "bridged_channels": bandpass.bridged,
        "ailments": [ailment._asdict() for ailment in ailments],
    }
