"""What was simulated, for whoever checks what comes of it."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.spectra import DEFAULT_ALPHA
from dsa110_contimg.errors import NamingError, UsageError
from dsa110_contimg.naming import parse_subband_name
from dsa110_contimg.simulation.gains import GainModel, gains_from_json
from dsa110_contimg.simulation.plan import JD_OF_MJD_0
from dsa110_contimg.telescope.band import N_SUBBANDS
from dsa110_contimg.telescope.geometry import meridian_icrs
from dsa110_contimg.telescope.prediction import PointSources
from dsa110_contimg.telescope.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.simulation.options import SimulationOptions
    from dsa110_contimg.simulation.plan import Group, Run


class Truth(NamedTuple):
    """The truth of one group; `record` holds everything that the file says.

    Attributes
    ----------
    start : str
        Group id.
    pt_dec_deg : float
        Apparent declination in the header [deg].
    antennas : tuple of int
        Station numbers in correlator order.
    sources : PointSources
        The sky.
    mjd : (T,) float64
        Middle of each integration as the files give it [MJD, UTC].
    site : Site
        Where the header says that the array stands.
    gains : GainModel or None
        The antennas' gains, or None where the file says nothing of them.
    record : dict
        The whole file.
    """

    start: str
    pt_dec_deg: float
    antennas: tuple[int, ...]
    sources: PointSources
    mjd: NDArray[np.float64]
    site: Site
    gains: GainModel | None
    record: dict[str, Any]


def group_record(run: Run, group: Group, files: tuple[Path, ...]) -> dict[str, Any]:
    """Put together what a truth file says of a group."""
    options, mjd = run.options, group.jd - JD_OF_MJD_0
    ra_deg, dec_deg = meridian_icrs(run.pointing.dec_rad, np.array([mjd.mean()]), run.site)
    return {
        "start": group.id,
        "pt_dec_deg": options.dec_deg,
        "antennas": run.receivers.array.stations.tolist(),
        "sources": sources_as_json(run.sources),
        "meridian": [float(ra_deg[0]), float(dec_deg[0])],
        "mjd": mjd.tolist(),
        "site": list(run.site),
        "beam": f"{run.pointing.beam.description}, centred on {_axis(options)} at each integration",
        "beam_model": options.beam,
        "beam_offset_deg": list(options.beam_offset_deg),
        "subbands": list(options.subbands),
        "missing_subbands": sorted(set(range(N_SUBBANDS)) - _present(files)),
        "files": [path.name for path in files],
        "noise_jy": run.receivers.noise_jy,
        "oversample": options.oversample,
        "gains_formula": "see dsa110_contimg.simulation.gains; file visibilities are times conj(g_1) g_2",
        "gains": run.receivers.gains.as_json(),
        "dead": list(options.dead),
        "one_pol_dead": list(options.one_pol_dead),
        "deaf": list(options.deaf),
        "swapped": None if options.swapped is None else list(options.swapped),
        "rfi": [] if group.interference is None else group.interference.as_json(),
        "faults": [str(fault) for fault in options.faults if fault.group in (None, group.number)],
        "seed": options.seed,
    }


def sources_as_json(sources: PointSources) -> list[dict[str, float]]:
    """Give sources as the list that a truth file has: ra, dec [deg, ICRS], flux [Jy at 1.4 GHz], alpha."""
    keys = ("ra", "dec", "flux", "alpha")
    return [dict(zip(keys, map(float, row), strict=True)) for row in zip(*sources, strict=True)]


def sources_from_json(table: list[dict[str, float]]) -> PointSources:
    """Undo `sources_as_json`; a source without alpha has -0.7."""
    rows = [[source["ra"], source["dec"], source["flux"], source.get("alpha", DEFAULT_ALPHA)] for source in table]
    return PointSources(*np.array(rows, dtype=np.float64).reshape(-1, 4).T)


def write_truth(path: Path, record: dict[str, Any]) -> None:
    """Write a truth file."""
    path.write_text(json.dumps(record, indent=1) + "\n")


def read_truth(path: Path) -> Truth:
    """Read a truth file.

    Raises
    ------
    UsageError
        It cannot be read or lacks something.
    """
    try:
        record = json.loads(path.read_text())
        return Truth(
            start=record["start"],
            pt_dec_deg=float(record["pt_dec_deg"]),
            antennas=tuple(record["antennas"]),
            sources=sources_from_json(record["sources"]),
            mjd=np.array(record["mjd"], dtype=np.float64),
            site=Site(*record["site"]),
            gains=gains_from_json(record["gains"]) if "gains" in record else None,
            record=record,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"cannot read the truth ({type(error).__name__}: {error})", path=path) from error


def _present(files: tuple[Path, ...]) -> set[int]:
    """Subbands of the files that have a whole file's name."""
    present = set()
    for path in files:
        with contextlib.suppress(NamingError):
            present.add(parse_subband_name(path.name).subband)
    return present


def _axis(options: SimulationOptions) -> str:
    """Say where the beam's axis is."""
    east, north = options.beam_offset_deg
    offset = f" + ({east:g}, {north:g}) deg east, north" if east or north else ""
    return f"HA 0, Dec pt_dec{offset}"
