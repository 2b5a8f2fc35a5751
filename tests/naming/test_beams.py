"""Names of fitted beams, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import NamingError
from dsa110_contimg.naming.beams import (
    beam_figure_name,
    beam_file_name,
    beam_version_name,
    parse_beam_file_name,
    parse_beam_version_name,
)


@given(st.integers(1, 10**6))
def test_versions_come_back(number):
    assert parse_beam_version_name(beam_version_name(number)) == number
    assert parse_beam_file_name(beam_file_name(number)) == number
    assert beam_figure_name(number) == f"{beam_version_name(number)}.png"


@pytest.mark.parametrize("name", ["beam-3", "beam-0000", "beam-0001.json.json", "beam", ""])
def test_what_is_no_version(name):
    with pytest.raises(NamingError):
        parse_beam_version_name(name)
    with pytest.raises(NamingError):
        parse_beam_file_name(name)


def test_numbers_begin_at_1():
    with pytest.raises(NamingError):
        beam_version_name(0)
