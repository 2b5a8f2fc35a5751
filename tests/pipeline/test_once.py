"""`run_once`: every group of a directory, once; what is done stays, what failed is tried again."""

import pytest

from dsa110_contimg.config.settings import Settings
from dsa110_contimg.errors import LedgerLockedError, NoGroupsError, UsageError
from dsa110_contimg.ledger import DecisionKind, GroupState, open_ledger
from dsa110_contimg.naming import LEDGER_NAME
from dsa110_contimg.pipeline.once import run_once
from stream_daemon import id_of, ms_of, time_of, unchanged
from subband_files import write_group


@pytest.fixture
def settings(tmp_path):
    return Settings(
        paths={"input": tmp_path / "in", "ms": tmp_path / "out", "state": tmp_path / "state", "qa": tmp_path / "qa"},
        stream={"stages": ["convert"], "reserve_gb": 0, "workers": 2},
    )


def test_all_groups_once_and_what_failed_again(settings, tmp_path):
    incoming = tmp_path / "in"
    files = {number: write_group(incoming, time_of(number)) for number in range(2)}
    few = write_group(incoming, time_of(2), subbands=range(4))
    with unchanged(incoming):
        outcomes = run_once(settings)
    assert [outcome.group for outcome in outcomes] == [id_of(number) for number in range(3)]
    assert [outcome.state for outcome in outcomes] == [GroupState.DONE, GroupState.DONE, GroupState.QUARANTINED]
    assert [outcome.failed for outcome in outcomes] == [False, False, True]
    assert outcomes[0].products == (tmp_path / "out" / ms_of(0),)
    assert "only 4 good subbands" in outcomes[2].reason
    assert len(files) == 2
    assert len(few) == 4
    # The rest of the third comes; an operator wants nothing of the second.
    write_group(incoming, time_of(2), subbands=range(4, 16))
    with open_ledger(tmp_path / "state" / LEDGER_NAME) as ledger:
        ledger.decide(id_of(1), DecisionKind.IGNORE, "me", "rain")
    again = run_once(settings)
    assert [outcome.state for outcome in again] == [GroupState.DONE, GroupState.IGNORED, GroupState.DONE]
    with open_ledger(tmp_path / "state" / LEDGER_NAME) as ledger:
        assert [len(ledger.group(id_of(number)).attempts) for number in range(3)] == [1, 1, 1]


def test_only_the_groups_of_a_range(settings, tmp_path):
    for number in range(2):
        write_group(tmp_path / "in", time_of(number))
    (outcome,) = run_once(settings, since=time_of(1))
    assert outcome.group == id_of(1)
    with pytest.raises(NoGroupsError):
        run_once(settings, since=time_of(7))


def test_it_is_alone_with_its_ledger_and_knows_its_stages(settings, tmp_path):
    write_group(tmp_path / "in", time_of(0))
    ledger = open_ledger(tmp_path / "state" / LEDGER_NAME)
    with ledger, ledger.lock("stream"), pytest.raises(LedgerLockedError):
        run_once(settings)
    wrong = settings.model_copy(update={"stream": settings.stream.model_copy(update={"stages": ("paint",)})})
    with pytest.raises(UsageError, match="paint"):
        run_once(wrong)
