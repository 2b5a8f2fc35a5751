"""The orientation of the Earth, from tables that came with the installation: nothing is fetched."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from astropy.time import Time
from astropy.utils import iers

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)


class EarthOrientation(NamedTuple):
    """UT1-UTC at one moment, and how it is known.

    Attributes
    ----------
    ut1_utc_s : float
        UT1-UTC [s] as used.
    quality : str
        ``"measured"``, ``"predicted"``, or ``"outside the table"``: then the value at the table's nearest end is
        held, and right ascensions are wrong by 15" for each second that UT1 has moved since.
    """

    ut1_utc_s: float
    quality: str


_QUALITY = {
    iers.FROM_IERS_B: "measured",
    iers.FROM_IERS_A: "measured",
    iers.FROM_IERS_A_PREDICTION: "predicted",
}


@contextmanager
def offline_earth_orientation() -> Iterator[None]:
    """Let astropy use the Earth-orientation tables at hand, however old, without touching the network.

    Inside, a moment that no table covers costs accuracy (see `earth_orientation`), not an exception.
    """
    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
        warnings.catch_warnings(),
    ):
        # astropy says it once for each transformation; `earth_orientation` says it once for the group.
        warnings.filterwarnings("ignore", message=".*polar motions.*")
        warnings.filterwarnings("ignore", message=".*dubious year.*")
        yield


def earth_orientation(mjd: float) -> EarthOrientation:
    """Return UT1-UTC at a moment and how well it is known; log a warning outside the table.

    Parameters
    ----------
    mjd : float
        The moment [MJD, UTC].
    """
    with offline_earth_orientation():
        table = iers.earth_orientation_table.get()
        value, status = table.ut1_utc(Time(mjd, format="mjd", scale="utc"), return_status=True)
    quality = _QUALITY.get(int(status))
    if quality is None:
        log.warning(
            "no Earth-orientation data for MJD %.1f: UT1-UTC is held at %.3f s, right ascensions may be off by some "
            "arcseconds; upgrade the package astropy-iers-data",
            mjd,
            value.to_value("s"),
        )
        quality = "outside the table"
    return EarthOrientation(float(value.to_value("s")), quality)
