"""Simulated months with variables in them, by measurements: what part is found, how often nothing is taken for one.

Usage: python benchmarks/bench_variables.py [SEEDS]

Each line is a kind of source: how many there were, the part listed as varying more than their likes (eta and V), the
part with an event (of any shape) that stands, at the right time, the part of either, and the part with an event that
was refused (one half of the band, neighbours, one day).
"""

import sys
import time
from collections import Counter
from itertools import product

import numpy as np

from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.lightcurves.comparison import compare
from dsa110_contimg.lightcurves.days import Days, days_of
from dsa110_contimg.lightcurves.events import Verdict, find_events
from dsa110_contimg.lightcurves.variability import variability
from dsa110_contimg.photometry.measurements import source_id
from dsa110_contimg.simulation.months import Behaviour, Month, simulate_months

STEADY, EACH = 1500, 40
FAINTEST_JY = 0.02


def band_days(month: Month, band: str) -> Days:
    """Give the light curves of a band by the day."""
    numbers = np.repeat(source_id(month.ra_deg, month.dec_deg), month.mjd.shape[1])
    return days_of(numbers, month.mjd.ravel(), month.flux[band].ravel(), month.e_flux[band].ravel())


def score(month: Month) -> tuple[Counter[tuple[str, str]], float]:
    """Count what became of each kind of source; and give the seconds that it took."""
    settings = LightcurveSettings()
    full, lower, upper = (band_days(month, band) for band in ("full", "lower", "upper"))
    began = time.perf_counter()
    varies = compare(variability(full)).significance >= settings.variable_sigma
    events = find_events(full, lambda _: (lower, upper), false_alarms=settings.false_alarms)
    took = time.perf_counter() - began
    row = {int(number): k for k, number in enumerate(source_id(month.ra_deg, month.dec_deg))}
    listed = {row[int(number)] for number in full.source_id[varies]}
    seen, refused = set(), set()
    for event in events:
        k = row[event.source_id]
        if event.verdict not in {Verdict.CANDIDATE, Verdict.UNCONFIRMED}:
            refused.add(k)
        elif np.isnan(month.event_mjd[k]) or abs(event.mjd - month.event_mjd[k]) <= month.width_d[k] + 1.0:
            seen.add(k)
    counted: Counter[tuple[str, str]] = Counter()
    for k, does in enumerate(month.behaviour):
        counted[does, "n"] += 1
        counted[does, "varies"] += k in listed
        counted[does, "event"] += k in seen
        counted[does, "either"] += k in listed or k in seen
        counted[does, "refused"] += k in refused
    return counted, took


def main() -> None:
    """Print a table for each length of the survey and size of the events."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    counts = {Behaviour.STEADY: STEADY} | {each: EACH for each in Behaviour if each is not Behaviour.STEADY}
    for n_days, size in product((60, 120, 365), (0.2, 0.4)):
        total: Counter[tuple[str, str]] = Counter()
        seconds = 0.0
        for seed in range(seeds):
            month = simulate_months(
                counts, n_days=n_days, seed=seed, size=(size, size), flux_jy=(FAINTEST_JY, 2.0), noise_jy=0.001
            )
            counted, took = score(month)
            total += counted
            seconds += took
        print(f"\n{n_days} days, events of {size:.0%} in 4 to 15 days, from 20 times the noise; {seconds:.1f} s")
        print(f"{'':14s}{'sources':>8s}{'varies':>9s}{'event':>9s}{'either':>9s}{'refused':>9s}")
        for behaviour in counts:
            n = total[behaviour, "n"]
            parts = "".join(f"{total[behaviour, what] / n:9.2%}" for what in ("varies", "event", "either", "refused"))
            print(f"{behaviour:14s}{n:8d}{parts}", flush=True)


if __name__ == "__main__":
    main()
