"""Publishing an epoch, and what to make of attempts at epochs whose daemon died.

It goes as with groups (`commit`): renamed first, recorded next. That it has become part of the light curves is noted
after that, and until then it is seen to at every start.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from dsa110_contimg.errors import StaleAttemptError
from dsa110_contimg.ledger.epoch_attempts import EpochCommit
from dsa110_contimg.ledger.records import Product, Stage
from dsa110_contimg.naming import partial_name
from dsa110_contimg.pipeline.commit import publish_products, was_whole

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.ledger.epoch_states import EpochState
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.ledger.records import Attempt
    from dsa110_contimg.pipeline.description import Manifest


def commit_epoch(ledger: Ledger, attempt: Attempt, manifest: Manifest, output: Path) -> EpochState:
    """Give the directory of an epoch its final name, and record it; give the epoch's state.

    Errors are those of `commit.commit`.
    """
    if not ledger.is_current_at_epoch(attempt.id):
        raise StaleAttemptError(f"attempt {attempt.number} at {attempt.group_id} is no longer wanted")
    publish_products(attempt, manifest, output)
    stages = [Stage(*stage) for stage in manifest.stages]
    state = ledger.commit_epoch(attempt.id, made_of(manifest, output), stages=stages)
    shutil.rmtree(output / partial_name(attempt.group_id, attempt.id), ignore_errors=True)
    return state


def made_of(manifest: Manifest, output: Path) -> EpochCommit:
    """Say what the ledger is to know of an epoch, by its manifest.

    Raises
    ------
    KeyError, ValueError
        The manifest is not an epoch's.
    """
    (made,) = manifest.products
    product = Product(output / made.name, made.kind, made.checksum, made.size_bytes)
    return EpochCommit(product, manifest.inputs, manifest.facts["verdict"], manifest.facts)


def recover_epochs(ledger: Ledger, output: Path) -> None:
    """End the attempts at epochs that a daemon left when it died: what is whole is committed, the rest runs again."""
    for attempt in ledger.current_epoch_attempts():
        if not was_whole(attempt, output, lambda made, it=attempt: commit_epoch(ledger, it, made, output)):  # type: ignore[misc]
            ledger.end_epoch_attempt(attempt.id, None, "interrupted: the daemon died")
