"""The list of calibrators, and finding a source by all the names that people use."""

from math import isnan

import astropy.units as u
import pytest
from astropy.coordinates import SkyCoord

from dsa110_contimg.catalogue.calibrators import find_calibrator, load_calibrators
from dsa110_contimg.errors import UsageError


def test_the_list_is_whole():
    calibrators = load_calibrators()
    assert len(calibrators) == 1032
    assert len({source.name for source in calibrators}) == 1032
    assert all(len(source.quality_20cm) == 4 for source in calibrators)
    assert all(source.flux_20cm_jy > 0 or isnan(source.flux_20cm_jy) for source in calibrators)


def test_a_source_without_a_flux_density_has_no_spectrum_and_is_never_good():
    unknown = [source for source in load_calibrators() if isnan(source.flux_20cm_jy)]
    assert len(unknown) == 13
    assert not any(source.is_good_point for source in unknown)
    with pytest.raises(UsageError, match="3C279 has no flux density at 20 cm"):
        _ = find_calibrator("3C279").spectrum


def test_3c48_is_where_it_is():
    source = find_calibrator("3C48")
    true = SkyCoord("01h37m41.2994s +33d09m35.133s")  # ICRF
    assert SkyCoord(source.ra_deg, source.dec_deg, unit="deg").separation(true) < 0.05 * u.arcsec


@pytest.mark.parametrize(
    "name",
    [
        *("3C286", "3c286", "3C 286", " 3c  286 ", "1331+305", "J1331+305", "j1331+305", "J1331+3030", "1331+3030"),
        *("B1328+307", "b1328+307", "1328+307", "B1328+30", "1331+304", "1331\N{MINUS SIGN}305".replace("\u2212", "+")),
    ],
)
def test_one_source_many_names(name):
    assert find_calibrator(name).name == "1331+305"


def test_more_names():
    assert find_calibrator("bl lac").name == "2202+422"
    assert find_calibrator("3C 048").name == "0137+331"
    assert find_calibrator("P2134+0").name == "2136+006"
    assert find_calibrator("0059\N{MINUS SIGN}170").name == "0059-170"


def test_every_source_is_found_by_its_j2000_name():
    for source in load_calibrators():
        assert find_calibrator(f"J{source.name}") == source


def test_every_source_is_found_by_its_b1950_name_or_told_apart():
    for source in load_calibrators():
        assert find_calibrator(f"B{source.b1950_name}") == source


def test_known_b1950_names():
    """As the VLA's own manual prints them."""
    for j2000, old in {
        "0137+331": "0134+329",
        "0542+498": "0538+498",
        "0521+166": "0518+165",
        "1331+305": "1328+307",
        "1411+522": "1409+524",
        "2202+422": "2200+420",
        "2253+161": "2251+158",
        "2136+006": "2134+004",
    }.items():
        assert find_calibrator(f"B{old}").name == j2000


@pytest.mark.parametrize(
    ("name", "candidates"), [("1311+552", ["1313+549", "1311+552"]), ("1922+155", ["1924+156", "1922+155"])]
)
def test_a_name_that_is_one_sources_old_and_anothers_new(name, candidates):
    with pytest.raises(UsageError) as caught:
        find_calibrator(name)
    assert all(candidate in str(caught.value) for candidate in candidates)
    assert find_calibrator(f"J{name}").name == name
    assert find_calibrator(f"B{name}").name == candidates[0]


def test_a_survey_is_no_source():
    with pytest.raises(UsageError, match=r"'CJ2' could be 0029\+349 .* at 7\.3093 \+34\.9423; or .*and 165 more"):
        find_calibrator("CJ2")


@pytest.mark.parametrize(("name", "near"), [("3C287.1", "3C277.1"), ("0137+381", "0137+331"), ("BLLAK", "BLLAC")])
def test_an_unknown_name_has_neighbours(name, near):
    with pytest.raises(UsageError, match=r"no calibrator is called") as caught:
        find_calibrator(name)
    assert near in str(caught.value)


def test_unlike_anything():
    with pytest.raises(UsageError, match=r"no calibrator is called 'Betelgeuse'\. Give a J2000 name"):
        find_calibrator("Betelgeuse")
    with pytest.raises(UsageError):
        find_calibrator("")


def test_products_are_named_as_asked_but_never_after_a_survey():
    assert find_calibrator("3c 286").label == "3C286"
    assert find_calibrator("B1328+307").label == "3C286"
    assert find_calibrator("1331+305").label == "1331+305"
    assert find_calibrator("0834+555").label == "0834+555"
    assert find_calibrator("VERA").label == "0625+146"
    assert find_calibrator("3C286") == find_calibrator("1331+305")


def test_good_points_are_good_on_short_baselines():
    assert find_calibrator("3C286").is_good_point  # SSPP
    assert find_calibrator("0834+555").is_good_point  # SPPP
    assert not find_calibrator("3C171").is_good_point  # XXXP
    assert not find_calibrator("3C84").is_good_point  # PPXX
    assert not find_calibrator("1949-199").is_good_point  # PPP?
