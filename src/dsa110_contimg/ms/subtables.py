"""Filling the subtables of a Measurement Set, all that CASA's tasks read; shared by every writer."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

import casacore.tables as ct
import numpy as np

from dsa110_contimg.ms.description import CORR_TYPES, N_CORR

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.ms.description import MsDescription

_DAYS = 86400.0
# casacore's MFrequency type TOPO: frequencies are as the correlator saw them.
_TOPOCENTRIC = 5
_MJD_OF_UNIX_EPOCH = 40587


def fill_subtables(path: Path, description: MsDescription) -> None:
    """Fill all subtables but HISTORY.

    What rows a subtable had is replaced; POINTING and FLAG_CMD stay empty.
    """
    _clear(path)
    _antenna(path, description)
    _feed(path, description)
    _field(path, description)
    _source(path, description)
    _observation(path, description)
    _spectral_window(path, description)
    polarization: dict[str, Any] = {"NUM_CORR": N_CORR, "CORR_TYPE": np.array(CORR_TYPES, np.int32)}
    _put_rows(path, "POLARIZATION", [polarization | {"CORR_PRODUCT": np.array([[0, 0], [1, 1]], np.int32)}])
    _put_rows(path, "DATA_DESCRIPTION", [{"SPECTRAL_WINDOW_ID": 0, "POLARIZATION_ID": 0}])
    correlator = {"TYPE": "CORRELATOR", "SUB_TYPE": description.processor, "TYPE_ID": -1, "MODE_ID": -1}
    _put_rows(path, "PROCESSOR", [correlator])
    _put_rows(path, "STATE", [{"SIG": True, "REF": False, "CAL": 0.0, "LOAD": 0.0, "OBS_MODE": description.obs_mode}])


def add_history(path: Path, messages: list[str], *, application: str, command: str) -> None:
    """Append messages to HISTORY, at the present time.

    Parameters
    ----------
    path : Path
        The Measurement Set.
    messages : list of str
        One row each.
    application : str
        Name and version of what wrote it.
    command : str
        The command line or settings.
    """
    now_s = time.time() + _MJD_OF_UNIX_EPOCH * _DAYS
    common = {"TIME": now_s, "PRIORITY": "INFO", "ORIGIN": "dsa110-contimg", "APPLICATION": application}
    rows = [
        common | {"MESSAGE": message, "CLI_COMMAND": np.array([command]), "APP_PARAMS": np.array([""])}
        for message in messages
    ]
    _put_rows(path, "HISTORY", rows)


def _clear(path: Path) -> None:
    for name in ("ANTENNA", "DATA_DESCRIPTION", "FEED", "FIELD", "OBSERVATION", "POINTING", "POLARIZATION"):
        _remove_rows(path, name)
    for name in ("FLAG_CMD", "PROCESSOR", "SPECTRAL_WINDOW", "STATE"):
        _remove_rows(path, name)


def _remove_rows(path: Path, name: str) -> None:
    with ct.table(f"{path}::{name}", readonly=False, ack=False) as table:
        if table.nrows():
            table.removerows(list(range(table.nrows())))
            # casacore forgets that the last row went unless the table changes in another way too.
            table.putkeyword("emptied", value=True)
            table.removekeyword("emptied")


def _put_rows(path: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Append rows; columns that a row does not name keep casacore's zero."""
    with ct.table(f"{path}::{name}", readonly=False, ack=False) as table:
        first = table.nrows()
        table.addrows(len(rows))
        for index, row in enumerate(rows, first):
            for column, value in row.items():
                table.putcell(column, index, value)


def _put_columns(path: Path, name: str, n_rows: int, columns: dict[str, Any]) -> None:
    with ct.table(f"{path}::{name}", readonly=False, ack=False) as table:
        table.addrows(n_rows)
        for column, value in columns.items():
            table.putcol(column, value)


def _antenna(path: Path, description: MsDescription) -> None:
    antennas = description.antennas
    n = len(antennas.names)
    columns = {
        "NAME": list(antennas.names),
        "STATION": list(antennas.names),
        "TYPE": ["GROUND-BASED"] * n,
        # The dishes are transit instruments; casacore knows no such mount and warns without end of a fixed one.
        "MOUNT": ["alt-az"] * n,
        "POSITION": antennas.itrf_m,
        "OFFSET": np.zeros((n, 3)),
        "DISH_DIAMETER": antennas.diameters_m,
        "FLAG_ROW": np.zeros(n, bool),
    }
    _put_columns(path, "ANTENNA", n, columns)


def _feed(path: Path, description: MsDescription) -> None:
    n = len(description.antennas.names)
    start, end = _time_range_s(description)
    columns = {
        "ANTENNA_ID": np.arange(n, dtype=np.int32),
        "FEED_ID": np.zeros(n, np.int32),
        "SPECTRAL_WINDOW_ID": np.full(n, -1, np.int32),
        "TIME": np.full(n, (start + end) / 2),
        "INTERVAL": np.full(n, end - start),
        "NUM_RECEPTORS": np.full(n, 2, np.int32),
        "BEAM_ID": np.full(n, -1, np.int32),
        "BEAM_OFFSET": np.zeros((n, 2, 2)),
        "POLARIZATION_TYPE": {"shape": [n, 2], "array": ["X", "Y"] * n},
        "POL_RESPONSE": np.tile(np.eye(2, dtype=np.complex64), (n, 1, 1)),
        "POSITION": np.zeros((n, 3)),
        "RECEPTOR_ANGLE": np.zeros((n, 2)),
    }
    _put_columns(path, "FEED", n, columns)


def _directions(description: MsDescription) -> np.ndarray:
    """Phase centres [rad], shape (fields, 2), right ascension in (-pi, pi] as CASA writes it."""
    degrees = np.array([[(f.ra_deg + 180.0) % 360.0 - 180.0, f.dec_deg] for f in description.fields])
    return np.radians(degrees)


def _field(path: Path, description: MsDescription) -> None:
    n = len(description.fields)
    directions = _directions(description)[:, None, :]
    columns = {
        "NAME": [f.name for f in description.fields],
        "CODE": [""] * n,
        "TIME": np.array([f.mjd for f in description.fields]) * _DAYS,
        "NUM_POLY": np.zeros(n, np.int32),
        "DELAY_DIR": directions,
        "PHASE_DIR": directions,
        "REFERENCE_DIR": directions,
        "SOURCE_ID": np.arange(n, dtype=np.int32),
        "FLAG_ROW": np.zeros(n, bool),
    }
    _put_columns(path, "FIELD", n, columns)
    with ct.table(f"{path}::FIELD", readonly=False, ack=False) as table:
        for column in ("DELAY_DIR", "PHASE_DIR", "REFERENCE_DIR"):
            table.putcolkeyword(column, "MEASINFO", {"type": "direction", "Ref": "ICRS"})


def _source(path: Path, description: MsDescription) -> None:
    shutil.rmtree(path / "SOURCE", ignore_errors=True)
    with ct.default_ms_subtable("SOURCE", str(path / "SOURCE"), ct.required_ms_desc("SOURCE")):
        pass
    n = len(description.fields)
    start, end = _time_range_s(description)
    columns = {
        "SOURCE_ID": np.arange(n, dtype=np.int32),
        "TIME": np.full(n, (start + end) / 2),
        "INTERVAL": np.full(n, end - start),
        "SPECTRAL_WINDOW_ID": np.full(n, -1, np.int32),
        "NUM_LINES": np.zeros(n, np.int32),
        "NAME": [f.name for f in description.fields],
        "CALIBRATION_GROUP": np.zeros(n, np.int32),
        "CODE": [""] * n,
        "DIRECTION": _directions(description),
        "PROPER_MOTION": np.zeros((n, 2)),
    }
    with ct.table(str(path / "SOURCE"), readonly=False, ack=False) as table:
        table.addrows(n)
        for column, value in columns.items():
            table.putcol(column, value)
        table.putcolkeyword("DIRECTION", "MEASINFO", {"type": "direction", "Ref": "ICRS"})
    with ct.table(str(path), readonly=False, ack=False) as ms:
        ms.putkeyword("SOURCE", f"Table: {path / 'SOURCE'}")


def _observation(path: Path, description: MsDescription) -> None:
    row = {
        "TELESCOPE_NAME": description.telescope_name,
        "TIME_RANGE": np.array(_time_range_s(description)),
        "OBSERVER": description.observer,
        "LOG": np.array([""]),
        "SCHEDULE_TYPE": "",
        "SCHEDULE": np.array([""]),
        "PROJECT": description.project,
        "RELEASE_DATE": 0.0,
    }
    # pyuvdata's own column. Without it pyuvdata looks the name up in lists of telescopes, one of them on the network,
    # and then takes the mean of the antennas.
    with ct.table(f"{path}::OBSERVATION", readonly=False, ack=False) as table:
        if "TELESCOPE_LOCATION" not in table.colnames():
            place = ct.makearrcoldesc("TELESCOPE_LOCATION", 0.0, shape=[3], valuetype="double")
            table.addcols(ct.maketabdesc(place))
    _put_rows(path, "OBSERVATION", [row | {"TELESCOPE_LOCATION": description.site_itrf_m}])


def _spectral_window(path: Path, description: MsDescription) -> None:
    freq_hz = description.freq_hz
    width = np.full(freq_hz.size, description.channel_width_hz)
    row = {
        "NAME": "DSA-110",
        "NUM_CHAN": freq_hz.size,
        "REF_FREQUENCY": freq_hz[freq_hz.size // 2],
        "MEAS_FREQ_REF": _TOPOCENTRIC,
        "CHAN_FREQ": freq_hz,
        "CHAN_WIDTH": width,
        "EFFECTIVE_BW": width,
        "RESOLUTION": width,
        "TOTAL_BANDWIDTH": width.sum(),
        "NET_SIDEBAND": 1,
        "FREQ_GROUP": 0,
        "FREQ_GROUP_NAME": "",
        "IF_CONV_CHAIN": 0,
    }
    _put_rows(path, "SPECTRAL_WINDOW", [row])


def _time_range_s(description: MsDescription) -> tuple[float, float]:
    """Start of the first and end of the last integration [MJD seconds, UTC]."""
    half = description.interval_s / 2
    return description.times_mjd[0] * _DAYS - half, description.times_mjd[-1] * _DAYS + half
