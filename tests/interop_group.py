"""A small group with a known sky, converted, for programs that are to read it; the truth is worked out without ours."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import j1

from dsa110_contimg.conversion import convert_subband_groups_to_ms
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.simulation import SimulationOptions, simulate
from dsa110_contimg.simulation.faults import parse_faults
from dsa110_contimg.telescope.site import Site
from sky_truth import hour_angle_and_dec

ANTENNAS = (1, 14, 30, 45, 51, 70, 85, 102, 103, 104, 105, 107, 113, 116)
"""Tee and outriggers: baselines of 30 m to 2.4 km."""
INTEGRATIONS = 12
DEC_DEG = 54.57
START = datetime(2025, 10, 5, 12, 30, tzinfo=UTC)
# Where the meridian is in mid-group, within arc minutes: the sky has to be written before it is observed.
NEAR = (83.45, 54.55)
OFFSETS_DEG = ((0.13, 0.10), (-0.17, 0.05), (0.05, -0.17))
FLUXES_JY = (1.0, 0.7, 0.5)
ALPHA = -0.7
MISSING = 5
"""A subband that is not there: a program that overlooks its flags sees 6% less of every source."""

FREQ_HZ = (1498.6431884765625 - 0.244140625 * np.arange(768)[::-1]) * 1e6
GOOD = np.repeat(np.arange(16)[::-1] != MISSING, 48)
DISH_M = 4.65


class Observed(NamedTuple):
    """A group: its files, its Measurement Set, and what is true of it."""

    files: Path
    ms: Path
    truth: dict

    @property
    def sources_deg(self) -> np.ndarray:
        """ICRS positions, one a row."""
        return np.array([(source["ra"], source["dec"]) for source in self.truth["sources"]])

    @property
    def apparent_jy(self) -> np.ndarray:
        """What an image of naturally weighted data has: spectrum times beam, averaged over the good data.

        The beam is that of an evenly lit dish, which points to hour angle 0.
        """
        site, mjd = Site(*self.truth["site"]), np.array(self.truth["mjd"])
        pointing = np.radians(self.truth["pt_dec_deg"])
        freq_hz = FREQ_HZ[GOOD]
        fluxes = []
        for source in self.truth["sources"]:
            hour_angle, dec = np.radians(hour_angle_and_dec(source["ra"], source["dec"], mjd, site))
            cosine = np.sin(pointing) * np.sin(dec) + np.cos(pointing) * np.cos(dec) * np.cos(hour_angle)
            argument = np.pi * DISH_M * np.sqrt(1 - cosine**2)[:, None] * freq_hz / 299792458.0
            beam = (2 * j1(argument) / argument) ** 2
            fluxes.append((source["flux"] * (freq_hz / 1.4e9) ** source["alpha"] * beam).mean())
        return np.array(fluxes)


def observe(
    directory: Path, sources: list[dict[str, float]], conversion: ConversionOptions | None = None, **options: object
) -> Observed:
    """Simulate a group of these sources and convert it."""
    sky = directory / "sky.json"
    sky.write_text(json.dumps(sources))
    files = directory / "incoming"
    values = {
        "start": START,
        "dec_deg": DEC_DEG,
        "antennas": ANTENNAS,
        "integrations": INTEGRATIONS,
        "noise": 0.0,
        "faults": parse_faults(f"missing:{MISSING}"),
    }
    simulated = simulate(files, SimulationOptions(sky=str(sky), **(values | options)))
    (converted,) = convert_subband_groups_to_ms(files, directory / "ms", options=conversion)
    return Observed(files, converted.ms, json.loads(simulated.groups[0].truth.read_text()))
