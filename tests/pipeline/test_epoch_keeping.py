"""What is published becomes part of the light curves; what cannot is said, tried again, and keeps nobody waiting."""

import threading
import time
from pathlib import Path

import pytest

from dsa110_contimg.config.settings import LightcurveSettings, Settings
from dsa110_contimg.errors import ContimgError
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.pipeline.epoch_keeping import EpochKeeper, keep_in, tidy_up
from ledger_groups import EPOCH, publish_epoch

OTHER = "20251005T122108+16.3"


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_each_is_kept_once_and_then_it_is_tidied_up(ledger):
    kept, tidied = [], threading.Event()
    keeper = EpochKeeper(ledger, kept.append, tidied.set)
    keeper.look()
    assert (kept, tidied.is_set()) == ([], False)
    publish_epoch(ledger)
    assert keeper.busy() == {"+54.6"}
    for _ in range(3):
        keeper.look()
    assert tidied.wait(20)
    assert kept == [Path(f"/ms/{EPOCH}-epoch")]
    assert keeper.busy() == frozenset()
    keeper.stop()


def test_one_that_cannot_be_kept_stops_no_other_and_is_said(ledger):
    def keep(path):
        if EPOCH in path.name:
            raise ContimgError("the store is damaged", path=path)

    def tidy():
        raise OSError("no room")

    keeper = EpochKeeper(ledger, keep, tidy)
    publish_epoch(ledger)
    publish_epoch(ledger, OTHER, path=Path(f"/ms/{OTHER}-epoch"))
    keeper.look()
    until(lambda: ledger.epoch(OTHER).kept_utc is not None and ledger.events(kind="unkept"))
    (event,) = ledger.events(kind="unkept")
    assert event.group_id == EPOCH
    assert "the store is damaged" in event.text
    assert keeper.busy() == frozenset()  # the next hour of the strip may be made
    assert [epoch.id for epoch in ledger.unkept_epochs()] == [EPOCH]
    keeper.stop()
    after = []
    EpochKeeper(ledger, after.append, lambda: None).look()  # the next daemon
    until(lambda: ledger.epoch(EPOCH).kept_utc is not None)
    assert after == [Path(f"/ms/{EPOCH}-epoch")]


def test_one_that_stops_begins_with_no_other(ledger):
    kept, going = [], threading.Event()

    def keep(path):
        kept.append(path)
        going.wait(20)

    keeper = EpochKeeper(ledger, keep, lambda: None)
    publish_epoch(ledger)
    publish_epoch(ledger, OTHER, path=Path(f"/ms/{OTHER}-epoch"))
    keeper.look()
    until(lambda: kept)
    stopping = threading.Thread(target=keeper.stop)
    stopping.start()
    until(keeper._stopping.is_set)
    going.set()
    stopping.join(20)
    assert len(kept) == 1
    keeper.look()
    assert len(ledger.unkept_epochs()) == 1


def test_light_curves_that_are_not_there_are_nothing_to_tidy_up(tmp_path):
    settings = Settings(lightcurves=LightcurveSettings(directory=tmp_path / "lightcurves"))
    tidy_up(settings)()
    with pytest.raises(ContimgError):
        keep_in(settings)(tmp_path / f"{EPOCH}-epoch")
