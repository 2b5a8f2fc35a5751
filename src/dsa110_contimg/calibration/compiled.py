"""Compiling the kernels of solving and applying once, when the package is set up, so that no group waits for it."""

from __future__ import annotations

import numpy as np

from dsa110_contimg.calibration.apply_kernels import correct, scale_weights
from dsa110_contimg.calibration.blocks import BlockSums
from dsa110_contimg.calibration.spectra import antenna_spectra
from dsa110_contimg.calibration.stefcal import stefcal
from dsa110_contimg.calibration.sums import Baselines, Refined, Sample, Sums


def compile_kernels() -> None:
    """Take a small problem through every kernel, with arrays as solving and applying have them."""
    n_antennas, n_channels, n_pol = 6, 4, 2
    antenna1, antenna2 = np.triu_indices(n_antennas)
    cross = antenna1 != antenna2
    rows = np.flatnonzero(cross)
    first, second = antenna1[cross].astype(np.int64), antenna2[cross].astype(np.int64)
    baselines = Baselines(np.arange(n_antennas), rows, first, second, np.flatnonzero(~cross))
    shape = (n_antennas, n_channels, n_pol)
    sample = Sample(
        data=np.ones((antenna1.size, n_channels, n_pol), np.complex64),
        flags=np.zeros((antenna1.size, n_channels, n_pol), np.bool_),
        model=np.ones((rows.size, n_channels), np.complex64),
        sensitivity=np.ones(shape, np.float32),
        used=np.ones((1, rows.size), np.bool_)[0],
    )
    gains = np.ones(shape, np.complex64)
    sums = Sums.empty(rows.size, n_channels, n_pol)
    sums.add(baselines, sample)
    Refined.empty(rows.size, 2, n_channels, n_pol).add(baselines, sample, 0, gains, robust=True)
    BlockSums.empty(rows.size, 2, np.array([0, 2]), n_pol).add(baselines, sample, 0, gains)
    antenna_spectra(baselines, sample, gains, np.array([0, 1]))
    stefcal(sums.cross, sums.power, baselines.pairs, np.ones(shape, np.complex128))
    ends = (antenna1.astype(np.int32), antenna2.astype(np.int32))
    missing, unflagged = np.zeros(shape, np.bool_), np.empty(antenna1.size, np.int64)
    correct(sample.data, sample.flags, *ends, gains, missing, unflagged)
    scale_weights(np.ones(sample.data.shape, np.float32), *ends, np.ones(shape, np.float32))
