"""What a Measurement Set says apart from its visibilities."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: CASA's codes of the correlations XX and YY.
CORR_TYPES = (9, 12)
N_CORR = len(CORR_TYPES)
#: CASA's word for data of the sky, in STATE's OBS_MODE.
OBSERVE_TARGET = "OBSERVE_TARGET#ON_SOURCE"


class Antennas(NamedTuple):
    """Rows of the ANTENNA table.

    Attributes
    ----------
    names : tuple of str
        Station names.
    itrf_m : (A, 3) float64
        Geocentric ITRF positions [m].
    diameters_m : (A,) float64
        Dish diameters [m].
    """

    names: tuple[str, ...]
    itrf_m: NDArray[np.float64]
    diameters_m: NDArray[np.float64]


class Field(NamedTuple):
    """One phase centre: its name, ICRS position [deg] and the time it stands for [MJD, UTC]."""

    name: str
    ra_deg: float
    dec_deg: float
    mjd: float


@dataclass(frozen=True, eq=False)
class MsDescription:
    """The rows of a Measurement Set and everything in its subtables.

    Rows are time-major: row ``t * n_baselines + b`` is baseline b at time t.

    Attributes
    ----------
    telescope_name, observer, project, processor : str
        For OBSERVATION and PROCESSOR.
    antennas : Antennas
        All stations, with data or not.
    site_itrf_m : (3,) float64
        Where the telescope is said to stand, geocentric ITRF [m]: its hour angles are that meridian's.
    antenna1, antenna2 : (B,) int32
        Rows of ANTENNA, antenna1 <= antenna2.
    times_mjd : (T,) float64
        Mid-times [MJD, UTC].
    interval_s, exposure_s : float
        Length of a row [s].
    uvw_m : (T, B, 3) float64
        r[antenna1] - r[antenna2] in the frame of the row's field [m].
    fields : tuple of Field
        Phase centres.
    field_id : (T,) int32
        Field of each time.
    freq_hz : (C,) float64
        Channel centres, ascending [Hz].
    channel_width_hz : float
        Channel width [Hz].
    tile_channels : int
        Channels of a tile of the bulk columns: a subband's.
    obs_mode : str
        STATE's intent, as CASA writes them.
    """

    telescope_name: str
    observer: str
    project: str
    processor: str
    antennas: Antennas
    site_itrf_m: NDArray[np.float64]
    antenna1: NDArray[np.int32]
    antenna2: NDArray[np.int32]
    times_mjd: NDArray[np.float64]
    interval_s: float
    exposure_s: float
    uvw_m: NDArray[np.float64]
    fields: tuple[Field, ...]
    field_id: NDArray[np.int32]
    freq_hz: NDArray[np.float64]
    channel_width_hz: float
    tile_channels: int
    obs_mode: str = field(default=OBSERVE_TARGET)

    @property
    def n_times(self) -> int:
        """Number of times."""
        return self.times_mjd.size

    @property
    def n_baselines(self) -> int:
        """Number of baselines of a time, autocorrelations among them."""
        return self.antenna1.size

    @property
    def n_rows(self) -> int:
        """Number of rows of the main table."""
        return self.n_times * self.n_baselines

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return self.freq_hz.size
