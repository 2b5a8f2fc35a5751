"""Who of those found is who of a list: the same places are found again, neighbours are named, a shift is taken off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg.photometry.association import Places, Relation, associate, shared_offset

BEAM = 60.0
RADIUS = 5.68
DEC = 54.6


def places(east, north, error=0.5, ra_deg=129.0):
    """Places some arcseconds from one, with the same error."""
    east, north = np.broadcast_arrays(np.atleast_1d(np.asarray(east, float)), np.asarray(north, float))
    dec = DEC + north / 3600.0
    ra = (ra_deg + east / 3600.0 / np.cos(np.radians(dec))) % 360.0
    errors = np.full(east.shape, float(error))
    return Places(ra, dec, errors, errors)


def relations(who):
    return [relation.value for relation in who.relation]


def test_the_radius_is_the_distance_over_its_error():
    one = places([3.0], [4.0])._replace(e_ra_arcsec=np.array([1.0]), e_dec_arcsec=np.array([2.0]))
    who = associate(one, places([0.0], [0.0], error=0.0), BEAM, RADIUS)
    assert who.radius[0] == pytest.approx(np.hypot(3.0, 2.0), rel=1e-3)
    assert who.separation_arcsec[0] == pytest.approx(5.0, rel=1e-3)
    assert relations(who) == ["one-to-one"]


def test_what_is_too_far_for_its_errors_is_new_and_its_neighbour_named():
    who = associate(places([10.0], [0.0]), places([0.0], [0.0]), BEAM, RADIUS)
    assert relations(who) == ["new"]
    assert (who.listed[0], who.nearest[0]) == (-1, 0)
    far = associate(places([100.0], [0.0], error=50.0), places([0.0], [0.0]), BEAM, RADIUS)
    assert (relations(far), far.nearest[0], far.radius[0]) == (["new"], -1, np.inf)


def test_one_that_is_found_as_two():
    who = associate(places([2.0, -8.0], [0.0, 0.0], error=5.0), places([0.0], [0.0]), BEAM, RADIUS)
    assert relations(who) == ["one-to-many", "part"]
    assert list(who.listed) == [0, -1]


def test_two_that_are_found_as_one():
    who = associate(places([2.0], [0.0], error=5.0), places([0.0, 10.0, 500.0], [0.0, 0.0, 0.0]), BEAM, RADIUS)
    assert relations(who) == ["many-to-one"]
    assert (who.listed[0], who.rivals[0]) == (0, (1,))


def test_two_of_two_are_told_apart_by_the_sum_of_their_nearness():
    known = places([0.0, 12.0], [0.0, 0.0], error=2.0)
    who = associate(places([1.0, 11.0], [0.0, 0.0], error=2.0), known, BEAM, RADIUS)
    assert list(who.listed) == [0, 1]
    assert relations(who) == ["many-to-one", "many-to-one"]


def test_nothing_found_and_nothing_listed():
    none, one = places(np.zeros(0), np.zeros(0)), places([0.0], [0.0])
    assert associate(none, one, BEAM, RADIUS).relation == ()
    assert relations(associate(one, none, BEAM, RADIUS)) == ["new"]


@pytest.mark.parametrize("ra_deg", [0.0, 359.99, 200.0])
def test_what_all_places_are_off_by_is_taken_off(ra_deg):
    rng = np.random.default_rng(1)
    east, north = rng.uniform(-5000, 5000, (2, 60))
    known = places(east, north, 0.3, ra_deg)
    found = places(east + 9.0 + rng.normal(0, 0.4, 60), north - 6.0 + rng.normal(0, 0.4, 60), 0.3, ra_deg)
    who = associate(found, known, BEAM, RADIUS)
    assert (who.offset.east, who.offset.north) == pytest.approx((9.0, -6.0), abs=0.3)
    assert who.offset.n > 40
    assert set(who.relation) <= {Relation.ONE_TO_ONE, Relation.MANY_TO_ONE}
    assert list(who.listed) == list(range(60))


def test_scatter_beyond_the_errors_counts_as_one():
    rng = np.random.default_rng(2)
    east, north = (grid.ravel() * 300.0 for grid in np.mgrid[:7, :7])
    found = places(east + rng.normal(0, 3.0, 49), north + rng.normal(0, 3.0, 49), 0.2)
    who = associate(found, places(east, north, 0.2), BEAM, RADIUS)
    assert who.offset.more == pytest.approx(3.0, rel=0.3)
    assert list(who.listed) == list(range(49))


def test_few_places_tell_of_no_shift():
    offset = shared_offset(places([5.0, 305.0], [0.0, 0.0]), places([0.0, 300.0], [0.0, 0.0]), 30.0)
    assert (offset.east, offset.n) == (0.0, 2)


@settings(max_examples=50)
@given(
    spots=st.lists(st.tuples(st.integers(-40, 40), st.integers(-40, 40)), unique=True, min_size=1, max_size=8),
    known=st.lists(st.tuples(st.integers(-40, 40), st.integers(-40, 40)), unique=True, min_size=1, max_size=8),
)
def test_each_of_a_list_is_taken_once_and_what_is_near_is_never_new(spots, known):
    found, listed = (places(*np.array(some, float).T, error=1.5) for some in (spots, known))
    who = associate(found, listed, BEAM, RADIUS)
    taken = who.listed[who.listed >= 0]
    assert len(set(taken.tolist())) == len(taken)
    for one, relation in enumerate(who.relation):
        near = who.radius[one] <= RADIUS
        assert (relation is Relation.NEW) == (not near)
        assert (who.listed[one] >= 0) == (relation not in {Relation.NEW, Relation.PART})
        assert (relation is Relation.MANY_TO_ONE) == (who.listed[one] >= 0 and len(who.rivals[one]) > 0)
