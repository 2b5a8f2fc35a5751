"""What was simulated, for whoever checks what comes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.errors import UsageError
from dsa110_contimg.simulation.gains import GainModel, gains_from_json
from dsa110_contimg.simulation.sky import DEFAULT_ALPHA
from dsa110_contimg.telescope.prediction import PointSources
from dsa110_contimg.telescope.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


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
