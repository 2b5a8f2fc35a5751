"""The variables of a strip from its store: numbers that were merged, halves of the band, order, tables for others."""

import numpy as np
import pytest
from astropy.table import QTable

from dsa110_contimg.catalogue.parquet import read_parquet
from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.errors import LightcurveError, OutputError, OutputExistsError, UsageError
from dsa110_contimg.lightcurves.exports import (
    measurements_table,
    require_export,
    require_new,
    write_export,
)
from dsa110_contimg.lightcurves.lookup import find_source
from dsa110_contimg.lightcurves.query import light_curve, open_store
from dsa110_contimg.lightcurves.variables import find_variables, merged_sources, variables_of, variables_table
from dsa110_contimg.photometry.measurements import COLUMNS, position_of, source_id
from dsa110_contimg.photometry.reference import make_reference, write_reference
from dsa110_contimg.photometry.sources import iau_names
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


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".vot"])
def test_tables_come_back_as_they_were(found, tmp_path, ending):
    table, path = variables_table(found, found.order()), tmp_path / f"variables{ending}"
    write_export(path, table)
    back = (
        read_parquet(path)
        if ending == ".parquet"
        else QTable.read(path, format="votable" if ending == ".vot" else "ascii.csv")
    )
    assert back.colnames == table.colnames
    np.testing.assert_array_equal(np.asarray(back["source_id"]), table["source_id"])
    np.testing.assert_allclose(np.asarray(back["mean"]), table["mean"].value)
    assert list(np.ma.filled(np.ma.asarray(back["event"]), "")) == list(table["event"])
    if ending != ".csv":
        assert str(back["mean"].unit) == "Jy"
        assert back["eta"].info.description
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_measurements_have_units_too(month, root, tmp_path):
    with open_store(root, STRIP) as store:
        rows = light_curve(store, number_of(month, Behaviour.DIP))
    table = measurements_table(rows)
    assert table.colnames == list(COLUMNS)
    assert str(table["corrected"].unit) == "Jy"
    for ending in (".csv", ".parquet", ".vot"):
        write_export(tmp_path / f"rows{ending}", table)
    assert len(QTable.read(tmp_path / "rows.vot", format="votable")) == rows.num_rows


def test_names_of_exports_are_checked(tmp_path):
    with pytest.raises(UsageError, match="says no format"):
        require_export(tmp_path / "a.doc", replace=False)
    (tmp_path / "a.csv").touch()
    with pytest.raises(OutputExistsError, match="it is there already"):
        require_new(tmp_path / "a.csv", replace=False)
    require_export(tmp_path / "a.csv", replace=True)
    with pytest.raises(OutputError, match="cannot be written"):
        write_export(tmp_path / "no" / "a.csv", QTable({"a": [1]}))


def test_a_source_is_found_by_number_name_and_place(month, root):
    number = number_of(month, Behaviour.DIP)
    ra, dec = (float(each[0]) for each in position_of([number]))
    name = iau_names(np.array([ra]), np.array([dec]))[0]
    hours = ra / 15
    minutes = hours % 1 * 60
    clock = f"{int(hours)}:{int(minutes)}:{minutes % 1 * 60:.2f}"
    for asked in (str(number), name, f"{ra},{dec}", f"{ra + 0.002},{dec:+f}", f"{clock},{dec}"):
        found = find_source(root, asked)
        assert (found.source_id, found.strip, found.name) == (number, STRIP, name)
        assert found.apart_arcsec < 10.0
        assert found.numbers == [number]


def test_a_source_that_is_not_there_or_not_named_is_said(root, tmp_path):
    for asked in ("something", "1,2,3", "12:00", "10,95"):
        with pytest.raises(UsageError, match="names no source"):
            find_source(root, asked)
    with pytest.raises(LightcurveError, match="no source within 30 arcsec of 200,54 has a light curve"):
        find_source(root, "200,54")
    with pytest.raises(LightcurveError, match=r"no source with the number 12 has a light curve in the strip \+54\.6"):
        find_source(root, "12", STRIP)
    with pytest.raises(LightcurveError, match="photometry collect"):
        find_source(tmp_path, "12")


def test_a_merged_source_is_found_under_its_number_now(month, tmp_path):
    write_store(tmp_path, month._replace(mjd=month.mjd[:, :2]))
    dip, steady = number_of(month, Behaviour.DIP), number_of(month, Behaviour.STEADY)
    numbers = np.sort([dip, steady])
    ra, dec = position_of(numbers)
    columns = {"ra_deg": ra, "dec_deg": dec, "source_id": numbers, "same_as": np.where(numbers == dip, steady, 0)}
    write_reference(tmp_path, make_reference(STRIP, columns, version=1))
    found = find_source(tmp_path, str(dip))
    assert found.source_id == steady
    assert found.numbers == [steady, dip]
