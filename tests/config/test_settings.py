import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from dsa110_contimg.config.settings import (
    ConvertSettings,
    LoggingSettings,
    PathSettings,
    Settings,
    TelescopeSettings,
)

SECTIONS = [PathSettings, ConvertSettings, TelescopeSettings, LoggingSettings]


def test_by_default_everything_stays_under_one_directory():
    paths = PathSettings().model_dump()
    assert paths.pop("scratch") is None
    assert paths.pop("cache") is None
    assert {path.parts[0] for path in paths.values()} == {"contimg-data"}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_documented(section):
    assert section.__doc__
    assert all(field.description for field in section.model_fields.values())


@pytest.mark.parametrize("section", SECTIONS)
def test_settings_are_frozen(section):
    name = next(iter(section.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(section(), name, None)


@pytest.mark.parametrize("text", ["meridian", "drift", "83.76,54.57", "0,-90", "359.9, +12"])
def test_phase_centres(text):
    assert ConvertSettings(phase_centre=text).phase_centre == text


@pytest.mark.parametrize("text", ["zenith", "", "83.76", "360,0", "-1,0", "1,90.1", "1,2,3", "nan,0", "0,inf"])
def test_what_is_not_a_phase_centre(text):
    with pytest.raises(ValidationError):
        ConvertSettings(phase_centre=text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_subbands": 0},
        {"min_subbands": 17},
        {"min_subbands": True},
        {"workers": 0},
        {"workers": True},
        {"tolerance_s": 0.0},
        {"tolerance_s": float("nan")},
        {"tolerance_s": True},
        {"writer": "casa"},
        {"writers": "pyuvdata"},
    ],
)
def test_wrong_values_are_refused(wrong):
    with pytest.raises(ValidationError):
        ConvertSettings(**wrong)


def test_workers_are_the_cores_unless_given():
    assert ConvertSettings().n_workers == len(os.sched_getaffinity(0))
    assert ConvertSettings(workers=3).n_workers == 3


def test_home_is_expanded_and_an_empty_path_is_refused(monkeypatch):
    monkeypatch.setenv("HOME", "/home/observer")
    assert PathSettings(ms="~/ms").ms == Path("/home/observer/ms")
    with pytest.raises(ValidationError, match="empty"):
        PathSettings(ms="")


def test_the_environment_wins(monkeypatch):
    monkeypatch.setenv("DSA110_CONTIMG_CONVERT__WORKERS", "3")
    settings = Settings(convert={"workers": 2, "min_subbands": 14})
    assert settings.convert.workers == 3
    assert settings.convert.min_subbands == 14
