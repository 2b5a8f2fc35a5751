"""The page of epochs, as a browser gets it."""

import urllib.error
import urllib.request

import pytest

from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.naming import epoch_directory_name, preview_name
from dsa110_contimg.pipeline.health import Health
from dsa110_contimg.web.server import HealthServer
from ledger_groups import EPOCH, add_group, publish_epoch


@pytest.fixture
def server(tmp_path):
    with HealthServer(0, Health(workers=1), tmp_path, tmp_path / "ms") as made:
        yield made


def ask(server, name):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{name}", timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, "", error.read()


def test_without_epochs_it_says_so(server):
    code, kind, page = ask(server, "/epochs")
    assert (code, kind) == (200, "text/html; charset=utf-8")
    assert b"No epoch has been made yet" in page


def test_an_epoch_has_its_verdict_and_picture(server, tmp_path):
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        add_group(ledger, 0)
        publish_epoch(ledger)
    directory = tmp_path / "ms" / epoch_directory_name(EPOCH)
    directory.mkdir(parents=True)
    (directory / preview_name(EPOCH)).write_bytes(b"a picture")
    page = ask(server, "/epochs")[2].decode()
    assert EPOCH in page
    assert f'src="/epochs/{EPOCH}.png"' in page
    assert ask(server, f"/epochs/{EPOCH}.png") == (200, "image/png", b"a picture")


@pytest.mark.parametrize("name", ["/epochs/../ledger.sqlite", "/epochs/%2e%2e%2fledger.sqlite", f"/epochs/{EPOCH}.png"])
def test_nothing_else_is_given_away(server, tmp_path, name):
    (tmp_path / "ledger.sqlite").write_bytes(b"secret")
    code, _, text = ask(server, name)
    assert code == 404
    assert b"secret" not in text
