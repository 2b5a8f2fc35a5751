"""Solutions as CASA's calibration tables: K Jones, B Jones and G Jones, as CASA itself writes them and reads them.

One row is one antenna at one time, with an array (channels, polarizations) of delays [ns] or complex gains. CASA's
convention is ours: ``DATA = g[ANTENNA1] conj(g[ANTENNA2]) MODEL``, and a delay stands for
``exp(2 pi i tau (nu - nu_0))``, nu_0 being the frequency of the table's one channel, the middle of the band (CASA 6.7
applies it so; measured, for its documents do not say). What CASA has no place for is in HISTORY.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import casacore.tables as ct
import numpy as np

from dsa110_contimg import __version__
from dsa110_contimg.calibration.casa_subtables import copy_subtables, fill_window
from dsa110_contimg.calibration.interpolation import join
from dsa110_contimg.calibration.sets import table_name
from dsa110_contimg.calibration.solutions import SolutionKind, Solutions
from dsa110_contimg.errors import CalibrationError, OutputExistsError
from dsa110_contimg.ms.subtables import add_history
from dsa110_contimg.ms.writing import table_errors
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_DAYS = 86400.0
_NS = 1e-9
# The CASA whose tables these are alike.
_CASA_VERSION = "6.7.0-31"
_ORIGIN = "dsa110-contimg"
# A delay's reference may differ from the middle of the band by so much [Hz]: 1e-5 rad at 300 ns.
_REFERENCE_TOLERANCE_HZ = 5.0

_SCALARS = {
    "TIME": "double",
    "FIELD_ID": "int",
    "SPECTRAL_WINDOW_ID": "int",
    "ANTENNA1": "int",
    "ANTENNA2": "int",
    "INTERVAL": "double",
    "SCAN_NUMBER": "int",
    "OBSERVATION_ID": "int",
}
_KEYWORDS = {
    "TIME": {"QuantumUnits": ["s"], "MEASINFO": {"type": "epoch", "Ref": "UTC"}},
    "INTERVAL": {"QuantumUnits": ["s"]},
}


class _Rows(NamedTuple):
    """The columns of a table that was read, one entry a row."""

    time_s: NDArray[np.float64]
    interval_s: NDArray[np.float64]
    antenna1: NDArray[np.int32]
    antenna2: NDArray[np.int32]
    field: int
    parameters: NDArray[Any]
    error: NDArray[np.float32]
    snr: NDArray[np.float32]
    flags: NDArray[np.bool_]


def write_caltable(path: Path, solutions: Solutions, ms: Path) -> None:
    """Write solutions as a CASA calibration table.

    Parameters
    ----------
    path : Path
        Directory to be made.
    solutions : Solutions
        What to write; single precision is kept.
    ms : Path
        The Measurement Set that was solved: its ANTENNA, FIELD, OBSERVATION and SPECTRAL_WINDOW go along.

    Raises
    ------
    CalibrationError
        The solutions are not of that Measurement Set's antennas or channels, or delays refer to another frequency
        than the middle of its band.
    OutputError
        The table is there already, or cannot be written.
    """
    with ct.table(f"{ms}::SPECTRAL_WINDOW", ack=False) as table:
        band_hz = table.getcell("CHAN_FREQ", 0)
    with ct.table(f"{ms}::ANTENNA", ack=False) as table:
        names = tuple(table.getcol("NAME"))
    _check_axes(path, solutions, band_hz, names)
    if path.exists():
        raise OutputExistsError("is there already", path=path)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with table_errors(path):
        parameter = "FPARAM" if solutions.kind == "K" else "CPARAM"
        description = _description(parameter)
        storage = {"TYPE": "StandardStMan", "NAME": "MSMTAB", "SEQNR": 0, "COLUMNS": list(description), "SPEC": {}}
        n_rows = solutions.times_mjd.size * len(names)
        with ct.table(str(path), description, n_rows, dminfo={"*1": storage}, ack=False) as table:
            _fill_main(table, solutions, parameter)
            _put_keywords(table, solutions, ms.name)
        copy_subtables(path, ms)
        fill_window(path, ms, solutions.freq_hz, solutions.channel_width_hz)
        record = {
            "reference_antenna": solutions.reference_antenna,
            "field_name": solutions.field_name,
            "field_direction_deg": list(solutions.field_direction_deg),
            "facts": solutions.facts,
        }
        messages = list(solutions.history) or [f"{solutions.kind} Jones of {solutions.field_name}"]
        add_history(path, messages, application=f"{_ORIGIN} {__version__}", command=json.dumps(record))


def read_caltable(path: Path) -> Solutions:
    """Read a calibration table, ours or one that CASA's ``gaincal`` or ``bandpass`` wrote.

    Parameters
    ----------
    path : Path
        The table.

    Returns
    -------
    Solutions
        What CASA does not write is taken from what there is: the reference antenna of a delay table is the one whose
        delays are 0.

    Raises
    ------
    CalibrationError
        It cannot be read, is of another kind, or has several spectral windows.
    """
    try:
        with ct.table(str(path), ack=False) as table:
            kind = _kind(path, table)
            rows = _read_rows(path, table, "FPARAM" if kind == "K" else "CPARAM")
        with ct.table(f"{path}::ANTENNA", ack=False) as table:
            names = tuple(table.getcol("NAME"))
        with ct.table(f"{path}::SPECTRAL_WINDOW", ack=False) as table:
            freq_hz, width_hz = (table.getcell(name, 0) for name in ("CHAN_FREQ", "CHAN_WIDTH"))
        record, history = _read_history(path)
        record = _field(path, rows.field) | record
    except RuntimeError as error:
        raise CalibrationError(f"is not a calibration table that can be read ({error})", path=path) from error
    times_s, first, time_index = np.unique(rows.time_s, return_index=True, return_inverse=True)
    place = (time_index.reshape(-1), rows.antenna1)
    shape = (times_s.size, len(names), *rows.parameters.shape[1:])
    flags = np.ones(shape, np.bool_)
    flags[place] = rows.flags
    values: NDArray[Any] = np.zeros(shape) if kind == "K" else np.ones(shape, np.complex128)
    values[place] = np.where(rows.flags, values[place], rows.parameters * (_NS if kind == "K" else 1.0))
    error_, snr = np.full(shape, np.inf, np.float32), np.zeros(shape, np.float32)
    error_[place] = np.where(rows.flags, np.inf, rows.error * (_NS if kind == "K" else 1.0))
    snr[place] = np.where(rows.flags, 0, rows.snr)
    reference = record.get("reference_antenna", _reference_antenna(rows.antenna2, values, flags))
    return Solutions(
        kind=kind,
        times_mjd=times_s / _DAYS,
        interval_s=rows.interval_s[first],
        freq_hz=freq_hz,
        channel_width_hz=float(abs(width_hz[0])),
        values=values,
        error=error_,
        snr=snr,
        flags=flags,
        reference_antenna=int(reference),
        antenna_names=names,
        field_name=record["field_name"],
        field_direction_deg=(float(record["field_direction_deg"][0]), float(record["field_direction_deg"][1])),
        history=history,
        facts=record.get("facts", {}),
    )


def read_caltables(paths: Sequence[Path]) -> tuple[Solutions, ...]:
    """Read what is to be applied together: one solution of each kind, those of one kind joined in time.

    Parameters
    ----------
    paths : sequence of Path
        Tables, or directories of them: K.tab, B.tab, G.tab.

    Raises
    ------
    CalibrationError
        There is no table, one cannot be read, or two of a kind do not fit together.
    """
    found: dict[str, Solutions] = {}
    for path in paths:
        tables = [path / table_name(kind) for kind in get_args(SolutionKind)]
        for table in [item for item in tables if item.is_dir()] or [path]:
            solutions = read_caltable(table)
            kind = solutions.kind
            found[kind] = join(found[kind], solutions) if kind in found else solutions
    return tuple(found.values())


def _check_axes(path: Path, solutions: Solutions, band_hz: NDArray[np.float64], names: tuple[str, ...]) -> None:
    if solutions.antenna_names != names:
        raise CalibrationError("the solutions are not of the Measurement Set's antennas", path=path)
    if solutions.kind == "B" and (
        solutions.freq_hz.shape != band_hz.shape or np.abs(solutions.freq_hz - band_hz).max() > _REFERENCE_TOLERANCE_HZ
    ):
        raise CalibrationError("the bandpass is not of the Measurement Set's channels", path=path)
    if solutions.kind == "K" and abs(solutions.freq_hz[0] - band_hz.mean()) > _REFERENCE_TOLERANCE_HZ:
        raise CalibrationError("the delays do not refer to the middle of the band, as CASA's do", path=path)


def _description(parameter: str) -> dict[str, Any]:
    common = {"datamanagertype": "StandardStMan", "datamanagergroup": "MSMTAB"}
    scalars = [
        ct.makescacoldesc(name, 0, valuetype=kind, options=5, keywords=_KEYWORDS.get(name, {}), **common)
        for name, kind in _SCALARS.items()
    ]
    arrays = {parameter: "complex" if parameter == "CPARAM" else "float", "PARAMERR": "float", "FLAG": "boolean"}
    arrays |= {"SNR": "float", "WEIGHT": "float"}
    cells = [ct.makearrcoldesc(name, 0, valuetype=kind, ndim=-1, **common) for name, kind in arrays.items()]
    return dict(ct.maketabdesc(scalars + cells))


def _fill_main(table: ct.table, solutions: Solutions, parameter: str) -> None:
    n_times, n_antennas, *cell = solutions.values.shape
    n_rows = n_times * n_antennas
    scale = 1 / _NS if solutions.kind == "K" else 1.0
    good = ~solutions.flags
    table.putcol("TIME", np.repeat(solutions.times_mjd * _DAYS, n_antennas))
    table.putcol("INTERVAL", np.repeat(solutions.interval_s, n_antennas))
    table.putcol("ANTENNA1", np.tile(np.arange(n_antennas, dtype=np.int32), n_times))
    table.putcol("ANTENNA2", np.full(n_rows, solutions.reference_antenna, np.int32))
    table.putcol("SCAN_NUMBER", np.ones(n_rows, np.int32))
    for name in ("FIELD_ID", "SPECTRAL_WINDOW_ID", "OBSERVATION_ID"):
        table.putcol(name, np.zeros(n_rows, np.int32))
    values = (solutions.values * scale).astype(np.complex64 if parameter == "CPARAM" else np.float32)
    error = np.where(good, solutions.error * scale, 0).astype(np.float32)
    snr = np.where(good, solutions.snr, 0).astype(np.float32)
    for name, array in ((parameter, values), ("PARAMERR", error), ("FLAG", solutions.flags), ("SNR", snr)):
        table.putcol(name, array.reshape(n_rows, *cell))


def _put_keywords(table: ct.table, solutions: Solutions, ms_name: str) -> None:
    kind = f"{solutions.kind} Jones"
    table.putinfo({"type": "Calibration", "subType": kind, "readme": ""})
    par_type = "Float" if solutions.kind == "K" else "Complex"
    keywords = {"ParType": par_type, "MSName": ms_name, "VisCal": kind, "PolBasis": "unknown"}
    for name, value in (keywords | {"CASA_Version": _CASA_VERSION}).items():
        table.putkeyword(name, value)


def _kind(path: Path, table: ct.table) -> SolutionKind:
    name = table.getkeyword("VisCal") if "VisCal" in table.keywordnames() else table.info()["subType"]
    kinds: dict[str, SolutionKind] = {"K Jones": "K", "B Jones": "B", "G Jones": "G"}
    if name not in kinds:
        raise CalibrationError(f"is a table of {name or 'nothing known'}, not of K, B or G Jones", path=path)
    return kinds[name]


def _read_rows(path: Path, table: ct.table, parameter: str) -> _Rows:
    if table.nrows() == 0 or np.any(table.getcol("SPECTRAL_WINDOW_ID")):
        raise CalibrationError("has no rows, or several spectral windows", path=path)
    names = ("TIME", "INTERVAL", "ANTENNA1", "ANTENNA2", "FIELD_ID", parameter, "PARAMERR", "SNR", "FLAG")
    found = {name: np.asarray(table.getcol(name)) for name in names}
    return _Rows(
        found["TIME"],
        found["INTERVAL"],
        found["ANTENNA1"],
        found["ANTENNA2"],
        int(found["FIELD_ID"][0]),
        found[parameter],
        found["PARAMERR"],
        found["SNR"],
        found["FLAG"],
    )


def _read_history(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what we recorded for machines (nothing, where CASA wrote the table) and all messages."""
    with ct.table(f"{path}::HISTORY", ack=False) as table:
        rows = [{name: row[name] for name in ("ORIGIN", "MESSAGE", "CLI_COMMAND")} for row in table]
    ours = [row for row in rows if row["ORIGIN"] == _ORIGIN]
    record: dict[str, Any] = json.loads(np.asarray(ours[0]["CLI_COMMAND"]).reshape(-1)[0]) if ours else {}
    return record, tuple(row["MESSAGE"] for row in rows)


def _field(path: Path, field: int) -> dict[str, Any]:
    with ct.table(f"{path}::FIELD", ack=False) as table:
        ra, dec = np.degrees(table.getcell("PHASE_DIR", field)[0])
        return {"field_name": table.getcell("NAME", field), "field_direction_deg": [float(ra % 360.0), float(dec)]}


def _reference_antenna(antenna2: NDArray[np.int32], values: NDArray[Any], flags: NDArray[np.bool_]) -> int:
    """Row of ANTENNA that most solutions name as theirs; else the one whose phases, or delays, are the smallest."""
    named = antenna2[antenna2 >= 0]
    if named.size:
        return int(np.bincount(named).argmax())
    off = np.abs(values.imag if np.iscomplexobj(values) else values)
    worst = np.where(flags.all(axis=(0, 2, 3)), np.inf, np.where(flags, 0, off).max(axis=(0, 2, 3)))
    return int(worst.argmin())
