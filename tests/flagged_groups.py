"""Groups with known interference and sick antennas, simulated and converted."""

import json
from typing import NamedTuple

import casacore.tables as ct
import numpy as np

from dsa110_contimg.conversion import convert_subband_groups_to_ms
from dsa110_contimg.simulation import SimulationOptions, simulate
from dsa110_contimg.simulation.noise import SAMPLES

ANTENNAS = (113, 89, 1, 32, 39, 46, 82, 75, 96, 25, 110, 103)
"""Stations of tee and outriggers, in the correlator's order."""
DEAD, ONE_POL_DEAD, DEAF = 46, 39, 82
PLACE = (83.45, 54.55)
"""Where the group looks to, within arc minutes."""
FIELD_JY = (1.4, 0.9, 0.7, 0.5, 0.4, 0.3, 0.3, 0.2)


class Group(NamedTuple):
    """A group and what is true of it; arrays are (T, B, C, P).

    Attributes
    ----------
    ms : Path
        Its Measurement Set.
    strength : float32
        Interference, relative to the rms of a component of the noise.
    well : (B, P) bool
        Cross-correlations of healthy antennas.
    clean : (T, C) bool
        Where nothing transmits.
    """

    ms: object
    strength: np.ndarray
    well: np.ndarray
    clean: np.ndarray

    def found(self, flags):
        """Fraction of the samples with interference above 5 times the noise that are flagged."""
        return flags[(self.strength > 5) & self.well[:, None]].mean()

    def lost(self, flags):
        """Fraction of the samples where nothing transmits that are flagged."""
        return flags[np.broadcast_to(self.clean[:, None, :, None] & self.well[:, None], flags.shape)].mean()


def write_sky(path, sources):
    rng = np.random.default_rng(4)
    field = [
        {"ra": PLACE[0] + x / np.cos(np.radians(PLACE[1])), "dec": PLACE[1] + y, "flux": flux}
        for flux, (x, y) in zip(FIELD_JY, rng.uniform(-0.9, 0.9, (len(FIELD_JY), 2)), strict=True)
    ]
    path.write_text(json.dumps(field + sources))
    return str(path)


def converted(directory, **options):
    simulated = simulate(directory / "files", SimulationOptions(gains=5, **options))
    (made,) = convert_subband_groups_to_ms(directory / "files", directory / "ms")
    return made.ms, json.loads(simulated.groups[0].truth.read_text())


def columns(ms, *names):
    with ct.table(str(ms), ack=False) as table:
        n_times = np.unique(table.getcol("TIME")).size
        values = [table.getcol(name) for name in names]
    return [value.reshape(n_times, -1, *value.shape[1:]) for value in values]


def make_group(directory, sources=(), seed=2, **options):
    """Simulate a group with interference, and once more without sky and noise, which leaves the interference."""
    options = {"antennas": ANTENNAS, "rfi": True, "seed": seed} | options
    sky = write_sky(directory / "sky.json", list(sources))
    ms, truth = converted(directory / "group", sky=sky, **options)
    nothing = directory / "nothing.json"
    nothing.write_text(json.dumps([{"ra": PLACE[0], "dec": PLACE[1], "flux": 1e-12}]))
    options = {name: value for name, value in options.items() if name not in {"dead", "deaf", "one_pol_dead"}}
    only, _ = converted(directory / "only", sky=str(nothing), noise=0.0, **options)
    (interference,) = columns(only, "DATA")
    (data,), (first, second) = columns(ms, "DATA"), (columns(ms, name)[0][0] for name in ("ANTENNA1", "ANTENNA2"))
    powers = np.full((data.shape[0], 117, *data.shape[2:]), np.nan)
    powers[:, first[first == second]] = data[:, first == second].real
    usual = np.median(powers, axis=0)
    noise = np.sqrt(usual[first] * usual[second] / (2 * SAMPLES))
    sick = np.zeros((117, 2), bool)
    sick[[station - 1 for station in truth["dead"] + truth["deaf"]]] = True
    sick[[station - 1 for station in truth["one_pol_dead"]], 0] = True
    well = ~(sick[first] | sick[second]) & (first != second)[:, None]
    strength = np.where(well[:, None], np.abs(interference) / noise, 0).astype(np.float32)
    return Group(ms, strength, well, strength.max(axis=(1, 3)) < 0.02)
