"""What the fast plots have to know of a Measurement Set before they read its visibilities, whoever wrote it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import casacore.tables as ct
import numpy as np

from dsa110_contimg.errors import MeasurementSetError, NamingError
from dsa110_contimg.ms.information import recorded_pointing_dec_rad
from dsa110_contimg.naming import group_id_from_mjd
from dsa110_contimg.qa.fast_plots_kernels import Channels, Rows

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: Bins at most: more integrations, or channels, share them.
MOST_TIMES, MOST_COLUMNS = 512, 1024
#: Bins of uv distance, and of u and v.
UV_BINS, PLANE_BINS = 320, 480
#: The middle of the uv plane is drawn for itself: this quantile of the baselines' lengths reaches to its edge.
_MIDDLE_QUANTILE = 0.6

_C_M_S = 299792458.0
_DAYS = 86400.0
# CASA's codes of the correlations that are of one polarization.
_POLARIZATIONS = {1: "I", 5: "RR", 8: "LL", 9: "XX", 12: "YY"}
# Rows whose coordinates are read at once.
_MANY_ROWS = 500_000


class PlotAxes(NamedTuple):
    """The axes of a Measurement Set, and the bins on them.

    Attributes
    ----------
    path : Path
        The Measurement Set.
    n_rows : int
        Its rows, in any order.
    start_mjd : float
        Start of the first integration [MJD, UTC].
    time_edges_mjd : (T + 1,) float64
        Edges of the bins of time [MJD, UTC].
    freq_edges_hz : (F + 1,) float64
        Edges of the bins of frequency, ascending [Hz].
    channels : Channels
        Where its channels belong.
    polarizations : tuple of str
        ``XX`` and ``YY``.
    antenna_names : tuple of str
        Rows of ANTENNA.
    antennas : (A,) int64
        Rows of ANTENNA that have data.
    uv_edges : (U + 1,) float64
        Edges of the bins of uv distance, all of one ratio [wavelengths].
    plane_limits : (2,) float64
        Largest |u| and |v| of the whole plane, and of its middle [wavelengths].
    has_crosses, has_autos, has_uv : bool
        Whether there are such rows, and whether baselines have coordinates.
    dec_deg : float
        Declination to which the dishes point; where nobody recorded it, that of the first phase centre [deg].
    n_fields : int
        How many phase centres the rows have.
    columns : tuple of str
        All columns of the main table.
    """

    path: Path
    n_rows: int
    start_mjd: float
    time_edges_mjd: NDArray[np.float64]
    freq_edges_hz: NDArray[np.float64]
    channels: Channels
    polarizations: tuple[str, ...]
    antenna_names: tuple[str, ...]
    antennas: NDArray[np.int64]
    uv_edges: NDArray[np.float64]
    plane_limits: NDArray[np.float64]
    has_crosses: bool
    has_autos: bool
    has_uv: bool
    dec_deg: float
    n_fields: int
    columns: tuple[str, ...]

    @property
    def title(self) -> str:
        """Group, or start of the data, and declination, for the top of a figure."""
        try:
            group = group_id_from_mjd(self.start_mjd).replace("T", " ")
        except NamingError:
            group = f"MJD {self.start_mjd:.5f}"
        fields = f", {self.n_fields} phase centres" if self.n_fields > 1 else ""
        return f"{group} UTC, declination {self.dec_deg:+.2f}°{fields}"

    def rows(self, columns: dict[str, NDArray[Any]]) -> Rows:
        """Say where rows belong, from their TIME, ANTENNA1, ANTENNA2, UVW and FLAG_ROW."""
        n_times = self.time_edges_mjd.size - 1
        first, last = self.time_edges_mjd[0], self.time_edges_mjd[-1]
        bins = np.floor((columns["TIME"] / _DAYS - first) / (last - first) * n_times).astype(np.int64)
        u_m, v_m = (np.ascontiguousarray(columns["UVW"][:, k]) for k in (0, 1))
        distance_m = np.hypot(u_m, v_m)
        log_uv = np.full(u_m.size, -np.inf)
        there = distance_m > 0.0
        log_uv[there] = np.log(distance_m[there])
        return Rows(
            np.clip(bins, 0, n_times - 1),
            columns["ANTENNA1"].astype(np.int64),
            columns["ANTENNA2"].astype(np.int64),
            u_m,
            v_m,
            log_uv,
            np.asarray(columns["FLAG_ROW"], np.bool_),
        )


class _Extent(NamedTuple):
    """How far the rows reach: times [s]; uv distances, the larger of |u| and |v|, and that of many of them [m]."""

    times_s: NDArray[np.float64]
    antennas: NDArray[np.int64]
    has_crosses: bool
    has_autos: bool
    least_m: float
    most_m: float
    reach_m: float
    middle_m: float
    fields: NDArray[np.int64]


def read_axes(ms: Path) -> PlotAxes:
    """Read the axes of a Measurement Set, and choose the bins on them.

    Raises
    ------
    MeasurementSetError
        It cannot be read, has no rows, several spectral windows, or no correlation of one polarization.
    """
    if not (ms / "table.dat").is_file():
        raise MeasurementSetError("is not a Measurement Set", path=ms)
    try:
        with ct.table(str(ms), ack=False) as table:
            columns, n_rows = tuple(table.colnames()), table.nrows()
            if n_rows == 0:
                raise MeasurementSetError("has no rows", path=ms)
            extent = _read_extent(table)
            interval_s = float(table.getcell("INTERVAL", 0))
        with ct.table(f"{ms}::SPECTRAL_WINDOW", ack=False) as table:
            n_windows, freq_hz, widths_hz = table.nrows(), table.getcell("CHAN_FREQ", 0), table.getcell("CHAN_WIDTH", 0)
        with ct.table(f"{ms}::POLARIZATION", ack=False) as table:
            codes = [int(code) for code in table.getcell("CORR_TYPE", 0)]
        with ct.table(f"{ms}::ANTENNA", ack=False) as table:
            names = tuple(table.getcol("NAME"))
        with ct.table(f"{ms}::FIELD", ack=False) as table:
            phase_dec_rad = float(np.asarray(table.getcell("PHASE_DIR", int(extent.fields[0])))[0, 1])
    except RuntimeError as error:
        raise MeasurementSetError(f"cannot be read ({error})", path=ms) from error
    if n_windows != 1:
        raise MeasurementSetError(f"has {n_windows} spectral windows, where one is needed", path=ms)
    correlations = [k for k, code in enumerate(codes) if code in _POLARIZATIONS]
    if not correlations:
        raise MeasurementSetError(f"has no correlation of one polarization (CORR_TYPE {codes})", path=ms)
    recorded_rad = recorded_pointing_dec_rad(ms)
    column, freq_edges_hz = _frequency_bins(freq_hz, np.abs(widths_hz))
    per_m = freq_hz / _C_M_S
    low = math.log(max(extent.least_m, 1e-3) * per_m.min()) - 1e-9
    high = math.log(max(extent.most_m, 1e-3) * per_m.max()) + 1e-9
    has_uv = extent.most_m > 0.0
    plane_limits = 1.02 * np.array([extent.reach_m, extent.middle_m]) * per_m.max() if has_uv else np.ones(2)
    return PlotAxes(
        path=ms,
        n_rows=n_rows,
        start_mjd=float(extent.times_s[0] - 0.5 * interval_s) / _DAYS,
        time_edges_mjd=_time_bins(extent.times_s, interval_s) / _DAYS,
        freq_edges_hz=freq_edges_hz,
        channels=Channels(
            column,
            per_m,
            np.log(per_m),
            np.array(correlations, np.int64),
            low,
            UV_BINS / (high - low),
            PLANE_BINS / (2.0 * plane_limits),
        ),
        polarizations=tuple(_POLARIZATIONS[codes[k]] for k in correlations),
        antenna_names=names,
        antennas=extent.antennas,
        uv_edges=np.exp(np.linspace(low, high, UV_BINS + 1)),
        plane_limits=plane_limits,
        has_crosses=extent.has_crosses,
        has_autos=extent.has_autos,
        has_uv=has_uv,
        dec_deg=math.degrees(phase_dec_rad if recorded_rad is None else recorded_rad),
        n_fields=extent.fields.size,
        columns=columns,
    )


def _read_extent(table: ct.table) -> _Extent:
    times: list[NDArray[np.float64]] = []
    antennas, fields = [], []
    lengths: list[NDArray[np.float32]] = []
    reach_m = 0.0
    has_crosses = has_autos = False
    for first in range(0, table.nrows(), _MANY_ROWS):
        part = {
            name: np.asarray(table.getcol(name, first, min(_MANY_ROWS, table.nrows() - first)))
            for name in ("TIME", "ANTENNA1", "ANTENNA2", "UVW", "FIELD_ID")
        }
        cross = part["ANTENNA1"] != part["ANTENNA2"]
        has_crosses, has_autos = has_crosses or bool(cross.any()), has_autos or not cross.all()
        times.append(np.unique(part["TIME"]))
        antennas.append(np.union1d(part["ANTENNA1"], part["ANTENNA2"]))
        fields.append(np.unique(part["FIELD_ID"]))
        u_m, v_m = part["UVW"][cross, 0], part["UVW"][cross, 1]
        length_m = np.hypot(u_m, v_m)
        reach_m = max(reach_m, float(np.abs([u_m, v_m]).max(initial=0.0)))
        lengths.append(length_m[length_m > 0.0].astype(np.float32))
    length_m = np.concatenate(lengths) if lengths else np.zeros(0)
    there = length_m.size > 0
    return _Extent(
        np.unique(np.concatenate(times)),
        np.unique(np.concatenate(antennas)).astype(np.int64),
        has_crosses,
        has_autos,
        float(length_m.min()) if there else 0.0,
        float(length_m.max()) if there else 0.0,
        reach_m,
        float(np.quantile(length_m, _MIDDLE_QUANTILE)) if there else 0.0,
        np.unique(np.concatenate(fields)),
    )


def _time_bins(times_s: NDArray[np.float64], interval_s: float) -> NDArray[np.float64]:
    """Edges of one bin an integration where there are not too many, gaps included [s]."""
    steps_s = np.diff(times_s)
    steps_s = steps_s[steps_s > 1e-3]
    step_s = float(np.median(steps_s)) if steps_s.size else interval_s
    if not step_s > 0.0:
        step_s = 1.0
    n_times = round((times_s[-1] - times_s[0]) / step_s) + 1
    low, high = times_s[0] - 0.5 * step_s, times_s[0] + (n_times - 0.5) * step_s
    return np.linspace(low, high, min(n_times, MOST_TIMES) + 1)


def _frequency_bins(
    freq_hz: NDArray[np.float64], widths_hz: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Bin of each channel, and the bins' edges [Hz]: a channel each where there are not too many, gaps included."""
    low, high = (freq_hz - 0.5 * widths_hz).min(), (freq_hz + 0.5 * widths_hz).max()
    n_columns = min(max(round((high - low) / float(np.median(widths_hz))), 1), MOST_COLUMNS)
    column = np.floor((freq_hz - low) / (high - low) * n_columns).astype(np.int64)
    return np.clip(column, 0, n_columns - 1), np.linspace(low, high, n_columns + 1)
