"""When a source crosses the meridian, and where: apparent places, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.telescope.geometry import apparent_directions

if TYPE_CHECKING:
    from dsa110_contimg.telescope.site import Site

#: One turn of the Earth in the apparent frame [days of UTC] (IERS Conventions 2010, section 1.2).
SIDEREAL_DAY = 1 / 1.00273781191135448

_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
# Hour angles go on by one turn a sidereal day to 1e-6, so each step gains six digits.
_STEPS = 3


class Transit(NamedTuple):
    """One crossing of the meridian, above the pole.

    Attributes
    ----------
    mjd : float
        The moment at which the apparent hour angle is 0 [MJD, UTC].
    dec_deg : float
        Apparent declination at it [deg].
    """

    mjd: float
    dec_deg: float


def find_transits(ra_deg: float, dec_deg: float, start_mjd: float, end_mjd: float, site: Site) -> tuple[Transit, ...]:
    """Find all transits of a source in a range of time.

    Parameters
    ----------
    ra_deg, dec_deg : float
        The source, ICRS [deg].
    start_mjd, end_mjd : float
        The range, both ends included [MJD, UTC]. A range longer than a sidereal day (23h56m) can have two.
    site : Site
        The observer.

    Returns
    -------
    tuple of Transit
        In order of time.
    """
    if end_mjd < start_mjd:
        return ()
    since = _hour_angle(_direction(ra_deg, dec_deg, np.array([start_mjd]), site))[0] / (2 * np.pi) * SIDEREAL_DAY
    # One more at each end, that rounding loses none at the edges.
    turns = np.arange(-1, np.ceil((end_mjd - start_mjd) / SIDEREAL_DAY) + 2)
    times = start_mjd - since + turns * SIDEREAL_DAY
    for _ in range(_STEPS):
        times = times - _hour_angle(_direction(ra_deg, dec_deg, times, site)) / (2 * np.pi) * SIDEREAL_DAY
    declinations = np.degrees(np.arcsin(_direction(ra_deg, dec_deg, times, site)[:, 2]))
    inside = (start_mjd <= times) & (times <= end_mjd)
    return tuple(Transit(float(t), float(d)) for t, d in zip(times[inside], declinations[inside], strict=True))


def nearest_transit(ra_deg: float, dec_deg: float, mjd: float, site: Site) -> Transit:
    """Find the transit that is nearest to a moment [MJD, UTC]; parameters as of `find_transits`."""
    around = find_transits(ra_deg, dec_deg, mjd - 0.51, mjd + 0.51, site)
    return min(around, key=lambda transit: abs(transit.mjd - mjd))


def utc_of(mjd: float) -> datetime:
    """Turn MJD (UTC) into a datetime, to the microsecond."""
    day = int(np.floor(mjd))
    return _MJD_EPOCH + timedelta(days=day, seconds=(mjd - day) * 86400.0)


def mjd_of(time: datetime) -> float:
    """Turn an aware datetime into MJD (UTC)."""
    since = time.astimezone(UTC) - _MJD_EPOCH
    return since.days + (since.seconds + since.microseconds * 1e-6) / 86400.0


def _direction(ra_deg: float, dec_deg: float, mjd: np.ndarray, site: Site) -> np.ndarray:
    """Apparent unit vectors (T, 3) in the meridian frame."""
    return apparent_directions([ra_deg], [dec_deg], mjd, site)[:, 0]


def _hour_angle(direction: np.ndarray) -> np.ndarray:
    """Hour angle (T,) of unit vectors of the meridian frame, in (-pi, pi] [rad]."""
    return np.arctan2(-direction[:, 1], direction[:, 0])
