"""Made-up sets of solutions, healthy unless told otherwise."""

from dataclasses import replace

import numpy as np

from dsa110_contimg.calibration.solutions import Solutions
from dsa110_contimg.telescope.band import INTEGRATION_S, band_frequencies_hz

START_MJD = 60953.5


def _solutions(kind, values, error, n_times, freq_hz, **changed):
    n_antennas = values.shape[1]
    snr = np.full(values.shape, 1.0 / error if kind == "K" else 0.0, np.float32)
    if kind != "K":
        snr[:] = abs(values) / error
    facts = {
        "kind": kind,
        "times_mjd": START_MJD + (np.arange(n_times) + 0.5) * 24 / n_times * INTEGRATION_S / 86400,
        "interval_s": np.full(n_times, 24 / n_times * INTEGRATION_S),
        "freq_hz": freq_hz,
        "channel_width_hz": float(freq_hz[1] - freq_hz[0]) if freq_hz.size > 1 else 187.5e6,
        "values": values,
        "error": np.full(values.shape, error, np.float32),
        "snr": snr,
        "flags": np.zeros(values.shape, bool),
        "reference_antenna": 0,
        "antenna_names": tuple(str(n + 1) for n in range(n_antennas)),
        "field_name": "3C286",
        "field_direction_deg": (202.7845, 30.5092),
    }
    return Solutions(**facts | changed)


def healthy_set(n_antennas=12, n_channels=96, n_times=8, noise=0.01, seed=0):
    """K, B and G of an array in which nothing is wrong; `noise` is the error of a gain of 1."""
    rng = np.random.default_rng(seed)

    def normal(shape):
        return noise * (rng.normal(size=shape) + 1j * rng.normal(size=shape))

    freq_hz = band_frequencies_hz()[:: 768 // n_channels]
    middle = np.array([freq_hz.mean()])
    delay_s = rng.uniform(-20e-9, 20e-9, (1, n_antennas, 1, 2))
    delay_s[:, 0] = 0.0
    level = 0.5 * np.exp(rng.normal(0, 0.15, (1, n_antennas, 1, 2)))
    waves = np.cos(2 * np.pi * freq_hz[None, None, :, None] / 100e6 + rng.uniform(0, 6, (1, n_antennas, 1, 2)))
    phase = rng.uniform(-3, 3, (1, n_antennas, 1, 2))
    band = level * (1 + 0.1 * waves) * np.exp(1j * phase)
    drift = np.exp(1j * rng.normal(0, 0.02, (1, n_antennas, 1, 2)) * np.linspace(-1, 1, n_times)[:, None, None, None])
    return (
        _solutions("K", delay_s, 0.02e-9, 1, middle),
        _solutions("B", band * (1 + normal((1, n_antennas, n_channels, 2))), noise, 1, freq_hz),
        _solutions("G", drift * (1 + normal((n_times, n_antennas, 1, 2)) / 10), noise / 10, n_times, middle),
    )


def changed(solutions, where, value):
    """The same solutions with some values multiplied (K: with something added)."""
    values = solutions.values.copy()
    values[where] = values[where] + value if solutions.kind == "K" else values[where] * value
    return replace(solutions, values=values)


def without(solutions, where):
    """The same solutions with some flagged."""
    flags = solutions.flags.copy()
    flags[where] = True
    return replace(solutions, flags=flags)
