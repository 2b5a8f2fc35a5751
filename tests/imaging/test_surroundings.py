"""What else was in the sky."""

import pytest

from dsa110_contimg.imaging.surroundings import surroundings
from sampled_fields import sampled_field

# When Cassiopeia A is on the meridian, and when noon is near.
FIELD = sampled_field([(0, 0)], [1.0], stations=(1, 40), n_times=2, every=384)


def at(mjd):
    """Surroundings of an observation of the strip at 54.57 deg at that moment."""
    return surroundings(FIELD.observation._replace(start_mjd=mjd, middle_mjd=mjd, end_mjd=mjd))


def test_the_nearest_comes_first_and_its_elevation_follows_from_the_latitude():
    found = at(60953.2629)["bright_sources"]
    name, figures = next(iter(found.items()))
    assert name == "Cassiopeia A"
    assert figures["distance_deg"] == pytest.approx(4.4, abs=0.3)
    assert figures["elevation_deg"] == pytest.approx(90 - (58.95 - 37.233), abs=0.3)
    distances = [each["distance_deg"] for each in found.values()]
    assert distances == sorted(distances)


def test_the_sun_is_down_at_night_and_up_at_noon():
    night, noon = at(60953.26)["sun"], at(60953.82)["sun"]
    assert night["elevation_deg"] < 0
    # October 5: the Sun is 5 degrees south of the equator, and 60 from the strip.
    assert noon["elevation_deg"] == pytest.approx(90 - 37.23 - 4.9, abs=0.5)
    assert noon["distance_deg"] == pytest.approx(54.57 + 4.9, abs=0.5)
