"""Changing the samples of subband files, whose data sets are laid down chunk by chunk."""

import h5py
import numpy as np


def change(path, name, where, value):
    """Put a value (or as many as there are places) where a mask, or a slice of rows, says."""
    with h5py.File(path, "r+") as file:
        samples = file["Data"][name][:]
        samples[where] = value
        file["Data"][name][...] = samples


def samples(path, name):
    """All samples of a data set, (times, baselines, 48 channels descending, 2)."""
    with h5py.File(path) as file:
        n_baselines = int(file["Header/Nbls"][()])
        values = file["Data"][name][:]
        return np.reshape(values, (-1, n_baselines, 48, 2))
