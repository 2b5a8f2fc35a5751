"""A source is found by whatever it is called."""

import numpy as np
import pytest

from dsa110_contimg.errors import LightcurveError, UsageError
from dsa110_contimg.lightcurves.lookup import find_source
from dsa110_contimg.photometry.measurements import position_of, source_id
from dsa110_contimg.photometry.reference import make_reference, write_reference
from dsa110_contimg.photometry.sources import iau_names
from dsa110_contimg.simulation.months import Behaviour, simulate_months
from simulated_store import STRIP, write_store


@pytest.fixture(scope="module")
def month():
    return simulate_months({Behaviour.STEADY: 5, Behaviour.DIP: 1}, n_days=2, seed=5, missed=0.0)


@pytest.fixture(scope="module")
def root(month, tmp_path_factory):
    place = tmp_path_factory.mktemp("store") / "lightcurves"
    write_store(place, month)
    return place


def number_of(month, behaviour):
    k = int(np.flatnonzero(month.behaviour == behaviour)[0])
    return int(source_id(month.ra_deg, month.dec_deg)[k])


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
    write_store(tmp_path, month)
    dip, steady = number_of(month, Behaviour.DIP), number_of(month, Behaviour.STEADY)
    numbers = np.sort([dip, steady])
    ra, dec = position_of(numbers)
    columns = {"ra_deg": ra, "dec_deg": dec, "source_id": numbers, "same_as": np.where(numbers == dip, steady, 0)}
    write_reference(tmp_path, make_reference(STRIP, columns, version=1))
    found = find_source(tmp_path, str(dip))
    assert found.source_id == steady
    assert found.numbers == [steady, dip]


@pytest.mark.parametrize("places", [(0.001, 359.999), (359.999, 0.001), (0.0, 0.001)])
def test_right_ascension_goes_round(tmp_path, places):
    month = simulate_months({Behaviour.STEADY: 2}, n_days=2, seed=5, missed=0.0)
    month = month._replace(ra_deg=np.array([places[0], 90.0]), dec_deg=np.array([54.6, 54.6]))
    write_store(tmp_path, month)
    for radius in (60.0, 1e6):
        found = find_source(tmp_path, f"{places[1]},54.6", radius_arcsec=radius)
        assert found.source_id == source_id(places[0], 54.6)
        assert found.apart_arcsec == pytest.approx(
            np.cos(np.radians(54.6)) * 3600 * min(0.002, abs(places[0] - places[1])), abs=0.1
        )
