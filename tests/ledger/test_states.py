"""The derivation of states: its laws, and that SQL says the same."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.ledger import FailureKind, GroupFacts, GroupState, Wanted, derive_state
from dsa110_contimg.ledger.schema import groups, metadata
from dsa110_contimg.ledger.state_sql import FACTS, count_bits, facts_of, state_case
from dsa110_contimg.ledger.states import ALL_SUBBANDS, TRANSIENT_RETRIES
from ledger_groups import AFTER, DEADLINE, SEEN

MASKS = st.one_of(st.just(ALL_SUBBANDS), st.integers(0, ALL_SUBBANDS))
NOWS = st.sampled_from([SEEN, DEADLINE - timedelta(microseconds=1), DEADLINE, AFTER])
FACT = st.builds(
    GroupFacts,
    wanted=st.sampled_from(Wanted),
    deadline_utc=st.just(DEADLINE),
    min_subbands=st.integers(1, 16),
    subbands=MASKS,
    running=st.booleans(),
    published=st.none() | MASKS,
    last_failure=st.none() | st.sampled_from(FailureKind),
    n_transient=st.integers(0, TRANSIENT_RETRIES + 2),
)
FRESH = GroupFacts(Wanted.PRODUCTS, DEADLINE, 12)


@given(FACT, NOWS)
def test_a_decision_wins(facts, now):
    assert derive_state(replace(facts, wanted=Wanted.NOTHING), now) is GroupState.IGNORED
    assert derive_state(replace(facts, wanted=Wanted.QUARANTINED), now) is GroupState.QUARANTINED


@given(FACT, NOWS)
def test_time_only_ends_collecting(facts, now):
    before, after = derive_state(facts, now), derive_state(facts, now + timedelta(days=400))
    assert before is after or before is GroupState.COLLECTING
    assert after is not GroupState.COLLECTING


@given(FACT, NOWS, st.integers(0, 15))
def test_a_further_subband_never_makes_it_worse(facts, now, subband):
    order = [GroupState.QUARANTINED, GroupState.COLLECTING, GroupState.READY]
    before = derive_state(facts, now)
    after = derive_state(replace(facts, subbands=facts.subbands | 1 << subband), now)
    assert after is before or order.index(after) > order.index(before)


@given(FACT, NOWS)
def test_what_is_published_is_done_or_partial_whatever_failed(facts, now):
    facts = replace(facts, wanted=Wanted.PRODUCTS, running=False)
    state = derive_state(facts, now)
    if facts.published is None:
        assert state not in {GroupState.DONE, GroupState.PARTIAL}
    else:
        assert (state is GroupState.DONE) == (facts.published == ALL_SUBBANDS)
        assert state in {GroupState.DONE, GroupState.PARTIAL}


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (FRESH, GroupState.QUARANTINED),
        (replace(FRESH, subbands=0x7FF), GroupState.QUARANTINED),  # eleven
        (replace(FRESH, subbands=0xFFF), GroupState.READY),
        (replace(FRESH, subbands=0xFFF, running=True), GroupState.RUNNING),
        (replace(FRESH, subbands=0xFFF, last_failure=FailureKind.BUG), GroupState.FAILED),
        (replace(FRESH, subbands=0xFFF, last_failure=FailureKind.BAD_DATA), GroupState.QUARANTINED),
        (replace(FRESH, subbands=0xFFF, last_failure=FailureKind.RESOURCE, n_transient=3), GroupState.READY),
        (replace(FRESH, subbands=0xFFF, last_failure=FailureKind.TRANSIENT, n_transient=3), GroupState.READY),
        (replace(FRESH, subbands=0xFFF, last_failure=FailureKind.TRANSIENT, n_transient=4), GroupState.FAILED),
    ],
)
def test_states_after_the_deadline(facts, state):
    assert derive_state(facts, DEADLINE) is state


def test_before_the_deadline_only_all_subbands_will_do():
    before = DEADLINE - timedelta(microseconds=1)
    assert derive_state(replace(FRESH, subbands=0xFFF), before) is GroupState.COLLECTING
    assert derive_state(replace(FRESH, subbands=ALL_SUBBANDS), before) is GroupState.READY


@pytest.fixture(scope="module")
def memory():
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield connection
    engine.dispose()


@given(facts=FACT, now=NOWS)
def test_sql_says_the_same(memory, facts, now):
    memory.execute(groups.delete())
    memory.execute(
        groups.insert().values(
            id="2025-10-05T12:30:00",
            start_mjd=60953.5,
            first_seen_utc=SEEN,
            deadline_utc=facts.deadline_utc,
            wanted=facts.wanted.value,
            min_subbands=facts.min_subbands,
            subbands=facts.subbands,
            current_attempt=7 if facts.running else None,
            published=facts.published,
            last_failure=facts.last_failure,
            n_transient=facts.n_transient,
        )
    )
    row = memory.execute(sa.select(*FACTS, state_case(now).label("state"), count_bits(groups.c.subbands))).one()
    assert facts_of(row) == facts
    assert GroupState(row.state) is derive_state(facts, now)
    assert row[-1] == facts.subbands.bit_count()
