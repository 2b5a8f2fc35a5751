"""Sets as directories."""

import json

import pytest

from dsa110_contimg.calibration.sets import CalibrationSet, read_set, table_name
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.naming import CALIBRATION_NAME
from dsa110_contimg.telescope.correlator import CorrelatorState

NAME = "20251005T123000_3C286_7.cal"


@pytest.fixture
def written(tmp_path):
    made = CalibrationSet(
        name=NAME,
        group="2025-10-05T12:30:00",
        calibrator="3C286",
        mid_mjd=60953.52,
        state=CorrelatorState(60953.52, 12.884901888, 30.4, "ab", "cd"),
        grade={"verdict": "usable", "reasons": ["its median signal-to-noise ratio is 8.0"]},
        flux_scale={"kind": "standard", "error": 0.03},
        facts={"choice": "3C286: 13 of 15 Jy"},
    )
    directory = tmp_path / NAME
    directory.mkdir()
    for kind in made.kinds:
        (directory / table_name(kind)).mkdir()
    made.write(directory)
    return directory, made


def test_a_set_is_read_as_it_was_written(written):
    directory, made = written
    assert read_set(directory) == made
    record = made.record(directory)
    assert (record.grade, record.scale_error, record.path) == ("usable", 0.03, str(directory))


def test_one_that_lacks_a_table_is_not_whole(written):
    directory, _ = written
    (directory / table_name("B")).rmdir()
    with pytest.raises(CalibrationError, match="lacks its tables B"):
        read_set(directory)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}'])
def test_what_is_no_set_is_said_to_be_none(written, text):
    directory, _ = written
    (directory / CALIBRATION_NAME).write_text(text)
    with pytest.raises(CalibrationError, match="not a calibration set"):
        read_set(directory)


def test_a_set_without_a_state_is_refused(written):
    directory, _ = written
    values = json.loads((directory / CALIBRATION_NAME).read_text())
    del values["state"]["antenna_order"]
    (directory / CALIBRATION_NAME).write_text(json.dumps(values))
    with pytest.raises(CalibrationError, match="antenna_order"):
        read_set(directory)
