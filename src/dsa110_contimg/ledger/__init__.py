"""What the pipeline remembers: subband files seen, groups, attempts, products, decisions, events.

One SQLite file on a local disk. `open_ledger` gives a `Ledger`, whose methods are all there is to ask and to write::

    with open_ledger(state / LEDGER_NAME, decisions=products / DECISIONS_NAME) as ledger, ledger.lock("stream"):
        ledger.register(groups, files)
        for gid in ledger.ready_groups(now, limit=4):
            attempt = ledger.begin_attempt(gid)
            ...
            ledger.commit_products(attempt.id, products, subbands)

A group's state is derived from what it has and what is wanted of it (`states.derive_state`), and set by nobody. The
names are imported when first used: SQLAlchemy is not needed for a help text.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.ledger.opening import open_ledger
    from dsa110_contimg.ledger.records import Attempt, Event, FileSeen, Group, GroupSeen, Product, Stage
    from dsa110_contimg.ledger.states import (
        DecisionKind,
        FailureKind,
        GroupFacts,
        GroupState,
        Wanted,
        derive_state,
    )

_HOME = {
    "Ledger": "ledger",
    "open_ledger": "opening",
    **dict.fromkeys(["Attempt", "Event", "FileSeen", "Group", "GroupSeen", "Product", "Stage"], "records"),
    **dict.fromkeys(["DecisionKind", "FailureKind", "GroupFacts", "GroupState", "Wanted", "derive_state"], "states"),
}

__all__ = [
    "Attempt",
    "DecisionKind",
    "Event",
    "FailureKind",
    "FileSeen",
    "Group",
    "GroupFacts",
    "GroupSeen",
    "GroupState",
    "Ledger",
    "Product",
    "Stage",
    "Wanted",
    "derive_state",
    "open_ledger",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
