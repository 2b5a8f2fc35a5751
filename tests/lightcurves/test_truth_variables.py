"""Injected variables of several kinds in simulated months of measurements: how many are found, how many are none.

The rates are those that docs/variables.md states; `benchmarks/bench_variables.py` prints them for more cases.
"""

import numpy as np
import pytest

from dsa110_contimg.lightcurves.comparison import compare
from dsa110_contimg.lightcurves.days import days_of
from dsa110_contimg.lightcurves.events import Verdict, find_events
from dsa110_contimg.lightcurves.variability import variability
from dsa110_contimg.photometry.measurements import source_id
from dsa110_contimg.simulation.months import Behaviour, simulate_months

N_STEADY, EACH = 800, 25
EVENTS = (Behaviour.LENS, Behaviour.DIP, Behaviour.CAUSTIC, Behaviour.FLARE)


@pytest.fixture(scope="module")
def outcome():
    """Four months: rows of (behaviour, varies, event verdict or "", time is right)."""
    counts = {Behaviour.STEADY: N_STEADY} | {each: EACH for each in Behaviour if each is not Behaviour.STEADY}
    month = simulate_months(counts, n_days=120, seed=17, size=(0.4, 0.4), flux_jy=(0.02, 2.0), noise_jy=0.001)
    numbers = source_id(month.ra_deg, month.dec_deg)
    full, lower, upper = (
        days_of(np.repeat(numbers, 120), month.mjd.ravel(), month.flux[band].ravel(), month.e_flux[band].ravel())
        for band in ("full", "lower", "upper")
    )
    varies = dict(zip(full.source_id, compare(variability(full)).significance >= 4.0, strict=True))
    events = {event.source_id: event for event in find_events(full, lambda _: (lower, upper))}
    rows = []
    for k, number in enumerate(numbers):
        event = events.get(number)
        right = event is not None and abs(event.mjd - month.event_mjd[k]) <= month.width_d[k] + 1.0
        rows.append((month.behaviour[k], bool(varies[number]), "" if event is None else event.verdict, right))
    return rows


def part(outcome, behaviour, true):
    chosen = [row for row in outcome if row[0] == behaviour]
    return sum(true(*row[1:]) for row in chosen) / len(chosen)


@pytest.mark.parametrize("behaviour", EVENTS)
def test_events_are_found_when_they_were(outcome, behaviour):
    found = part(outcome, behaviour, lambda _, verdict, right: right and verdict in {"candidate", "unconfirmed"})
    assert found >= (0.7 if behaviour is Behaviour.CAUSTIC else 0.85)


@pytest.mark.parametrize("behaviour", [*EVENTS, Behaviour.FLICKER, Behaviour.DECAY])
def test_variables_are_listed(outcome, behaviour):
    assert part(outcome, behaviour, lambda varies, *_: varies) >= (0.6 if behaviour is Behaviour.CAUSTIC else 0.8)


def test_steady_sources_are_not(outcome):
    assert part(outcome, Behaviour.STEADY, lambda varies, *_: varies) <= 1 / N_STEADY
    assert part(outcome, Behaviour.STEADY, lambda _, verdict, __: verdict == Verdict.CANDIDATE) <= 2 / N_STEADY


def test_interference_is_refused(outcome):
    taken = part(outcome, Behaviour.INTERFERENCE, lambda _, verdict, __: verdict == Verdict.CANDIDATE)
    refused = part(outcome, Behaviour.INTERFERENCE, lambda _, verdict, __: verdict == Verdict.ONE_HALF)
    assert taken <= 0.12
    assert refused >= 0.7


def test_what_always_varies_is_no_event(outcome):
    for behaviour in (Behaviour.FLICKER, Behaviour.DECAY):
        assert part(outcome, behaviour, lambda _, verdict, __: verdict == Verdict.CANDIDATE) <= 0.08
