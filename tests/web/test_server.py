"""What the daemon says of itself over HTTP: to systemd's neighbours, Prometheus, and people."""

import json
import time
import urllib.error
import urllib.request

import pytest

from dsa110_contimg.errors import UsageError
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.pipeline.description import AttemptResult, StageTime
from dsa110_contimg.pipeline.health import Health
from dsa110_contimg.storage.leftovers import LeftoverTotal
from dsa110_contimg.web.server import HealthServer
from ledger_groups import add_group, publish, publish_epoch


@pytest.fixture
def health():
    told = Health(workers=2, running={"2025-10-05T12:30:00": 1.0}, free_bytes={"/data": 5})
    told.leftovers = {"/data": LeftoverTotal(2, 70)}
    told.count(
        AttemptResult(None, "transient", "a mount blinked", stages=(StageTime("convert", 2.5, 100, 50),)), "transient"
    )
    return told


def ask(server, name):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/{name}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def figures(text):
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_health_is_what_the_daemon_does_and_503_when_its_loop_stands_still(tmp_path, health):
    with HealthServer(0, health, tmp_path) as server:
        code, text = ask(server, "healthz?verbose=1")
        said = json.loads(text)
        assert (code, said["workers"], said["running"]) == (200, 2, ["2025-10-05T12:30:00"])
        assert said["leftovers"] == {"/data": {"files": 2, "bytes": 70}}
        health.beat = time.monotonic() - 60
        assert ask(server, "healthz")[0] == 503
        code, text = ask(server, "anything")
        assert code == 404
        assert "/metrics" in text


def test_metrics_with_and_without_a_ledger(tmp_path, health):
    with HealthServer(0, health, tmp_path) as server:
        found = figures(ask(server, "metrics")[1])
        assert float(found["dsa110_contimg_workers"]) == 2
        assert float(found['dsa110_contimg_failures_total{kind="transient"}']) == 1
        assert float(found['dsa110_contimg_stage_seconds_total{stage="convert"}']) == 2.5
        assert float(found['dsa110_contimg_free_bytes{place="/data"}']) == 5
        assert float(found['dsa110_contimg_fuse_leftover_files{place="/data"}']) == 2
        assert float(found['dsa110_contimg_fuse_leftover_bytes{place="/data"}']) == 70
        assert not any("lag" in name for name in found)
        with open_ledger(tmp_path / "ledger.sqlite") as ledger:
            publish(ledger, add_group(ledger))
        found = figures(ask(server, "metrics")[1])
        assert float(found['dsa110_contimg_groups{state="done"}']) == 1
        assert float(found["dsa110_contimg_lag_seconds"]) > 0
        assert not any("epochs{" in name for name in found)
        with open_ledger(tmp_path / "ledger.sqlite") as ledger:
            publish_epoch(ledger)
        found = figures(ask(server, "metrics")[1])
        assert float(found['dsa110_contimg_epochs{state="done"}']) == 1
        assert float(found["dsa110_contimg_epochs_unkept"]) == 1


def test_a_ledger_that_cannot_be_read_is_said_to_be_so(tmp_path, health):
    (tmp_path / "ledger.sqlite").write_bytes(b"something else" * 500)
    with HealthServer(0, health, tmp_path) as server:
        code, text = ask(server, "metrics")
    assert code == 503
    assert "the ledger cannot be read" in text


def test_a_port_that_is_taken(tmp_path, health):
    with HealthServer(0, health, tmp_path) as server, pytest.raises(UsageError, match="http_port"):
        HealthServer(server.port, health, tmp_path).__enter__()
