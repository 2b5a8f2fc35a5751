"""Places of lists, of catalogues, and those asked for."""

import numpy as np
import pytest

from dsa110_contimg.errors import UsageError
from dsa110_contimg.photometry.forced_places import asked_for, places_at, read_places
from dsa110_contimg.photometry.measurements import position_of
from dsa110_contimg.photometry.reference import make_reference, write_list


def test_places_are_numbered_by_where_they_are():
    places = places_at([129.0, -1.0], [54.57, 0.0], 0.5)
    ra, dec = position_of(places.source_id)
    np.testing.assert_allclose(ra, [129.0, 359.0], atol=3e-6)
    np.testing.assert_allclose(dec, [54.57, 0.0], atol=3e-6)
    assert places.flux_jy.tolist() == [0.5, 0.5]
    assert not places.same_as.any()


def test_what_is_asked_for_comes_first_and_counts_most():
    asked = asked_for(places_at(129.0, 54.57), places_at([128.0, 130.0], 54.57, [1.0, 2.0]))
    assert asked.ra_deg.tolist() == [129.0, 128.0, 130.0]
    assert asked.flux_jy.tolist() == [np.inf, 1.0, 2.0]
    assert asked_for(places_at(129.0, 54.57), None).flux_jy.tolist() == [np.inf]


def test_a_reference_list_and_a_catalogue_are_read(tmp_path):
    listed = make_reference("+54.6", {"ra_deg": [129.0], "dec_deg": [54.57], "flux_jy": [0.3], "major_arcsec": [20.0]})
    write_list(tmp_path / "list.parquet", listed)
    assert read_places(tmp_path / "list.parquet").major_arcsec.tolist() == [20.0]
    (tmp_path / "catalogue.csv").write_text("ra,dec,flux\n129.0,54.57,0.3\n")
    found = read_places(tmp_path / "catalogue.csv")
    assert found.source_id.tolist() == listed.source_id.tolist()
    assert found.flux_jy.tolist() == [0.3]


def test_what_is_neither_is_refused(tmp_path):
    (tmp_path / "list.parquet").write_text("nothing")
    with pytest.raises(UsageError, match="neither a reference list"):
        read_places(tmp_path / "list.parquet")
