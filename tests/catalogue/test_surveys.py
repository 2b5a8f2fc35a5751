"""The surveys that can be fetched."""

import pytest

from dsa110_contimg.catalogue.surveys import SURVEYS, find_survey
from dsa110_contimg.errors import UsageError


def test_surveys_by_name():
    assert find_survey("NVSS") is SURVEYS["nvss"]
    assert find_survey("racs").name == "racs-mid"
    with pytest.raises(UsageError, match="There are nvss, first"):
        find_survey("sumss")


@pytest.mark.parametrize("survey", SURVEYS.values(), ids=lambda survey: survey.name)
def test_each_is_whole(survey):
    assert {"flux", "e_flux"} <= set(survey.columns)
    assert -90 <= survey.south_deg < survey.north_deg <= 90
    assert 0.8e9 < survey.freq_hz < 1.5e9
    assert len(survey.bibcode) == 19
    assert survey.facts()["name"] == survey.name == survey.name.lower()
