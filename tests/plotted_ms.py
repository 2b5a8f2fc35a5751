"""A small Measurement Set with something in every plot, and its samples as casacore reads them, counted by numpy."""

import casacore.tables as ct
import numpy as np

from dsa110_contimg.qa.fast_plots_kernels import AMPLITUDE_BINS, BINS_A_DECADE, LOWEST_DEX, PHASE_BINS
from predicted_ms import PredictedMs

STATIONS = (1, 9, 20, 47, 76, 103)
N_TIMES, N_CHANNELS = 3, 32
FLAGGED_STATION = 20
FLAGGED_CHANNELS = slice(8, 10)


def make_plotted_ms(path, **changes):
    """Two sources, noise, a flagged station, two flagged channels, samples and a row flagged, one not a number."""
    rng = np.random.default_rng(5)
    options = {"n_times": N_TIMES, "stations": STATIONS, "every": 24, "noise_jy": 0.5, "autos": 6500.0}
    made = PredictedMs(path, [(0.0, 0.0), (0.4, 0.2)], [3.0, 1.0], **(options | changes))

    def spoil(data):
        data[4, 5, 0] = np.nan
        return data

    with ct.table(str(path), ack=False) as table:
        first, second = table.getcol("ANTENNA1"), table.getcol("ANTENNA2")
    of_station = (first == FLAGGED_STATION - 1) | (second == FLAGGED_STATION - 1)

    def flag(flags):
        flags |= rng.random(flags.shape) < 0.1
        flags[of_station] = True
        flags[:, FLAGGED_CHANNELS] = True
        return flags

    made.change("DATA", spoil)
    made.change("FLAG", flag)
    made.change("FLAG_ROW", lambda rows: np.arange(rows.size) == 7)
    return made


def add_column(path, name, value):
    """Add a column of visibilities, all of one value."""
    with ct.table(str(path), readonly=False, ack=False) as table:
        table.addcols(ct.maketabdesc(ct.makearrcoldesc(name, 0j, 2, valuetype="complex")))
        table.putcol(name, np.full(table.getcol("DATA").shape, value, np.complex64))


def rewritten(path, to, rows):
    """Copy some rows in some order, as other programs would leave them."""
    with ct.table(str(path), ack=False) as table, table.selectrows(rows) as some:
        some.copy(str(to), deep=True).close()
    return to


class Direct:
    """All samples of an MS as casacore reads them, and what is counted of them; channels ascend."""

    def __init__(self, path, column="DATA", minus=None):
        with ct.table(str(path), ack=False) as table:
            self.values = table.getcol(column)
            if minus is not None:
                self.values = self.values - table.getcol(minus)
            self.flags = table.getcol("FLAG") | table.getcol("FLAG_ROW")[:, None, None] | ~np.isfinite(self.values)
            self.first, self.second = table.getcol("ANTENNA1"), table.getcol("ANTENNA2")
            _, self.time = np.unique(table.getcol("TIME"), return_inverse=True)
            self.uvw_m = table.getcol("UVW")
        with ct.table(f"{path}::SPECTRAL_WINDOW", ack=False) as table:
            freq_hz = table.getcell("CHAN_FREQ", 0)
        order = np.argsort(freq_hz)
        self.freq_hz = freq_hz[order]
        self.values, self.flags = self.values[:, order], self.flags[:, order]
        self.cross = self.first != self.second
        self.good = ~self.flags & self.cross[:, None, None]
        shape = self.values.shape
        self.row, self.channel, self.product = (
            index.reshape([-1 if k == axis else 1 for k in range(3)]) * np.ones(shape, int)
            for axis, index in enumerate(np.arange(n) for n in shape)
        )

    def count(self, which, *places, shape):
        """Count the samples of a mask in cells."""
        counts = np.zeros(shape, np.int64)
        np.add.at(counts, tuple(place[which] for place in places), 1)
        return counts

    def times(self):
        """Bin of time of each sample."""
        return self.time[self.row]

    def amplitude_bins(self):
        """Bin of each sample."""
        with np.errstate(divide="ignore", invalid="ignore"):
            dex = np.log10(np.abs(np.nan_to_num(self.values).astype(complex)))
        return np.clip(np.floor((dex - LOWEST_DEX) * BINS_A_DECADE), 0, AMPLITUDE_BINS - 1).astype(int)

    def phase_bins(self):
        """Bin of each sample."""
        turns = np.angle(np.nan_to_num(self.values).astype(complex)) / (2 * np.pi) + 0.5
        return np.minimum(np.floor(turns * PHASE_BINS), PHASE_BINS - 1).astype(int)
