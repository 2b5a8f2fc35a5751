"""What systemd is told, and the unit that it is given."""

import configparser
import socket
from pathlib import Path

from dsa110_contimg.pipeline.daemon import DRAIN_S, EXIT_DRAINED
from dsa110_contimg.pipeline.systemd import notify
from stream_daemon import Stream

UNIT = Path(__file__).parents[2] / "deploy" / "dsa110-contimg-stream.service"


def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(UNIT.read_text())
    return parser["Service"]


def test_a_daemon_says_that_it_is_ready_alive_and_stopping(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        stream = Stream(tmp_path / "run")
        environment = stream.environment
        stream.environment = lambda: environment() | {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        with stream:
            assert systemd.recv(1000) == b"READY=1"
            assert systemd.recv(1000) == b"WATCHDOG=1\nSTATUS=0 jobs under way"
        said = [systemd.recv(1000)]
        while said[-1] != b"STOPPING=1":
            said.append(systemd.recv(1000))


def test_where_there_is_no_systemd_nobody_is_told(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify(READY=1)
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    notify(READY=1)


def test_the_unit_restarts_it_but_not_once_it_is_drained():
    service = unit()
    assert service["Type"] == "notify"
    assert service["Restart"] == "always"
    assert str(EXIT_DRAINED) in service["RestartPreventExitStatus"].split()
    assert str(EXIT_DRAINED) in service["SuccessExitStatus"].split()
    assert float(service["TimeoutStopSec"]) > DRAIN_S
    assert int(service["CPUWeight"]) < 100
    assert int(service["IOWeight"]) < 100
