"""A set of solutions as a directory: its tables, its figures, and ``set.json``, which says what it is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from dsa110_contimg.calibration.ladder import TRANSIT, SetRecord
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.naming import CALIBRATION_NAME
from dsa110_contimg.telescope.correlator import CorrelatorState

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
FIGURES = "figures"
"""Directory of a set's figures, in its own."""


def table_name(kind: str) -> str:
    """Name the table of the solutions of a kind in a set's directory: ``B.tab``."""
    return f"{kind}.tab"


@dataclass(frozen=True)
class CalibrationSet:
    """What a set is.

    Attributes
    ----------
    name : str
        Of its directory.
    group : str
        Id of the group that it was measured in.
    calibrator : str
        Label of the source; of a tie, what it was tied to.
    mid_mjd : float
        When it was measured: the middle of the gains' times [MJD, UTC].
    state : CorrelatorState
        How the telescope stood.
    grade : dict
        The verdict, its reasons, the measures, and what ails antennas (`Grade.as_json`).
    flux_scale : dict
        See `FluxScale.as_json`.
    kinds : tuple of str
        Of its tables, in the order in which they are applied.
    kind : str
        "transit" or "tie".
    facts : dict
        Whatever else is known: why this calibrator, settings, versions.
    """

    name: str
    group: str
    calibrator: str
    mid_mjd: float
    state: CorrelatorState
    grade: dict[str, Any]
    flux_scale: dict[str, Any]
    kinds: tuple[str, ...] = ("K", "B", "G")
    kind: str = TRANSIT
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Good, usable or bad."""
        return str(self.grade["verdict"])

    def write(self, directory: Path) -> None:
        """Write it into the set's directory."""
        values = {"format": FORMAT, **asdict(self), "state": self.state._asdict()}
        (directory / CALIBRATION_NAME).write_text(json.dumps(values, indent=1) + "\n")

    def record(self, path: Path) -> SetRecord:
        """Give what the ladder has to know of it, where it lies."""
        return SetRecord(
            name=self.name,
            path=str(path),
            kind=self.kind,
            group=self.group,
            calibrator=self.calibrator,
            grade=self.verdict,
            mid_mjd=self.mid_mjd,
            state=self.state,
            scale_error=float(self.flux_scale["error"]),
        )


def read_set(directory: Path) -> CalibrationSet:
    """Read what a set's directory says it is.

    Raises
    ------
    CalibrationError
        It is none of ours, or not whole.
    """
    try:
        values = json.loads((directory / CALIBRATION_NAME).read_text())
        if values.pop("format") != FORMAT:
            raise ValueError("its format is not known")
        values |= {"state": CorrelatorState.from_json(values["state"]), "kinds": tuple(values["kinds"])}
        found = CalibrationSet(**values)
        found.record(directory)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CalibrationError(
            f"is not a calibration set ({error})",
            path=directory,
            remedy="Solve it again with dsa110-contimg calibrate.",
        ) from error
    missing = [kind for kind in found.kinds if not (directory / table_name(kind)).is_dir()]
    if missing:
        raise CalibrationError(f"lacks its tables {', '.join(missing)}", path=directory, remedy="Solve it again.")
    return found
