"""What an image has to know of a Measurement Set besides its visibilities."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, NamedTuple

import casacore.tables as ct
import numpy as np

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.information import recorded_pointing_dec_rad, telescope_site
from dsa110_contimg.ms.reading import SAME_TIME_S
from dsa110_contimg.telescope.geometry import aberration_scale, apparent_directions, meridian_frame, uvw_basis

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.telescope.site import Site

log = logging.getLogger(__name__)

_DAYS = 86400.0


class Observation(NamedTuple):
    """T times, C channels, A rows of ANTENNA; one phase centre.

    Attributes
    ----------
    ra_deg, dec_deg : float
        The phase centre, ICRS, right ascension 0 to 360 [deg].
    freq_hz : (C,) float64
        Channel centres, ascending [Hz].
    channel_width_hz : float
        Width of a channel [Hz].
    start_mjd, middle_mjd, end_mjd : float
        Start of the first integration, end of the last, and halfway between [MJD, UTC].
    aberration_scale : float
        How much larger the sky appears in the frame of the UVWs than it is in ICRS (see
        `telescope.geometry.aberration_scale`).
    telescope : str
        Its name.
    site : Site
        Where it says it stands.
    pointing_dec_rad : float
        Apparent declination, on the meridian, to which the dishes point [rad].
    times_mjd : (T,) float64
        Middles of the integrations, ascending [MJD, UTC].
    interval_s : float
        Length of an integration [s].
    antenna_itrf_m : (A, 3) float64
        Geocentric ITRF positions [m].
    diameters_m : (A,) float64
        Dish diameters [m].
    working : (W,) int64
        Rows of ANTENNA that are in any cross-correlation, ascending.
    """

    ra_deg: float
    dec_deg: float
    freq_hz: NDArray[np.float64]
    channel_width_hz: float
    start_mjd: float
    middle_mjd: float
    end_mjd: float
    aberration_scale: float
    telescope: str
    site: Site
    pointing_dec_rad: float
    times_mjd: NDArray[np.float64]
    interval_s: float
    antenna_itrf_m: NDArray[np.float64]
    diameters_m: NDArray[np.float64]
    working: NDArray[np.int64]

    @property
    def longest_baseline_m(self) -> float:
        """Distance of the two working antennas that are farthest apart [m]."""
        places = self.antenna_itrf_m[self.working]
        return float(max((np.linalg.norm(places[k:] - places[k], axis=1).max() for k in range(len(places))), default=0))

    @property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The P baselines of the working antennas: rows of ANTENNA, the first lower than the second."""
        first, second = np.triu_indices(self.working.size, 1)
        return self.working[first], self.working[second]

    def uvw_m(self, mjd: NDArray[np.float64]) -> NDArray[np.float64]:
        """UVW of the baselines `pairs` at some moments.

        Parameters
        ----------
        mjd : (M,) float64
            [MJD, UTC].

        Returns
        -------
        (M, P, 3) float64
            r[first] - r[second] in the frame of the phase centre [m].
        """
        first, second = self.pairs
        places_m = meridian_frame(self.antenna_itrf_m - self.site.itrf_m, self.site)
        basis = uvw_basis(self.ra_deg, self.dec_deg, mjd, self.site)
        return (places_m[first] - places_m[second]) @ basis.transpose(0, 2, 1)

    def chunk_edges_mjd(self, n_chunks: int) -> NDArray[np.float64]:
        """Cut the time in pieces of whole integrations, as equal as they can be.

        Averaging in time never crosses these edges (see `imaging.averaging`), so that a sample belongs to one piece:
        ``np.searchsorted(edges[1:-1], samples.mjd)`` says to which.

        Parameters
        ----------
        n_chunks : int
            Pieces that are wanted; there are no more than integrations.

        Returns
        -------
        (n + 1,) float64
            Where they begin and end [MJD, UTC].
        """
        pieces = np.array_split(self.times_mjd, min(n_chunks, self.times_mjd.size))
        inner = [(before[-1] + after[0]) / 2 for before, after in itertools.pairwise(pieces)]
        return np.array([self.start_mjd, *inner, self.end_mjd])


def observe(ms: Path) -> Observation:
    """Read what is known of an observation with one phase centre and one spectral window.

    Its rows may be in any order.

    Raises
    ------
    MeasurementSetError
        It cannot be opened, or has no rows, or several phase centres or spectral windows, or directions that are not
        ICRS or J2000.
    """
    try:
        with ct.table(f"{ms}::FIELD", ack=False) as table:
            all_centres = table.getcol("PHASE_DIR")[:, 0]
            frame = table.getcolkeyword("PHASE_DIR", "MEASINFO")["Ref"]
        with ct.table(f"{ms}::SPECTRAL_WINDOW", ack=False) as table:
            n_windows = table.nrows()
            freq_hz, widths_hz = (table.getcell(column, 0) for column in ("CHAN_FREQ", "CHAN_WIDTH"))
        with ct.table(f"{ms}::ANTENNA", ack=False) as table:
            places_m, diameters_m = table.getcol("POSITION"), table.getcol("DISH_DIAMETER")
        with ct.table(str(ms), ack=False) as table:
            rows = {name: table.getcol(name) for name in ("TIME", "INTERVAL", "FIELD_ID", "ANTENNA1", "ANTENNA2")}
        telescope, site = telescope_site(ms)
    except RuntimeError as error:
        raise MeasurementSetError(f"cannot be read ({error})", path=ms) from error
    if rows["TIME"].size == 0:
        raise MeasurementSetError("has no rows", path=ms)
    centres = np.unique(all_centres[np.unique(rows["FIELD_ID"])], axis=0)
    if len(centres) != 1 or n_windows != 1:
        raise MeasurementSetError(
            f"has {len(centres)} phase centres and {n_windows} spectral windows, where an image needs one of each",
            path=ms,
            remedy="convert with --phase-centre meridian",
        )
    if frame not in {"ICRS", "J2000"}:
        raise MeasurementSetError(f"its directions are in {frame}, not ICRS or J2000", path=ms)
    ra_deg, dec_deg = np.degrees(centres[0])
    time_s, interval_s = rows["TIME"], rows["INTERVAL"]
    start, end = (time_s - interval_s / 2).min() / _DAYS, (time_s + interval_s / 2).max() / _DAYS
    middle = (start + end) / 2
    pointing = recorded_pointing_dec_rad(ms)
    if pointing is None:
        log.warning("%s does not say where the dishes pointed: at its phase centre, then", ms)
        pointing = float(np.arcsin(apparent_directions(ra_deg, dec_deg, middle, site)[0, 0, 2]))
    cross = rows["ANTENNA1"] != rows["ANTENNA2"]
    return Observation(
        ra_deg=float(ra_deg % 360.0),
        dec_deg=float(dec_deg),
        freq_hz=np.sort(freq_hz),
        channel_width_hz=float(abs(widths_hz[0])),
        start_mjd=float(start),
        middle_mjd=float(middle),
        end_mjd=float(end),
        aberration_scale=aberration_scale(float(ra_deg), float(dec_deg), float(middle), site),
        telescope=telescope,
        site=site,
        pointing_dec_rad=pointing,
        times_mjd=distinct_times_s(time_s) / _DAYS,
        interval_s=float(np.median(interval_s)),
        antenna_itrf_m=places_m,
        diameters_m=diameters_m,
        working=np.union1d(rows["ANTENNA1"][cross], rows["ANTENNA2"][cross]).astype(np.int64),
    )


def distinct_times_s(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times that differ by more than `ms.reading.SAME_TIME_S`, ascending [s]."""
    ordered = np.unique(time_s)
    return ordered[np.diff(ordered, prepend=-np.inf) > SAME_TIME_S]
