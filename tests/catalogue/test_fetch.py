"""Fetching surveys, from a server here that answers as VizieR does."""

import socket
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from dsa110_contimg.catalogue.fetch import fetch_strip, fetch_survey
from dsa110_contimg.catalogue.strips import open_strips
from dsa110_contimg.catalogue.surveys import SURVEYS
from dsa110_contimg.catalogue.tables import read_reference
from dsa110_contimg.errors import FetchError, MissingToolError, UsageError
from vizier_server import nvss, serve

NVSS = SURVEYS["nvss"]
TABLE = "VIII/65/nvss"


def test_strips_of_the_nvss(tmp_path):
    sky = nvss()
    with serve({TABLE: sky}) as (address, asked):
        strips = list(fetch_survey(NVSS, 54.5, 3.0, tmp_path, server=address))
    assert [strip.dec_deg for strip in strips] == [53, 54, 55]
    inside = (sky["_DEJ2000"] >= 53) & (sky["_DEJ2000"] < 56)
    assert sum(strip.n_sources for strip in strips) == np.count_nonzero(inside)
    assert asked[1]["DEJ2000"] == ">=54 & <55"
    assert (asked[1]["-out.max"], asked[1]["path"]) == ("unlimited", "/viz-bin/votable")

    kept = read_reference(tmp_path / "nvss")
    order = np.argsort(kept.sources.ra_deg)
    true = sky[inside][np.argsort(sky["_RAJ2000"][inside])]
    assert kept.sources.ra_deg[order] == pytest.approx(true["_RAJ2000"])
    assert kept.sources.flux_jy[order] == pytest.approx(true["S1.4"] / 1e3)
    assert kept.e_flux_jy == pytest.approx(5e-4)
    # Seconds of time are fifteen seconds of arc at the equator, and less here.
    assert kept.e_ra_arcsec == pytest.approx(0.75 * np.cos(np.radians(kept.sources.dec_deg)))
    assert kept.e_dec_arcsec == pytest.approx(0.6)
    assert open_strips(tmp_path / "nvss").facts["bibcode"] == "1998AJ....115.1693C"


def test_what_is_there_is_not_fetched_again_unless_asked_for(tmp_path):
    with serve({TABLE: nvss()}) as (address, asked):
        list(fetch_survey(NVSS, 54.5, 1.0, tmp_path, server=address))
        (strip,) = fetch_survey(NVSS, 54.5, 0.5, tmp_path, server=address)
        assert strip.was_there
        assert len(asked) == 1
        (strip,) = fetch_survey(NVSS, 54.5, 0.5, tmp_path, server=address, again=True)
        assert not strip.was_there
        assert len(asked) == 2


def test_racs_is_in_degrees_at_its_own_frequency(tmp_path):
    low = SURVEYS["racs-low"]
    columns = {"RAJ2000": [10.0, 20.0] * u.deg, "DEJ2000": [-9.5, -9.25] * u.deg, "e_RAJ2000": [0.3, 0.4] * u.arcsec}
    sky = Table(columns | {"Ftot": [10.0, 20.0] * u.mJy, "e_Ftot": [1.0, 1.0] * u.mJy})
    with serve({low.tables[0]: sky}) as (address, asked):
        table = fetch_strip(low, -10, address)
        list(fetch_survey(low, -9.5, 0.5, tmp_path, server=address))
    assert [request["-source"] for request in asked[:2]] == list(low.tables)
    assert table["flux"].to_value("Jy").tolist() == [0.01, 0.02]
    assert table["e_dec"].to_value("arcsec").tolist() == [0.0, 0.0]
    reference = read_reference(tmp_path / "racs-low")
    assert reference.sources.flux_jy[0] == pytest.approx(0.01 * (1400 / 887.5) ** -0.7)
    assert reference.e_ra_arcsec.tolist() == pytest.approx([0.3, 0.4])


def test_a_failure_leaves_what_was_fetched(tmp_path):
    sky = nvss()
    with (
        serve({TABLE: sky[sky["_DEJ2000"] < 54]}) as (address, _),
        pytest.raises(FetchError, match="no source of nvss"),
    ):
        list(fetch_survey(NVSS, 54.0, 2.0, tmp_path, server=address))
    assert list(open_strips(tmp_path / "nvss").fetched) == [53]


def test_without_a_network(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(FetchError, match=r"cannot fetch nvss from .*It needs a network"):
            list(fetch_survey(NVSS, 54.5, 1.0, tmp_path, server=address))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", [b"<html>no such page</html>", b"<?xml version='1.0'?><VOTABLE><TABLE>"])
def test_a_server_that_is_no_vizier(tmp_path, answer):
    with serve({}, answer=answer) as (address, _), pytest.raises(FetchError, match="not answer as VizieR"):
        list(fetch_survey(NVSS, 54.5, 1.0, tmp_path, server=address))


def test_a_column_that_is_not_there():
    less = nvss()
    less.remove_column("S1.4")
    with serve({TABLE: less}) as (address, _), pytest.raises(FetchError, match=r"no column S1\.4"):
        fetch_strip(NVSS, 54, address)


def test_without_astroquery(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "astroquery.vizier", None)
    with pytest.raises(MissingToolError, match=r"dsa110-contimg\[fetch\]"):
        list(fetch_survey(NVSS, 54.5, 1.0, tmp_path))


def test_where_a_survey_does_not_reach(tmp_path):
    with pytest.raises(UsageError, match="from -90 to 49"):
        list(fetch_survey(SURVEYS["racs-mid"], 54.5, 3.0, tmp_path))
