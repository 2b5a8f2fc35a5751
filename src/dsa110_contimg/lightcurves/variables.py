"""Which sources of a strip vary: statistics, comparison and events of all that is in the store, as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from dsa110_contimg.lightcurves.comparison import Comparison, compare
from dsa110_contimg.lightcurves.days import Days, days_of, days_of_sums
from dsa110_contimg.lightcurves.events import Event, find_events
from dsa110_contimg.lightcurves.query import UNUSABLE, binned_sums, light_curve
from dsa110_contimg.lightcurves.variability import Statistics, variability
from dsa110_contimg.photometry.measurements import position_of
from dsa110_contimg.photometry.sources import iau_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import LightcurveSettings
    from dsa110_contimg.lightcurves.query import Store

_COLUMNS: Mapping[str, tuple[str, str]] = {
    "n": ("", "measurements"),
    "n_days": ("", "days with any"),
    "first_mjd": ("d", "middle of the first of these days, UTC"),
    "last_mjd": ("d", "and of the last"),
    "mean": ("Jy", "weighted mean flux density"),
    "e_mean": ("Jy", "its error"),
    "eta": ("", "reduced chi-square against the mean"),
    "v": ("", "modulation index: standard deviation over mean"),
    "vs": ("", "most significant difference of two days, later less earlier, in its error"),
    "m": ("", "that difference over the mean of the two"),
    "vs_first_mjd": ("d", "the earlier of the two days, UTC"),
    "vs_second_mjd": ("d", "the later"),
    "excursion_d": ("d", "longest time on one side of the median"),
    "excursion_mjd": ("d", "when that begins, UTC"),
    "excursion": ("", "mean change of flux density meanwhile, as a part of the median"),
    "eta_sigma": ("", "how far eta is above that of sources of like flux density, in standard deviations"),
    "v_sigma": ("", "the same of V"),
    "significance": ("", "the smaller of the two"),
    "variable": ("", "whether that is above the limit"),
    "event": ("", "shape of the event that stands out, or empty"),
    "event_verdict": ("", "what became of it: candidate, unconfirmed, shared, one-half-band, one-day"),
    "event_reasons": ("", "why"),
    "event_mjd": ("d", "its middle, UTC"),
    "event_width_d": ("d", "its width"),
    "event_size": ("", "its size: depth or height, as a part of the mean"),
    "e_event_size": ("", "error of the size"),
    "event_snr": ("", "size over error, against the scatter of the source"),
    "event_false_alarms": ("", "how many such are expected by chance in all sources of the strip"),
    "event_lower": ("", "size in the lower half of the band"),
    "e_event_lower": ("", "its error"),
    "event_upper": ("", "size in the upper half"),
    "e_event_upper": ("", "its error"),
    "event_neighbours": ("", "size in the sources around it"),
    "e_event_neighbours": ("", "its error"),
}


class Variables(NamedTuple):
    """What is known of the variability of a strip's S sources.

    Attributes
    ----------
    strip : str
        Its name.
    days : Days
        Their light curves by the day.
    statistics : Statistics
        Of each.
    comparison : Comparison
        Each against its likes.
    events : list of Event
        What stands out in time, the least probable first.
    variable : (S,) bool
        Whether a source varies more than its likes.
    """

    strip: str
    days: Days
    statistics: Statistics
    comparison: Comparison
    events: list[Event]
    variable: NDArray[np.bool_]

    def order(self) -> NDArray[np.int64]:
        """Sort the sources, by index: those with events of lenses, other events, variables, and the rest."""
        rank = np.full(self.variable.size, 3)
        rank[self.variable] = 2
        chance = np.zeros(self.variable.size)
        for event in self.events:
            at = np.searchsorted(self.days.source_id, event.source_id)
            rank[at] = 0 if event.is_lens else min(rank[at], 1)
            chance[at] = event.false_alarms
        significance = np.nan_to_num(self.comparison.significance, nan=-np.inf)
        return np.lexsort((-significance, chance, rank))


def find_variables(
    store: Store, strip: str, settings: LightcurveSettings, merged: Mapping[int, int] | None = None
) -> Variables:
    """Work out the variability of all sources of a strip.

    Parameters
    ----------
    store : Store
        Open for the strip.
    strip : str
        Its name.
    settings : LightcurveSettings
        Length of a day, and what is listed.
    merged : mapping, optional
        Numbers of sources that were found to be others, and whose number is theirs now.
    """
    days = _days(binned_sums(store, settings.bin_days), settings.bin_days, merged or {})
    return variables_of(days, strip, settings, store, merged)


def variables_of(
    days: Days,
    strip: str,
    settings: LightcurveSettings,
    store: Store | None = None,
    merged: Mapping[int, int] | None = None,
) -> Variables:
    """Do the same with light curves that are at hand; halves of the band are taken from a store, if there is one."""
    found, renamed = variability(days), merged or {}

    def halves(sources: NDArray[np.int64]) -> tuple[Days, Days]:
        assert store is not None
        known = {int(one) for one in sources}
        numbers = [*known, *(old for old, new in renamed.items() if new in known)]
        lower, upper = (
            half_days(light_curve(store, numbers, kind="mosaic", band=band), settings.bin_days, renamed)
            for band in ("lower", "upper")
        )
        return lower, upper

    events = find_events(days, halves if store is not None else None, false_alarms=settings.false_alarms)
    judged = compare(found)
    with np.errstate(invalid="ignore"):
        variable = judged.significance >= settings.variable_sigma
    return Variables(strip, days, found, judged, events, variable)


def half_days(rows: pa.Table, bin_days: float, merged: Mapping[int, int]) -> Days:
    """Give the light curves by the day of rows of measurements, without those that are not usable."""
    usable = (rows["flags"].to_numpy() & int(UNUSABLE)) == 0
    source = _now(rows["source_id"].to_numpy(), merged)
    mjd, flux, error = (rows[name].to_numpy()[usable] for name in ("mjd", "corrected", "e_corrected"))
    return days_of(source[usable], mjd, flux, error, bin_days)


def variables_table(found: Variables, sources: NDArray[np.int64] | None = None) -> QTable:
    """Make a table, with units and descriptions, of all sources, or of some by index and in that order."""
    index = np.arange(found.variable.size) if sources is None else np.asarray(sources, np.int64)
    ra, dec = position_of(found.days.source_id)
    values: dict[str, Any] = found.statistics._asdict() | found.comparison._asdict()
    # What the comparison expects has the names of what was measured.
    values |= {"eta": found.statistics.eta, "v": found.statistics.v, "variable": found.variable}
    values |= _event_columns(found)
    table = QTable(meta={"strip": found.strip})
    table["source_id"] = found.days.source_id[index]
    table["name"] = np.array(iau_names(ra, dec), dtype=str)[index]
    table["ra_deg"], table["dec_deg"] = ra[index] * u.deg, dec[index] * u.deg
    about = {
        "source_id": "number of the source; says its position",
        "name": "IAU name",
        "ra_deg": "right ascension, ICRS",
        "dec_deg": "declination, ICRS",
    }
    for name, (unit, description) in _COLUMNS.items():
        column = np.asarray(values[name])[index]
        table[name] = column * u.Unit(unit) if unit else column
        about[name] = description
    for name, description in about.items():
        table[name].info.description = description
    return table


def merged_sources(source_id: NDArray[np.int64], same_as: NDArray[np.int64]) -> dict[int, int]:
    """Say of the sources of a reference list that were found to be others which numbers those have now."""
    one_step = {int(old): int(new) for old, new in zip(source_id, same_as, strict=True) if new != 0}
    merged = {}
    for old in one_step:
        now, seen = old, set()
        while now in one_step and now not in seen:
            seen.add(now)
            now = one_step[now]
        merged[old] = now
    return merged


def _event_columns(found: Variables) -> dict[str, Any]:
    n = found.variable.size
    words = {name: np.full(n, "", dtype=object) for name in ("event", "event_verdict", "event_reasons")}
    fields = {
        "event_mjd": "mjd",
        "event_width_d": "width_d",
        "event_size": "size",
        "e_event_size": "e_size",
        "event_snr": "snr",
        "event_false_alarms": "false_alarms",
        "event_lower": "lower",
        "e_event_lower": "e_lower",
        "event_upper": "upper",
        "e_event_upper": "e_upper",
        "event_neighbours": "neighbours",
        "e_event_neighbours": "e_neighbours",
    }
    numbers = {name: np.full(n, np.nan) for name in fields}
    for event in found.events:
        at = int(np.searchsorted(found.days.source_id, event.source_id))
        words["event"][at], words["event_verdict"][at] = str(event.shape), str(event.verdict)
        words["event_reasons"][at] = "; ".join(event.reasons)
        for name, field in fields.items():
            numbers[name][at] = getattr(event, field)
    return {name: column.astype(str) for name, column in words.items()} | numbers


def _days(sums: pa.Table, bin_days: float, merged: Mapping[int, int]) -> Days:
    source = _now(sums["source_id"].to_numpy(), merged)
    columns = tuple(sums[name].to_numpy() for name in ("n", "w", "wf", "wff", "f", "ff"))
    return days_of_sums(source, sums["bin"].to_numpy().astype(np.int64), columns, bin_days)


def _now(source_id: NDArray[np.int64], merged: Mapping[int, int]) -> NDArray[np.int64]:
    """Put the numbers that merged sources have now in the place of their own."""
    if not merged:
        return source_id
    old = np.array(sorted(merged), np.int64)
    new = np.array([merged[int(one)] for one in old], np.int64)
    at = np.minimum(np.searchsorted(old, source_id), old.size - 1)
    return np.where(old[at] == source_id, new[at], source_id)
