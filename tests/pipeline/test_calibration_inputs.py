"""What jobs are told for calibrating, and which groups come first."""

import json

import pytest

from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.config.settings import Settings
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.ledger.calibrations import Observing
from dsa110_contimg.naming import group_id_from_mjd
from dsa110_contimg.pipeline.calibration_inputs import TransitsAhead, calibration_options
from dsa110_contimg.pipeline.calibration_records import register_made
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.transits import find_transits
from ledger_groups import gid_of
from registered_sets import make_set, manifest_of, state_of

GROUP_D = 309.2376 / 86400


def stands(dec_deg=33.0):
    return Observing(gid_of(0), 60953.5, dec_deg, {"site": list(HEADER_SITE)})


def test_the_group_of_a_transit_comes_first_and_the_others_keep_their_order():
    source = find_calibrator("3C48")
    (transit,) = find_transits(source.ra_deg, source.dec_deg, 60953.0, 60953.99, HEADER_SITE)
    groups = [group_id_from_mjd(transit.mjd + (n - 0.5) * GROUP_D) for n in range(-3, 4)]
    ahead = TransitsAhead(10.0)
    assert ahead.first(groups, stands()) == [groups[3], *groups[:3], *groups[4:]]
    assert ahead.first(groups, stands(54.57)) == groups
    assert TransitsAhead(50.0).first(groups, stands()) == groups


def test_a_transit_at_midnight_is_seen_from_the_group_that_began_before_it():
    source = find_calibrator("3C48")
    for day in range(60800, 61166):
        transits = find_transits(source.ra_deg, source.dec_deg, day, day + 0.002, HEADER_SITE)
        if transits:
            break
    assert TransitsAhead(10.0).has_transit(transits[0].mjd - 0.003, stands())


def test_before_anything_is_known_of_the_strip_the_order_stays():
    groups = [gid_of(i) for i in range(3)]
    assert TransitsAhead(1.0).first(groups, None) == groups
    assert TransitsAhead(1.0).first(groups, stands()._replace(correlator={})) == groups


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def test_a_stream_that_does_not_calibrate_is_told_nothing(ledger):
    assert calibration_options(ledger, Settings(stream={"stages": ["convert"]}), 60953.5) == {}


def test_jobs_are_told_settings_catalogue_and_what_stands_as_json(ledger, tmp_path):
    path = make_set(tmp_path, 0)
    register_made(ledger, manifest_of(0, path), tmp_path)
    settings = Settings(
        stream={"stages": ["convert", "flag", "solve", "apply"]}, sets={"catalogue": "nvss.csv", "least_flux_jy": 2.5}
    )
    options = json.loads(json.dumps(calibration_options(ledger, settings, state_of(5).start_mjd)))
    assert set(options) == {"flag", "solve", "tie", "apply"}
    assert options["tie"]["tie"] == "never"
    assert options["solve"]["least_flux_jy"] == 2.5
    assert options["solve"]["catalogue"].startswith("/")
    assert options["solve"]["settings"]["amplitude_interval_s"] == float("inf")
    assert [item["path"] for item in options["apply"]["sets"]] == [str(path)]
