"""Small groups of a calibrator with known gains, converted and flagged, and how far solutions are from the truth."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dsa110_contimg.calibration.sky_model import ModelSource
from dsa110_contimg.catalogue.spectra import power_law
from dsa110_contimg.conversion import convert_subband_groups_to_ms
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.conversion.helpers import PhaseCentre
from dsa110_contimg.ms.columns import OpenMs
from dsa110_contimg.simulation import SimulationOptions, simulate
from dsa110_contimg.simulation.truth import read_truth

START = datetime(2025, 10, 5, 12, 30, tzinfo=UTC)
DEC_DEG = 54.57
# Near the middle of the beam in the middle of the group.
PLACE = (83.45, 54.62)
ALPHA = -0.6


class CalibratorGroup(NamedTuple):
    """A Measurement Set of a calibrator, and what is true of it."""

    ms: Path
    truth: object
    files: Path

    @property
    def calibrator(self):
        sources = self.truth.sources
        spectrum = power_law(float(sources.flux_jy[0]), float(sources.alpha[0]))
        return ModelSource("cal", float(sources.ra_deg[0]), float(sources.dec_deg[0]), spectrum)

    def gains(self, names, mjd, freq_hz):
        """True gains (A, C, P) of antennas by name."""
        place = {station: k for k, station in enumerate(self.truth.antennas)}
        order = [place[int(name)] for name in names]
        return self.truth.gains.at(mjd, freq_hz)[:, order].transpose(1, 2, 0)


def observe_calibrator(directory, flux_jy, *, field=20, flag_rfi=True, **options):
    """Simulate a calibrator of so many Jy with `field` other sources around it, convert, and flag known RFI."""
    rng = np.random.default_rng(9)
    offsets = rng.uniform(-1.0, 1.0, (field, 2)) * [1.2 / np.cos(np.radians(PLACE[1])), 1.0]
    fluxes = 0.05 * rng.uniform(0.05, 1.0, field) ** -0.9
    sky = [{"ra": PLACE[0], "dec": PLACE[1], "flux": flux_jy, "alpha": ALPHA}]
    sky += [
        {"ra": PLACE[0] + east, "dec": PLACE[1] + north, "flux": flux, "alpha": -0.7}
        for (east, north), flux in zip(offsets, fluxes, strict=True)
    ]
    table = directory / "sky.json"
    table.write_text(json.dumps(sky))
    values = {"start": START, "dec_deg": DEC_DEG, "gains": 7, "sky": str(table)} | options
    simulated = simulate(directory / "files", SimulationOptions(**values))
    centre = ConversionOptions(phase_centre=PhaseCentre("given", *PLACE))
    (converted,) = convert_subband_groups_to_ms(directory / "files", directory / "ms", options=centre)
    truth = read_truth(simulated.groups[0].truth)
    if flag_rfi:
        flag_known(converted.ms, truth.record["rfi"])
    return CalibratorGroup(converted.ms, truth, directory / "files")


def flag_known(ms, interference):
    """Flag the channels and integrations that the truth says have interference."""
    with OpenMs(ms, writable=True) as opened:
        for item in interference:
            hit = (opened.info.freq_hz > item["low_hz"] - 3e5) & (opened.info.freq_hz < item["high_hz"] + 3e5)
            for time in item["integrations"]:
                flags = opened.read("FLAG", time)
                flags[:, :, hit] = True
                opened.write("FLAG", time, flags)


def errors_of(group, delays, bandpass, gains):
    """Solution over truth (T, A, C, P) of antennas with solutions, phases relative to the reference; NaN elsewhere."""
    rows, freq_hz = bandpass.working, bandpass.freq_hz
    names = [bandpass.antenna_names[row] for row in rows]
    found = delays.gains(freq_hz) * bandpass.gains(freq_hz) * gains.gains(freq_hz)
    bad = delays.flags | bandpass.flags | gains.flags
    ratio = []
    for time, mjd in enumerate(gains.times_mjd):
        true = group.gains(names, mjd, freq_hz)
        one = np.where(bad[time, rows], np.nan, found[time, rows] / true)
        reference = one[list(rows).index(bandpass.reference_antenna)]
        with np.errstate(invalid="ignore"):
            ratio.append(one * np.abs(reference) / reference)
    return np.array(ratio)


def rms_deg(ratio):
    """Rms phase [deg]."""
    return float(np.degrees(np.sqrt(np.nanmean(np.angle(ratio) ** 2))))
