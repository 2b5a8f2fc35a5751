"""A list grows by what is new and can be told apart, and two of it that are one are said to be."""

import numpy as np
import pytest

from dsa110_contimg.photometry.growing import adopt, entries, grow, trusted
from dsa110_contimg.photometry.reference import empty_reference, joined, make_reference
from measured_catalogue import FREQ_HZ, measured

STRIP = "+54.6"
BEAM = 60.0


def columns_at(east, error=0.5, flux=0.1, since=""):
    east = np.atleast_1d(np.asarray(east, float))
    return {
        "ra_deg": 129.0 + east / 3600.0 / np.cos(np.radians(54.6)),
        "dec_deg": np.full(east.shape, 54.6),
        "e_ra_arcsec": np.full(east.shape, float(error)),
        "e_dec_arcsec": np.full(east.shape, float(error)),
        "flux_jy": np.broadcast_to(flux, east.shape),
        "since": np.full(east.shape, since),
    }


def list_at(east, **columns):
    return make_reference(STRIP, columns_at(east, **columns))


def grown_by(reference, east, worthy=True, **columns):
    offered = columns_at(east, **columns)
    return grow(reference, offered, np.broadcast_to(worthy, offered["ra_deg"].shape), BEAM, 5.68)


def test_a_list_begins_with_all_that_is_worthy():
    grown = grown_by(empty_reference(STRIP), [300.0, 0.0, 600.0], worthy=np.array([True, True, False]))
    assert list(grown.added) == [True, True, False]
    assert len(grown.reference.source_id) == 2
    # In the order in which they were offered, not in that of the list.
    assert list(grown.numbers) == [grown.reference.source_id[1], grown.reference.source_id[0], 0]


def test_what_is_there_keeps_its_number_and_what_is_new_gets_one():
    before = list_at([0.0, 300.0])
    grown = grown_by(before, [0.5, 900.0])
    assert grown.numbers[0] == before.source_id[0]
    assert list(grown.added) == [False, True]
    assert set(before.source_id) < set(grown.reference.source_id)
    again = grown_by(grown.reference, [0.5, 900.0])
    assert not again.added.any()
    np.testing.assert_array_equal(again.reference.source_id, grown.reference.source_id)
    np.testing.assert_array_equal(again.numbers, grown.numbers)


@pytest.mark.parametrize(("apart", "added"), [(20.0, False), (40.0, True)])
def test_what_cannot_be_told_apart_is_not_added(apart, added):
    assert grown_by(list_at([0.0]), [apart]).added[0] == added
    two = grown_by(empty_reference(STRIP), [0.0, apart], flux=np.array([0.1, 0.3]))
    assert list(two.added) == [added, True]
    part = grown_by(list_at([0.0], error=5.0), [1.0, apart], error=8.0)
    assert part.association.relation[1] == "part"
    assert bool(part.added[1]) == added


def test_two_that_are_one_are_said_to_be_and_the_older_stays():
    young, old = "20251006T000000+54.6", "20251005T000000+54.6"
    before = joined(list_at([0.0], error=5.0, since=young), list_at([10.0], error=5.0, since=old))
    grown = grown_by(before, [1.0], error=5.0)
    assert grown.merged == {int(before.source_id[0]): int(before.source_id[1])}
    assert list(grown.reference.same_as) == [before.source_id[1], 0]
    assert grown.numbers[0] == before.source_id[1]
    assert grown_by(grown.reference, [1.0], error=5.0).association.relation == ("one-to-one",)


def test_two_epochs_that_merge_the_same_pair_agree_which_stays():
    before = list_at([0.0, 20.0], error=5.0)
    first, second = (grown_by(before, [east], error=5.0).reference for east in (9.0, 11.0))
    both = adopt(adopt(before, first, BEAM), second, BEAM)
    assert np.count_nonzero(both.same_as == 0) == 1


def test_neighbours_that_are_two_stay_two():
    before = list_at([0.0, 45.0], error=8.0)
    grown = grown_by(before, [20.0], error=8.0)
    assert grown.association.relation == ("many-to-one",)
    assert grown.merged == {}


def test_what_two_epochs_added_at_once_is_one():
    before = list_at([0.0])
    first = grown_by(before, [500.0, 900.0]).reference
    second = grown_by(before, [502.0, 1300.0]).reference
    both = adopt(adopt(before, first, BEAM), second, BEAM)
    assert len(both.source_id) == 5
    twin = both.source_id[np.isclose(both.ra_deg, columns_at([502.0])["ra_deg"][0], rtol=0, atol=1e-7)][0]
    kept = both.source_id[np.isclose(both.ra_deg, columns_at([500.0])["ra_deg"][0], rtol=0, atol=1e-7)][0]
    assert both.same_as[both.source_id == twin] == kept
    again = adopt(both, second, BEAM)
    np.testing.assert_array_equal(again.source_id, both.source_id)
    np.testing.assert_array_equal(again.same_as, both.same_as)


def test_what_an_image_has_is_entered_with_its_errors_and_what_is_doubtful_is_not():
    sources = measured(
        [(129.0, 54.6), (129.2, 54.6), (129.4, 54.6), (129.6, 54.6)], [0.1, 0.2, 0.3, 0.4],
        snr=np.array([5.5, 30.0, 30.0, 30.0]), flags=np.array(["", "edge,shared", "multiple", ""]),
        resolved=np.array([False, False, True, False]), true_major=np.array([0.0, 0.0, 40.0, 7.0]),
    )  # fmt: skip
    assert list(trusted(sources, 6.0)) == [False, False, True, True]
    listed = make_reference(STRIP, entries(sources, "epoch:x", "x"))
    assert list(listed.major_arcsec) == [0.0, 0.0, 40.0, 0.0]
    np.testing.assert_allclose(listed.e_flux_jy / listed.flux_jy, 0.02)
    assert set(listed.freq_hz) == {FREQ_HZ}
    assert set(listed.since) == {"x"}
