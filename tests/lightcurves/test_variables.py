"""The variables of a strip from its store: numbers that were merged, halves of the band, order."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.lightcurves.query import open_store
from dsa110_contimg.lightcurves.variables import find_variables, merged_sources, variables_of, variables_table
from dsa110_contimg.photometry.measurements import source_id
from dsa110_contimg.simulation.months import Behaviour, simulate_months
from simulated_store import STRIP, write_store

KINDS = {Behaviour.STEADY: 40, Behaviour.DIP: 1, Behaviour.FLICKER: 1, Behaviour.INTERFERENCE: 1}


@pytest.fixture(scope="module")
def month():
    return simulate_months(KINDS, n_days=45, seed=5, size=(0.5, 0.5), width_d=(5.0, 6.0), flux_jy=(0.1, 1.0))


@pytest.fixture(scope="module")
def root(month, tmp_path_factory):
    place = tmp_path_factory.mktemp("store") / "lightcurves"
    write_store(place, month)
    return place


@pytest.fixture(scope="module")
def found(root):
    with open_store(root, STRIP) as store:
        return find_variables(store, STRIP, LightcurveSettings())


def number_of(month, behaviour):
    k = int(np.flatnonzero(month.behaviour == behaviour)[0])
    return int(source_id(month.ra_deg, month.dec_deg)[k])


def test_what_varies_comes_first(month, found):
    table = variables_table(found, found.order())
    assert table["source_id"][0] == number_of(month, Behaviour.DIP)
    assert table["event_verdict"][0] == "candidate"
    assert table["event"][0] in {"dip", "dip-between-caustics"}
    assert np.isfinite([table["event_lower"][0], table["event_upper"][0], table["event_neighbours"][0]]).all()
    assert table["variable"][table["source_id"] == number_of(month, Behaviour.FLICKER)].all()
    glitch = table[table["source_id"] == number_of(month, Behaviour.INTERFERENCE)]
    assert glitch["event_verdict"][0] in {"one-half-band", ""}
    kinds = (Behaviour.DIP, Behaviour.FLICKER, Behaviour.INTERFERENCE)
    assert set(table["source_id"][table["variable"]]) <= {number_of(month, kind) for kind in kinds}
    assert len(variables_table(found)) == 43
    assert all(table[name].info.description for name in table.colnames)
    assert str(table["mean"].unit) == "Jy"


def test_a_source_that_was_merged_counts_for_the_one_that_it_is(month, root, found):
    dip, steady = number_of(month, Behaviour.DIP), number_of(month, Behaviour.STEADY)
    with open_store(root, STRIP) as store:
        merged = find_variables(store, STRIP, LightcurveSettings(), {dip: steady})
    assert dip not in merged.days.source_id
    at = [np.searchsorted(one.days.source_id, steady) for one in (merged, found)]
    both = found.statistics.n[np.searchsorted(found.days.source_id, dip)] + found.statistics.n[at[1]]
    assert merged.statistics.n[at[0]] == both


def test_who_is_who_in_a_chain():
    assert merged_sources(np.array([1, 2, 3, 4]), np.array([0, 1, 2, 0])) == {2: 1, 3: 1}
    assert merged_sources(np.array([1]), np.array([0])) == {}


def test_without_a_store_halves_are_not_asked_for(found):
    again = variables_of(found.days, STRIP, LightcurveSettings())
    assert [event.source_id for event in again.events] == [event.source_id for event in found.events]
    assert np.isnan(again.events[0].lower)
