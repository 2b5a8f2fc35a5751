"""Simulated groups and their Measurement Sets, each made once for all tests that only read them."""

from datetime import UTC, datetime
from typing import NamedTuple

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.conversion import write_ms_from_subbands
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.conversion.helpers import parse_phase_centre
from dsa110_contimg.simulation import SimulationOptions, simulate
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.site import Site
from point_source_truth import meridian_in_icrs, sources_around, write_sky

#: Two of the tee and four outriggers, up to 2.5 km apart, in an order as unsorted as the correlator's.
STATIONS = (24, 103, 11, 116, 108, 114)
START = datetime(2025, 10, 5, 12, 30, tzinfo=UTC)
# East, north [deg], flux [Jy], spectral index: on and off axis, to 1.5 deg.
OFFSETS = [(0, 0.01, 5, -0.7), (0.9, 0.4, 3, 0.0), (-0.3, -1.0, 2, -1.2), (-1.2, 0.9, 4, 0.5), (1.0, -0.2, 1, -0.7)]


class Simulated(NamedTuple):
    """A noise-free group, and what is in its sky."""

    files: tuple
    sources: list
    mjd: np.ndarray
    site: Site
    dec_deg: float
    stations: tuple


class Ms:
    """Columns of a Measurement Set that nobody writes."""

    def __init__(self, path, outcome=None):
        self.path = path
        self.outcome = outcome

    def column(self, name, subtable=""):
        with ct.table(f"{self.path}{'::' if subtable else ''}{subtable}", ack=False) as table:
            return table.getcol(name)

    def columns(self):
        with ct.table(str(self.path), ack=False) as table:
            return set(table.colnames())

    def by_time(self, name):
        """A column of the main table, shape (times, baselines, ...)."""
        values = self.column(name)
        n_times = np.unique(self.column("TIME")).size
        return values.reshape(n_times, -1, *values.shape[1:])


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """Simulate a noise-free group, or give the one that was with these options; not to be written to."""
    made = {}

    def simulate_once(dec_deg=54.57, start=START, site=None, antennas=STATIONS, integrations=4, **more):
        key = (dec_deg, start, site, antennas, integrations, *sorted(more.items()))
        if key not in made:
            out = tmp_path_factory.mktemp("group")
            at = Site(*site) if site else HEADER_SITE
            middle_d = (start - datetime(1858, 11, 17, tzinfo=UTC)).total_seconds() / 86400
            middle_d += integrations / 2 * 12.884901888 / 86400
            sources = sources_around(*meridian_in_icrs(dec_deg, middle_d, at), OFFSETS)
            options = SimulationOptions(
                start=start, dec_deg=dec_deg, site=site, antennas=antennas, integrations=integrations, noise=0.0,
                sky=str(write_sky(out / "mine.csv", sources)), jitter_s=0.0, **more,
            )  # fmt: skip
            (group,) = simulate(out, options).groups
            mjd = group.start_mjd + (np.arange(integrations) + 0.5) * 12.884901888 / 86400
            made[key] = Simulated(group.files, sources, mjd, at, dec_deg, antennas)
        return made[key]

    return simulate_once


@pytest.fixture(scope="session")
def converted(tmp_path_factory):
    """Convert files, or give the Measurement Set that came of it before; not to be written to."""
    made = {}

    def convert_once(files, centre="meridian", **options):
        key = (tuple(files), centre, *sorted(options.items()))
        if key not in made:
            path = tmp_path_factory.mktemp("ms") / "group.ms"
            wanted = ConversionOptions(phase_centre=parse_phase_centre(centre), **options)
            made[key] = Ms(path, write_ms_from_subbands(files, path, wanted))
        return made[key]

    return convert_once
