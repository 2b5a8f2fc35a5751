"""The ledger against a model of its rules, through random histories: one current attempt, one commit, decisions win."""

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dsa110_contimg.errors import AttemptRunningError, GroupStateError, StaleAttemptError
from dsa110_contimg.ledger import DecisionKind, FailureKind, GroupState, Wanted, derive_state, open_ledger
from dsa110_contimg.ledger.records import subbands_of
from dsa110_contimg.ledger.states import ALL_SUBBANDS, TRANSIENT_RETRIES
from dsa110_contimg.ledger.summary import summarize
from ledger_groups import AFTER, SEEN, add_group, file, product

GROUPS = st.sampled_from([0, 1])


class Model:
    """What should be true of a group, written down without SQL."""

    def __init__(self, gid):
        self.gid, self.wanted, self.subbands = gid, Wanted.PRODUCTS, 0
        self.current = self.published = self.standing = self.failure = None
        self.transient, self.redone, self.all = 0, False, []

    def state(self, now):
        if self.wanted is Wanted.NOTHING:
            return GroupState.IGNORED
        if self.wanted is Wanted.QUARANTINED:
            return GroupState.QUARANTINED
        if self.current is not None:
            return GroupState.RUNNING
        if self.published is not None:
            return GroupState.DONE if self.published == ALL_SUBBANDS else GroupState.PARTIAL
        if self.failure is FailureKind.BAD_DATA:
            return GroupState.QUARANTINED
        if self.failure is FailureKind.BUG or self.transient > TRANSIENT_RETRIES:
            return GroupState.FAILED
        if self.subbands == ALL_SUBBANDS:
            return GroupState.READY
        if now < AFTER - timedelta(seconds=1):
            return GroupState.COLLECTING
        return GroupState.READY if self.subbands.bit_count() >= 12 else GroupState.QUARANTINED

    def afresh(self):
        self.published = self.standing = self.failure = None
        self.transient = 0


class Histories(RuleBasedStateMachine):
    """Everything that daemons, jobs, files and operators may do to two groups, in any order."""

    @initialize()
    def begin(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "ledger.sqlite"
        self.ledger = open_ledger(self.path)
        self.models = [Model(add_group(self.ledger, i, [])) for i in range(2)]
        self.now = SEEN

    def teardown(self):
        if hasattr(self, "ledger"):
            self.ledger.close()
            self.directory.cleanup()

    @rule()
    def pass_the_deadline(self):
        self.now = max(self.now, AFTER) + timedelta(minutes=10)

    @rule()
    def reopen(self):
        self.ledger.close()
        self.ledger = open_ledger(self.path, create=False)

    @rule(i=GROUPS, subbands=st.sets(st.integers(0, 15)) | st.just(set(range(16))))
    def files_arrive(self, i, subbands):
        self.ledger.add_files([file(subband, i) for subband in subbands])
        for subband in subbands:
            self.models[i].subbands |= 1 << subband

    @rule(i=GROUPS)
    def begin_attempt(self, i):
        model = self.models[i]
        if model.current is not None:
            with pytest.raises(AttemptRunningError):
                self.ledger.begin_attempt(model.gid, now=self.now)
        elif model.state(self.now) is not GroupState.READY:
            with pytest.raises(GroupStateError):
                self.ledger.begin_attempt(model.gid, now=self.now)
        else:
            attempt = self.ledger.begin_attempt(model.gid, now=self.now)
            model.current = (attempt.id, model.subbands)
            model.all.append(attempt.id)
            assert attempt.number == len(model.all)

    @rule(i=GROUPS)
    def commit(self, i):
        model = self.models[i]
        if model.current is None:
            for old in model.all[-2:]:
                with pytest.raises(StaleAttemptError):
                    self.ledger.commit_products(old, [product(model.gid)], range(16))
            return
        attempt_id, used = model.current
        assert self.ledger.is_current(attempt_id) == (model.wanted is Wanted.PRODUCTS)
        if model.wanted is not Wanted.PRODUCTS:
            with pytest.raises(StaleAttemptError):
                self.ledger.commit_products(attempt_id, [product(model.gid)], subbands_of(used))
        else:
            self.ledger.commit_products(attempt_id, [product(model.gid)], subbands_of(used), now=self.now)
            model.afresh()
            model.current, model.published = None, used

    @rule(i=GROUPS, kind=st.none() | st.sampled_from(FailureKind))
    def end(self, i, kind):
        model = self.models[i]
        if model.current is None:
            return
        attempt_id, model.current = model.current[0], None
        model.failure = kind or model.failure
        model.transient += kind is FailureKind.TRANSIENT
        given_up = model.state(self.now) in {GroupState.FAILED, GroupState.QUARANTINED}
        if model.standing is not None and model.wanted is Wanted.PRODUCTS and given_up:
            model.published, model.standing = model.standing, None
        assert self.ledger.end_attempt(attempt_id, kind, "why", now=self.now) is model.state(self.now)

    @rule(i=GROUPS, what=st.sampled_from(DecisionKind))
    def decide(self, i, what):
        model = self.models[i]
        if what is DecisionKind.RETRY:
            if model.current is not None and model.wanted is Wanted.PRODUCTS:
                with pytest.raises(AttemptRunningError):
                    self.ledger.decide(model.gid, what, "me", "why")
                return
            model.afresh()
            model.wanted = Wanted.PRODUCTS
        else:
            model.wanted = Wanted.QUARANTINED if what is DecisionKind.QUARANTINE else Wanted.NOTHING
        assert self.ledger.decide(model.gid, what, "me", "why", now=self.now) is model.state(self.now)

    @rule(i=GROUPS)
    def redo(self, i):
        model = self.models[i]
        may = (
            not model.redone
            and model.published is not None
            and model.current is None
            and model.wanted is Wanted.PRODUCTS
            and model.subbands & ~model.published != 0
        )
        assert (model.gid in self.ledger.late_groups()) == may
        assert self.ledger.request_redo(model.gid) == may
        if may:
            model.redone, standing = True, model.published
            model.afresh()
            model.standing = standing

    @invariant()
    def the_ledger_agrees(self):
        if not hasattr(self, "ledger"):
            return
        assert self.ledger.inconsistencies() == []
        current = {attempt.id for attempt in self.ledger.current_attempts()}
        assert current == {model.current[0] for model in self.models if model.current}
        states = [model.state(self.now) for model in self.models]
        counts = self.ledger.counts_by_state(self.now)
        assert counts == {state: states.count(state) for state in GroupState}
        assert summarize(self.path, self.now).groups == counts
        for model, state in zip(self.models, states, strict=True):
            history = self.ledger.group(model.gid, self.now)
            assert history.group.state is state is derive_state(history.facts, self.now)
            live = [item for item in history.products if item.retired_utc is None]
            assert len(live) <= 1
            commits = [item for item in history.attempts if item.committed]
            assert len({item.attempt_id for item in history.products}) == len(commits)


Histories.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestHistories = Histories.TestCase
