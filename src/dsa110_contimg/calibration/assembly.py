"""Solutions of the antennas that observe, as tables over all antennas, with what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dsa110_contimg.calibration.solutions import Solutions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.calibration.sky_model import ModelSource
    from dsa110_contimg.calibration.solve import Solved
    from dsa110_contimg.ms.information import MsInfo


def solution_tables(
    solved: Solved, info: MsInfo, source: ModelSource, history: tuple[str, ...], facts: dict[str, Any]
) -> tuple[Solutions, Solutions, Solutions]:
    """Make K, B and G of what was found.

    Parameters
    ----------
    solved : Solved
        What was found.
    info : MsInfo
        Axes of the Measurement Set.
    source : ModelSource
        What was looked at.
    history, facts
        How, for people and for machines: see `Solutions`.
    """
    rows, n_antennas = solved.baselines.antennas, len(info.antenna_names)
    delays, bandpass, gains = solved.delays, solved.bandpass, solved.gains
    common: dict[str, Any] = {
        "reference_antenna": int(rows[solved.reference]),
        "antenna_names": info.antenna_names,
        "field_name": source.name,
        "field_direction_deg": (source.ra_deg, source.dec_deg),
        "history": history,
        "facts": facts,
    }
    whole: dict[str, Any] = {
        "times_mjd": np.array([info.times_mjd.mean()]),
        "interval_s": np.array([info.interval_s * info.n_times]),
    }
    times: dict[str, Any] = {"times_mjd": solved.times_mjd, "interval_s": solved.interval_s}
    channels: dict[str, Any] = {"freq_hz": info.freq_hz, "channel_width_hz": info.channel_width_hz}
    band: dict[str, Any] = {
        "freq_hz": np.array([info.freq_hz.mean()]),
        "channel_width_hz": info.channel_width_hz * info.n_channels,
    }
    b_snr, g_snr = (np.abs(found.gains) / found.error for found in (bandpass, gains))
    # Each as (A, T, C, P).
    k_values = _spread(
        rows, n_antennas, delays.delay_s[:, None, None], delays.error_s[:, None, None], delays.snr[:, None, None]
    )
    b_values = _spread(rows, n_antennas, bandpass.gains[:, None], bandpass.error[:, None], b_snr[:, None])
    g_values = _spread(rows, n_antennas, gains.gains[:, :, None], gains.error[:, :, None], g_snr[:, :, None])
    return (
        Solutions(kind="K", **k_values, **whole, **band, **common),
        Solutions(kind="B", **b_values, **whole, **channels, **common),
        Solutions(kind="G", **g_values, **times, **band, **common),
    )


def history_of(facts: dict[str, Any]) -> tuple[str, ...]:
    """Say in words what `facts` say of how solutions were made."""
    source, settings = facts["calibrator"], facts["settings"]
    model = f"{facts['model_sources']} sources, {facts['model_apparent_jy']:.3f} Jy through the beam ({facts['beam']})"
    smoothed = f"over {facts['smoothed_channels']} channels, {facts['bridged_channels']} bridged"
    scale = facts.get("flux_scale")
    return (
        f"solved {facts['ms']} on {source['name']}: {source['flux_1p4ghz_jy']:.3f} Jy at 1.4 GHz, {source['spectrum']}",
        f"model: {model}, of a catalogue of {facts['catalogue_sources']}",
        "settings: " + ", ".join(f"{key} {value}" for key, value in settings.items()),
        f"reference antenna {facts['reference_antenna']} ({facts['reference_chosen']})",
        f"bandpass smoothed {smoothed}; residuals {facts['residual_ratio']:.3f} of thermal",
        scale["text"] if scale else f"flux scale assumed: {source['spectrum']}",
        *(f"antenna {ill['antenna']} ({', '.join(ill['polarizations'])}): {ill['text']}" for ill in facts["ailments"]),
    )


def _spread(
    rows: NDArray[np.int64],
    n_antennas: int,
    values: NDArray[Any],
    error: NDArray[np.floating[Any]],
    snr: NDArray[np.floating[Any]],
) -> dict[str, Any]:
    """Put (A, T, C, P) of the antennas that observe into (T, all antennas, C, P), flagged where there is nothing."""
    n_times, *cell = values.shape[1:]
    shape = (n_times, n_antennas, *cell)
    flags = np.ones(shape, np.bool_)
    flags[:, rows] = np.swapaxes(~(np.isfinite(error) & (snr > 0.0)), 0, 1)

    def placed(array: NDArray[Any], empty: float, dtype: type) -> NDArray[Any]:
        target = np.full(shape, empty, dtype)
        target[:, rows] = np.swapaxes(array, 0, 1)
        target[flags] = empty
        return target

    complex_gains = np.iscomplexobj(values)
    return {
        "values": placed(values, float(complex_gains), np.complex128 if complex_gains else np.float64),
        "error": placed(error, np.inf, np.float32),
        "snr": placed(snr, 0.0, np.float32),
        "flags": flags,
    }
