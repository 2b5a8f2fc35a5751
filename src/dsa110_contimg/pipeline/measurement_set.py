"""What the stages of a job add to what its Measurement Set says of itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dsa110_contimg.naming import PROVENANCE_NAME

if TYPE_CHECKING:
    from pathlib import Path


def facts_of(ms: Path) -> dict[str, Any]:
    """Read what a Measurement Set says of itself; nothing if it says nothing.

    Raises
    ------
    OSError, ValueError
        It cannot be read.
    """
    try:
        text = (ms / PROVENANCE_NAME).read_text()
    except FileNotFoundError:
        return {}
    facts: dict[str, Any] = json.loads(text)
    return facts


def add_facts(ms: Path, facts: dict[str, Any]) -> None:
    """Add to what a Measurement Set that is not yet published says of itself."""
    (ms / PROVENANCE_NAME).write_text(json.dumps(facts_of(ms) | facts, indent=1) + "\n")
