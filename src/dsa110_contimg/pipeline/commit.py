"""Publishing what an attempt made, and what to make of attempts whose daemon died.

Products are renamed first and recorded next, in one transaction. A daemon that dies between the two leaves the manifest
in the partial directory; the next one goes on from there.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.errors import ContimgError, LedgerPlaceError, OutputError, StaleAttemptError
from dsa110_contimg.ledger.records import Product, Stage
from dsa110_contimg.naming import in_paths, partial_name
from dsa110_contimg.pipeline.calibration_records import register_made
from dsa110_contimg.pipeline.description import MANIFEST_NAME, Manifest
from dsa110_contimg.storage.checksums import tree_checksum
from dsa110_contimg.storage.files import output_errors, sync_directory
from dsa110_contimg.storage.publish import find_partials, publish, remove_dead

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.ledger.records import Attempt
    from dsa110_contimg.ledger.states import GroupState

log = logging.getLogger(__name__)

_DYING_S = 5.0

MANIFESTS = "manifests"
"""Directory beside the products with one manifest a group or epoch, from which a ledger can be rebuilt."""


def commit(ledger: Ledger, attempt: Attempt, manifest: Manifest, output: Path) -> GroupState:
    """Give the products of an attempt their final names, and record them; give the group's state.

    Raises
    ------
    StaleAttemptError
        It is no longer the current one of its group, or nothing is wanted of that: nothing is published.
    OutputExistsError
        Something is there that the ledger does not know.
    OutputError
        The place cannot be written.
    """
    if not ledger.is_current(attempt.id):
        raise StaleAttemptError(f"attempt {attempt.number} at {attempt.group_id} is no longer wanted")
    publish_products(attempt, manifest, output)
    register_made(ledger, manifest, output)
    state = ledger.commit_products(
        attempt.id,
        [Product(output / made.name, made.kind, made.checksum, made.size_bytes) for made in manifest.products],
        manifest.subbands,
        stages=[Stage(*stage) for stage in manifest.stages],
        set_aside={Path(item.path): (item.outcome, item.reason) for item in manifest.set_aside},
    )
    shutil.rmtree(output / partial_name(attempt.group_id, attempt.id), ignore_errors=True)
    return state


def publish_products(attempt: Attempt, manifest: Manifest, output: Path) -> None:
    """Give the products of an attempt their final names; to do so again, after a kill, goes on where that was.

    Raises
    ------
    OutputExistsError
        Something is there that the ledger does not know.
    OutputError
        The place cannot be written.
    """
    partial = output / partial_name(attempt.group_id, attempt.id)
    kept = _write_manifest(manifest, output)  # first: what follows are renamings, for which a full disk has room
    for product in manifest.products:
        made, final = partial / product.name, output / product.name
        if made.exists():
            publish(made, final, replace=attempt.replaces)
        elif not final.exists():
            raise OutputError("was made, and is gone", path=made, remedy="Look after the disk of the products.")
    with output_errors(kept):
        kept.rename(manifest_path(manifest.group, output))
        sync_directory(kept.parent)


def manifest_path(unit: str, output: Path) -> Path:
    """Name the manifest of the products of a group, or of an epoch."""
    return output / MANIFESTS / f"{in_paths(unit)}.json"


def _write_manifest(manifest: Manifest, output: Path) -> Path:
    """Write a manifest beside where it belongs, and give where."""
    path = manifest_path(manifest.group, output)
    written = path.with_name(f".{path.name}.new")
    with output_errors(written):
        path.parent.mkdir(exist_ok=True)
        with written.open("w") as file:
            file.write(json.dumps(manifest.as_dict(), indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
    return written


def recover(ledger: Ledger, output: Path, scratch: Path | None) -> None:
    """End the attempts that a daemon left when it died, and clear what is left of them.

    One whose products are whole is committed; any other is interrupted, and its group runs again.
    """
    for attempt in ledger.current_attempts():
        _conclude(ledger, attempt, output)
    end = time.monotonic() + _DYING_S
    while clear_left_over(ledger, output, scratch) and time.monotonic() < end:
        time.sleep(0.1)


def clear_left_over(ledger: Ledger, output: Path, scratch: Path | None) -> list[Path]:
    """Remove the partial directories of attempts that have ended and of commands that died; give those still in use.

    A job outlives its daemon by a moment, and one on another machine for longer.
    """
    found = [path for directory in {output, scratch or output} for path in find_partials(directory)]
    # Asked after the directory was listed: whatever is there belongs to one of these, or is over.
    current = current_partials(ledger)
    over = [path for path in found if path.name not in current]
    removed = remove_dead(over)
    return [path for path in over if path not in removed and path.exists()]


def current_partials(ledger: Ledger) -> frozenset[str]:
    """Name the partial directories of the attempts that are under way, at groups and at epochs."""
    attempts = (*ledger.current_attempts(), *ledger.current_epoch_attempts())
    return frozenset(partial_name(attempt.group_id, attempt.id) for attempt in attempts)


def discard(attempt: Attempt, output: Path, scratch: Path | None) -> None:
    """Remove what an attempt that failed has left, once its processes are gone."""
    for directory in {output, scratch or output}:
        shutil.rmtree(directory / partial_name(attempt.group_id, attempt.id), ignore_errors=True)


def _conclude(ledger: Ledger, attempt: Attempt, output: Path) -> None:
    if not was_whole(attempt, output, lambda manifest: commit(ledger, attempt, manifest, output)):
        ledger.end_attempt(attempt.id, None, "interrupted: the daemon died")


def was_whole(attempt: Attempt, output: Path, publish: Callable[[Manifest], StrEnum]) -> bool:
    """Publish what an attempt has left whose daemon died, if it is whole; say whether it was.

    Raises
    ------
    LedgerPlaceError
        The ledger cannot be written; what is in its place by then is recorded when it can be again.
    """
    partial = output / partial_name(attempt.group_id, attempt.id)
    try:
        manifest = Manifest.read(partial / MANIFEST_NAME)
        if manifest.attempt_id == attempt.id and all_there(manifest, partial, output):
            state = publish(manifest)
            log.info("%s: published, as the last daemon was about to (%s)", attempt.group_id, state.value)
            return True
    except LedgerPlaceError:
        raise
    except (OSError, KeyError, TypeError, ValueError, ContimgError) as error:
        log.debug("%s: %s", partial, error)
    return False


def all_there(manifest: Manifest, partial: Path, output: Path) -> bool:
    """Whether each product is either still in the partial directory, or under its final name already.

    After an exchange the former product lies in the partial directory, under the same name: so sums decide.
    """
    for product in manifest.products:
        final, before = output / product.name, partial / product.name
        if final.exists() and tree_checksum(final).checksum == product.checksum:
            shutil.rmtree(before, ignore_errors=True)
        elif not before.exists() or tree_checksum(before).checksum != product.checksum:
            return False
    return True
