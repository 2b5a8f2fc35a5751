"""Publishing what an attempt made, and what to make of attempts whose daemon died.

Products are renamed first and recorded next, in one transaction. A daemon that dies between the two leaves the manifest
in the partial directory; the next one goes on from there.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.errors import ContimgError, StaleAttemptError
from dsa110_contimg.ledger.records import Product, Stage
from dsa110_contimg.naming import compact, partial_name
from dsa110_contimg.pipeline.calibration_records import register_made
from dsa110_contimg.pipeline.description import MANIFEST_NAME, Manifest
from dsa110_contimg.storage.checksums import tree_checksum
from dsa110_contimg.storage.files import output_errors, sync_directory
from dsa110_contimg.storage.publish import clear_dead_partials, publish

if TYPE_CHECKING:
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.ledger.records import Attempt
    from dsa110_contimg.ledger.states import GroupState

log = logging.getLogger(__name__)

MANIFESTS = "manifests"
"""Directory beside the products with one manifest a group, from which a ledger can be rebuilt."""


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
    partial = output / partial_name(attempt.group_id, attempt.id)
    for product in manifest.products:
        if (partial / product.name).exists():
            publish(partial / product.name, output / product.name, replace=attempt.replaces)
    keep_manifest(manifest, output)
    register_made(ledger, manifest, output)
    state = ledger.commit_products(
        attempt.id,
        [Product(output / made.name, made.kind, made.checksum, made.size_bytes) for made in manifest.products],
        manifest.subbands,
        stages=[Stage(*stage) for stage in manifest.stages],
        set_aside={Path(item.path): (item.outcome, item.reason) for item in manifest.set_aside},
    )
    shutil.rmtree(partial, ignore_errors=True)
    return state


def manifest_path(group: str, output: Path) -> Path:
    """Name the manifest of a group's products."""
    return output / MANIFESTS / f"{compact(group)}.json"


def keep_manifest(manifest: Manifest, output: Path) -> None:
    """Write a manifest beside the products, whole or not at all."""
    path = manifest_path(manifest.group, output)
    with output_errors(path):
        path.parent.mkdir(exist_ok=True)
        written = path.with_name(f".{path.name}.new")
        with written.open("w") as file:
            file.write(json.dumps(manifest.as_dict(), indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        written.rename(path)
        sync_directory(path.parent)


def recover(ledger: Ledger, output: Path, scratch: Path | None) -> None:
    """End the attempts that a daemon left when it died, and clear what is left of them.

    One whose products are whole is committed; any other is interrupted, and its group runs again.
    """
    for attempt in ledger.current_attempts():
        _conclude(ledger, attempt, output)
    for directory in {output, scratch or output}:
        clear_dead_partials(directory)


def discard(attempt: Attempt, output: Path, scratch: Path | None) -> None:
    """Remove what an attempt that failed has left, once its processes are gone."""
    for directory in {output, scratch or output}:
        shutil.rmtree(directory / partial_name(attempt.group_id, attempt.id), ignore_errors=True)


def _conclude(ledger: Ledger, attempt: Attempt, output: Path) -> None:
    partial = output / partial_name(attempt.group_id, attempt.id)
    try:
        manifest = Manifest.read(partial / MANIFEST_NAME)
        if manifest.attempt_id == attempt.id and _all_there(manifest, partial, output):
            state = commit(ledger, attempt, manifest, output)
            log.info("%s: published, as the last daemon was about to (%s)", attempt.group_id, state.value)
            return
    except (OSError, KeyError, TypeError, ValueError, ContimgError) as error:
        log.debug("%s: %s", partial, error)
    ledger.end_attempt(attempt.id, None, "interrupted: the daemon died")


def _all_there(manifest: Manifest, partial: Path, output: Path) -> bool:
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
