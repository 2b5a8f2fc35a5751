"""What a Measurement Set says of its axes, its antennas and where it looks."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import casacore.tables as ct
import erfa
import numpy as np

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.naming import PROVENANCE_NAME
from dsa110_contimg.telescope.band import CHANNELS_PER_SUBBAND
from dsa110_contimg.telescope.geometry import apparent_directions
from dsa110_contimg.telescope.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

log = logging.getLogger(__name__)

_DAYS = 86400.0
_WGS84 = 1
# A grid of times and channels is regular within these [s, Hz].
_TIME_TOLERANCE_S = 1e-3
_FREQ_TOLERANCE_HZ = 1.0


@dataclass(frozen=True, eq=False)
class MsInfo:
    """The axes of a Measurement Set: T times of B baselines, C channels, P correlations, A rows of ANTENNA.

    Attributes
    ----------
    path : Path
        The Measurement Set.
    times_mjd : (T,) float64
        Mid-times, ascending [MJD, UTC].
    interval_s, exposure_s : float
        Length of an integration, and the mean of what was integrated [s].
    antenna1, antenna2 : (B,) int32
        Rows of ANTENNA, the same at all times.
    freq_hz : (C,) float64
        Channel centres, ascending [Hz].
    channel_width_hz : float
        Width of a channel [Hz].
    correlations : tuple of int
        CASA's codes: 9 and 12 for XX and YY.
    antenna_names : (A,) tuple of str
        Station names.
    antenna_itrf_m : (A, 3) float64
        Geocentric ITRF positions [m].
    diameters_m : (A,) float64
        Dish diameters [m].
    field_names : (F,) tuple of str
        Names of the fields.
    phase_centres_deg : (F, 2) float64
        Their ICRS right ascension, 0 to 360, and declination [deg].
    field_id : (T,) int32
        Field of each time.
    telescope : str
        Its name.
    site : Site
        Where it says it stands; the middle of its antennas where it does not say.
    tile_channels : int
        Channels of a tile of DATA; of a subband, where DATA is not tiled so.
    """

    path: Path
    times_mjd: NDArray[np.float64]
    interval_s: float
    exposure_s: float
    antenna1: NDArray[np.int32]
    antenna2: NDArray[np.int32]
    freq_hz: NDArray[np.float64]
    channel_width_hz: float
    correlations: tuple[int, ...]
    antenna_names: tuple[str, ...]
    antenna_itrf_m: NDArray[np.float64]
    diameters_m: NDArray[np.float64]
    field_names: tuple[str, ...]
    phase_centres_deg: NDArray[np.float64]
    field_id: NDArray[np.int32]
    telescope: str
    site: Site
    tile_channels: int

    @property
    def n_times(self) -> int:
        """Number of times."""
        return self.times_mjd.size

    @property
    def n_baselines(self) -> int:
        """Number of baselines of a time, autocorrelations among them."""
        return self.antenna1.size

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return self.freq_hz.size

    @property
    def is_cross(self) -> NDArray[np.bool_]:
        """Which baselines have two antennas, shape (B,)."""
        return self.antenna1 != self.antenna2

    @property
    def working(self) -> NDArray[np.int64]:
        """Rows of ANTENNA that are in any baseline, ascending."""
        return np.union1d(self.antenna1, self.antenna2).astype(np.int64)

    @property
    def phase_centre_deg(self) -> tuple[float, float]:
        """ICRS right ascension and declination of the one phase centre [deg].

        Raises
        ------
        MeasurementSetError
            There are several.
        """
        centres = np.unique(self.phase_centres_deg[np.unique(self.field_id)], axis=0)
        if len(centres) != 1:
            raise MeasurementSetError(
                f"has {len(centres)} phase centres, where one is needed",
                path=self.path,
                remedy="convert with --phase-centre meridian",
            )
        return float(centres[0, 0]), float(centres[0, 1])


def read_info(path: Path) -> MsInfo:
    """Read the axes of a Measurement Set.

    Raises
    ------
    MeasurementSetError
        It cannot be read, or is not one regular grid: every time with the same baselines in the same order, one
        spectral window and polarization setup, evenly spaced channels.
    """
    try:
        with ct.table(str(path), ack=False) as ms:
            names = ("TIME", "INTERVAL", "EXPOSURE", "ANTENNA1", "ANTENNA2", "FIELD_ID", "DATA_DESC_ID")
            rows = {name: np.asarray(ms.getcol(name)) for name in names}
            tile_channels = _tile_channels(ms)
        window = _only_row(path, "SPECTRAL_WINDOW", ("CHAN_FREQ", "CHAN_WIDTH"))
        polarization = _only_row(path, "POLARIZATION", ("CORR_TYPE",))
        antenna = _columns(path, "ANTENNA", ("NAME", "POSITION", "DISH_DIAMETER"))
        fields = _columns(path, "FIELD", ("NAME", "PHASE_DIR"))
        with ct.table(f"{path}::FIELD", ack=False) as table:
            frame = table.getcolkeyword("PHASE_DIR", "MEASINFO")["Ref"]
        telescope, place_m = _observation(path)
    except RuntimeError as error:
        raise MeasurementSetError(f"cannot be read ({error})", path=path) from error
    if frame not in {"ICRS", "J2000"}:
        raise MeasurementSetError(f"its directions are in {frame}, not ICRS or J2000", path=path)
    n_baselines = _baselines_of_a_time(path, rows)
    freq_hz, widths_hz = window["CHAN_FREQ"], np.abs(window["CHAN_WIDTH"])
    _check_channels(path, freq_hz, widths_hz)
    centres = np.degrees(fields["PHASE_DIR"][:, 0])
    centres[:, 0] %= 360.0
    if not tile_channels or freq_hz.size % tile_channels:
        tile_channels = CHANNELS_PER_SUBBAND if freq_hz.size % CHANNELS_PER_SUBBAND == 0 else freq_hz.size
    return MsInfo(
        path=path,
        times_mjd=rows["TIME"][::n_baselines] / _DAYS,
        interval_s=float(rows["INTERVAL"][0]),
        exposure_s=float(rows["EXPOSURE"].mean()),
        antenna1=rows["ANTENNA1"][:n_baselines].astype(np.int32),
        antenna2=rows["ANTENNA2"][:n_baselines].astype(np.int32),
        freq_hz=freq_hz,
        channel_width_hz=float(widths_hz[0]),
        correlations=tuple(int(code) for code in polarization["CORR_TYPE"]),
        antenna_names=tuple(antenna["NAME"]),
        antenna_itrf_m=antenna["POSITION"],
        diameters_m=antenna["DISH_DIAMETER"],
        field_names=tuple(fields["NAME"]),
        phase_centres_deg=centres,
        field_id=rows["FIELD_ID"][::n_baselines].astype(np.int32),
        telescope=telescope,
        site=_site(antenna["POSITION"].mean(axis=0) if place_m is None else place_m),
        tile_channels=tile_channels,
    )


def pointing_dec_rad(path: Path) -> float:
    """Apparent declination to which the dishes point [rad].

    It is in ``contimg.json``, which our conversion leaves in a Measurement Set. In one that others made the dishes
    are taken, with a warning, to point to the phase centre.

    Raises
    ------
    MeasurementSetError
        It cannot be read.
    """
    recorded = recorded_pointing_dec_rad(path)
    if recorded is not None:
        return recorded
    log.warning("%s does not say where the dishes pointed: at its phase centre, then", path)
    info = read_info(path)
    ra_deg, dec_deg = info.phase_centre_deg
    direction = apparent_directions(ra_deg, dec_deg, info.times_mjd.mean(), info.site)
    return float(np.arcsin(direction[0, 0, 2]))


def recorded_pointing_dec_rad(path: Path) -> float | None:
    """Apparent declination to which the dishes point, as ``contimg.json`` says it [rad]; None where there is none.

    Raises
    ------
    MeasurementSetError
        It cannot be read.
    """
    try:
        return float(np.radians(json.loads((path / PROVENANCE_NAME).read_text())["pointing_dec_deg"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise MeasurementSetError(f"{PROVENANCE_NAME} cannot be read ({error})", path=path) from error


def telescope_site(path: Path) -> tuple[str, Site]:
    """Name of the telescope, and where it says it stands; the middle of its antennas where it does not say.

    Raises
    ------
    MeasurementSetError
        It cannot be read.
    """
    try:
        telescope, place_m = _observation(path)
        if place_m is None:
            place_m = _columns(path, "ANTENNA", ("POSITION",))["POSITION"].mean(axis=0)
    except RuntimeError as error:
        raise MeasurementSetError(f"cannot be read ({error})", path=path) from error
    return telescope, _site(place_m)


def _columns(path: Path, table: str, names: tuple[str, ...]) -> dict[str, Any]:
    with ct.table(f"{path}::{table}", ack=False) as opened:
        return {name: opened.getcol(name) for name in names}


def _only_row(path: Path, table: str, names: tuple[str, ...]) -> dict[str, Any]:
    with ct.table(f"{path}::{table}", ack=False) as opened:
        if opened.nrows() != 1:
            raise MeasurementSetError(f"has {opened.nrows()} rows of {table}, where one is needed", path=path)
        return {name: opened.getcell(name, 0) for name in names}


def _observation(path: Path) -> tuple[str, NDArray[np.float64] | None]:
    """Name of the telescope and, where a column that pyuvdata knows says it, its ITRF position [m]."""
    with ct.table(f"{path}::OBSERVATION", ack=False) as table:
        known = "TELESCOPE_LOCATION" in table.colnames()
        return str(table.getcell("TELESCOPE_NAME", 0)), table.getcell("TELESCOPE_LOCATION", 0) if known else None


def _site(itrf_m: NDArray[np.float64]) -> Site:
    longitude, latitude, height_m = erfa.gc2gd(_WGS84, itrf_m)
    return Site(float(np.degrees(latitude)), float(np.degrees(longitude)), float(height_m))


def _tile_channels(ms: ct.table) -> int:
    for manager in ms.getdminfo().values():
        if "DATA" in manager["COLUMNS"] and manager["TYPE"] == "TiledColumnStMan":
            return int(manager["SPEC"]["DEFAULTTILESHAPE"][1])
    return 0


def _baselines_of_a_time(path: Path, rows: dict[str, NDArray[Any]]) -> int:
    """Number of baselines, the same at all times; raises if the rows are not a grid."""
    time_s = rows["TIME"]
    if time_s.size == 0:
        raise MeasurementSetError("has no rows", path=path)
    n_baselines = int(np.argmax(time_s != time_s[0])) or time_s.size
    if time_s.size % n_baselines:
        raise MeasurementSetError("its times have different numbers of baselines", path=path)
    grid = {name: values.reshape(-1, n_baselines) for name, values in rows.items()}
    for name in ("ANTENNA1", "ANTENNA2"):
        if (grid[name] != grid[name][0]).any():
            raise MeasurementSetError("its times have different baselines, or in another order", path=path)
    for name in ("TIME", "FIELD_ID"):
        if (grid[name] != grid[name][:, :1]).any():
            raise MeasurementSetError("its rows are not in the order of time", path=path)
    if (np.diff(grid["TIME"][:, 0]) <= 0).any():
        raise MeasurementSetError("its times do not ascend", path=path)
    if np.ptp(rows["INTERVAL"]) > _TIME_TOLERANCE_S:
        raise MeasurementSetError("its integrations differ in length", path=path)
    if rows["DATA_DESC_ID"].any():
        raise MeasurementSetError("has several spectral windows", path=path)
    return n_baselines


def _check_channels(path: Path, freq_hz: NDArray[np.float64], widths_hz: NDArray[np.float64]) -> None:
    even = np.linspace(freq_hz[0], freq_hz[-1], freq_hz.size)
    if np.abs(freq_hz - even).max() > _FREQ_TOLERANCE_HZ or np.ptp(widths_hz) > _FREQ_TOLERANCE_HZ:
        raise MeasurementSetError("its channels are not evenly spaced", path=path)
