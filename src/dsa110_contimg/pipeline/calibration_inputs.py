"""What jobs are told for calibrating, and which groups come first: those in which a calibrator transits."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from dsa110_contimg.ledger.records import mjd_of
from dsa110_contimg.naming import group_start
from dsa110_contimg.pipeline.calibration_records import standing
from dsa110_contimg.telescope.band import INTEGRATION_S, INTEGRATIONS_PER_GROUP
from dsa110_contimg.telescope.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.ledger.calibrations import Observing
    from dsa110_contimg.ledger.ledger import Ledger

log = logging.getLogger(__name__)

_GROUP_D = INTEGRATION_S * INTEGRATIONS_PER_GROUP / 86400.0


def calibration_options(ledger: Ledger, settings: Settings, start_mjd: float) -> dict[str, dict[str, Any]]:
    """Resolve what the stages flag, solve and apply have to know, for a group that began then [MJD, UTC]."""
    stages = settings.stream.stages
    options: dict[str, dict[str, Any]] = {}
    if "flag" in stages:
        options["flag"] = {"settings": settings.flag.model_dump(mode="json"), "qa": str(settings.paths.qa.absolute())}
    if "solve" not in stages and "apply" not in stages:
        return options
    around = standing(ledger, start_mjd, start_mjd).as_json()
    catalogue = settings.sets.catalogue
    model = {
        "settings": settings.calibrate.model_dump(),
        "catalogue": None if catalogue is None else str(catalogue.absolute()),
    }
    options["solve"] = {**model, "least_flux_jy": settings.sets.least_flux_jy, "sets": around["sets"]}
    options["tie"] = {**model, "tie": settings.sets.tie}
    options["apply"] = {
        "settings": settings.apply.model_dump(),
        "corrected_data": settings.sets.corrected_data,
        **around,
    }
    return options


class TransitsAhead:
    """The transits of calibrators over the strip that was last seen, a day at a time.

    Parameters
    ----------
    least_flux_jy : float
        Least flux density through the beam [Jy].
    """

    def __init__(self, least_flux_jy: float) -> None:
        self._least_flux_jy = least_flux_jy
        self._known: dict[tuple[float, int], tuple[float, ...]] = {}

    def first(self, group_ids: Sequence[str], stands: Observing | None) -> list[str]:
        """Put the groups first in which a calibrator transits; the others keep their order."""
        if stands is None or stands.correlator.get("site") is None:
            return list(group_ids)
        return sorted(group_ids, key=lambda gid: not self.has_transit(mjd_of(group_start(gid)), stands))

    def has_transit(self, start_mjd: float, stands: Observing) -> bool:
        """Whether a calibrator transits in the group that began then [MJD, UTC], if the dishes still stand so."""
        transits = self._of_day(int(start_mjd), stands) + self._of_day(int(start_mjd + _GROUP_D), stands)
        return any(start_mjd <= mjd < start_mjd + _GROUP_D for mjd in transits)

    def _of_day(self, day: int, stands: Observing) -> tuple[float, ...]:
        key = (round(stands.dec_deg, 2), day)
        if key not in self._known:
            # Imported here: a stream that solves nothing does without.
            from dsa110_contimg.calibration.choice import crossing
            from dsa110_contimg.catalogue.candidates import Strip

            strip = Strip(stands.dec_deg, Site(*stands.correlator["site"]))
            found = crossing(strip, day, day + 1, self._least_flux_jy)
            self._known = {kept: times for kept, times in self._known.items() if abs(kept[1] - day) < 9}
            self._known[key] = tuple(transit.mjd for item in found for transit in item.transits)
            names = ", ".join(item.calibrator.label for item in found)
            log.info("transits of MJD %d at %.2f deg: %s", day, stands.dec_deg, names or "none")
        return self._known[key]
