"""Solutions drawn at random for a small Measurement Set (see `small_ms`)."""

import numpy as np

from dsa110_contimg.calibration.solutions import Solutions


def make(kind, description, times=(0,), working=None, seed=1, **changes):
    """K, B or G at some of the integrations; antennas without data have no solution."""
    rng = np.random.default_rng([seed, ord(kind)])
    freq_hz, width_hz = description.freq_hz, description.channel_width_hz
    if kind != "B":
        freq_hz, width_hz = freq_hz.mean(keepdims=True), width_hz * freq_hz.size
    names = description.antennas.names
    shape = (len(times), len(names), freq_hz.size, 2)
    flags = np.ones(shape, bool)
    flags[:, np.unique(description.antenna1) if working is None else working] = False
    if kind == "K":
        values = np.where(flags, 0.0, rng.uniform(-50e-9, 50e-9, shape))
    else:
        drawn = np.exp(0.2 * rng.normal(size=shape) + 1j * rng.uniform(-0.7, 0.7, shape))
        values = np.where(flags, 1.0, drawn)
    facts = {
        "kind": kind,
        "times_mjd": description.times_mjd[list(times)],
        "interval_s": np.full(len(times), description.interval_s),
        "freq_hz": freq_hz,
        "channel_width_hz": width_hz,
        "values": values,
        "error": np.where(flags, np.inf, 0.01 * (1e-9 if kind == "K" else 1)).astype(np.float32),
        "snr": np.where(flags, 0, 100).astype(np.float32),
        "flags": flags,
        "reference_antenna": 1,
        "antenna_names": names,
        "field_name": "3C 286",
        "field_direction_deg": (202.7845, 30.5092),
        "history": ("solved by the book", "and judged good"),
        "facts": {"flux_scale": "Perley-Butler 2017", "model": {"sources": 12}},
    }
    return Solutions(**(facts | changes))
