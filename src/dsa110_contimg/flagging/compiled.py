"""Compiling the kernels of flagging once, when the package is set up, so that no group waits for it."""

from __future__ import annotations

import numpy as np

from dsa110_contimg.flagging import baselines, survey


def compile_kernels() -> None:
    """Take a small problem through every kernel, with arrays as flagging has them."""
    n_antennas, n_times, n_channels, n_corr = 3, 2, 8, 2
    first, second = (rows.astype(np.int64) for rows in np.triu_indices(n_antennas))
    data = np.ones((first.size, n_channels, n_corr), np.complex64)
    flags = np.zeros(data.shape, np.bool_)
    scale = np.ones((n_antennas, n_channels, n_corr), np.float32)
    reasons = np.zeros(data.shape, np.uint8)
    survey.classify(data, flags, reasons)
    survey.count_missing(reasons)
    some = np.ones((first.size, n_corr, 2, 2), np.float32)
    survey.sample_powers(data, reasons, scale, first, second, 4, some[:, :, 0])
    noise = survey.medians(some.reshape(first.size, n_corr, -1))
    total, count = np.zeros((2, n_antennas, n_channels))
    survey.add_to_band(data, reasons, scale, noise, first, second, total, count)
    spectra = np.ones((n_times, first.size, n_channels, n_corr), np.complex64)
    powers = np.ones((n_times, n_antennas, n_channels, n_corr), np.float32)
    coefficients = np.empty((n_times, n_channels, n_corr), np.complex64)
    baselines.correlate(
        spectra[:, 1],
        np.zeros(spectra.shape, np.bool_)[:, 1],
        powers[:, 0],
        powers[:, 1],
        np.zeros(n_corr, np.bool_),
        np.zeros((n_times, n_channels), np.bool_),
        coefficients,
    )
    baselines.take_change_away(baselines.amplitude(coefficients), np.ones((n_times, n_channels)))
