import json
import logging
from pathlib import Path

import pytest

from dsa110_contimg.cli.context import Session, emit_json
from dsa110_contimg.errors import SettingsError


def test_options_win_over_the_settings_for_logging(in_tmp, capsys):
    (in_tmp / "contimg.toml").write_text("[logging]\nlevel = 'error'\nformat = 'json'\n")
    Session(log_level="debug").start_logging()
    logging.getLogger("dsa110_contimg.x").debug("hello")
    assert json.loads(capsys.readouterr().err)["message"] == "hello"
    session = Session()
    session.start_logging()
    assert session.log_json
    assert not logging.getLogger("dsa110_contimg.x").isEnabledFor(logging.WARNING)


def test_settings_are_read_once_and_when_asked(in_tmp):
    session = Session(Path("late.toml"))
    (in_tmp / "late.toml").write_text("convert.workers = 3")
    assert session.settings.convert.workers == 3
    (in_tmp / "late.toml").unlink()
    assert session.settings.convert.workers == 3
    with pytest.raises(SettingsError):
        Session(Path("late.toml")).settings  # noqa: B018


def test_progress_goes_to_stderr(capsys):
    Session().console.print("half")
    assert capsys.readouterr() == ("", "half\n")


def test_json_goes_to_stdout(capsys):
    emit_json({"path": Path("/é"), "rms": float("nan")})
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == ({"path": "/é", "rms": None}, "")
