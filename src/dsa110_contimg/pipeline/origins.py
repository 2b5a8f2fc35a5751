"""What a product comes from: the nodes of the tree that `provenance` draws, and where links are looked for.

Products say themselves what they were made of, by name; where these lie, they are looked for beside them, in the
directories that are given, and where the ledger has them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dsa110_contimg.ledger.epoch_states import Epoch
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.ledger.records import GroupHistory, Product


class Origin(NamedTuple):
    """A product, and what it was made of.

    Attributes
    ----------
    kind : str
        ``point``, ``measurement``, ``epoch``, ``reference``, ``mosaic``, ``images``, ``file``, ``ms``, ``flags``,
        ``calibration`` or ``subband``.
    name : str
        Of it.
    path : Path or None
        Where it is; None if that is not known.
    says : tuple of str
        What there is to know of it, for people, a line each.
    facts : dict
        The same for machines, and more.
    missing : str
        Why the way ends here, if it should not: what is not there, or cannot be read.
    again : bool
        It stands with all that it was made of elsewhere in the tree, before this.
    of : tuple of Origin
        What it was made of.
    """

    kind: str
    name: str
    path: Path | None = None
    says: tuple[str, ...] = ()
    facts: dict[str, Any] = {}  # noqa: RUF012 - never written to
    missing: str = ""
    again: bool = False
    of: tuple[Origin, ...] = ()


def walk(origin: Origin) -> Iterator[Origin]:
    """Give a node and all below it."""
    yield origin
    for one in origin.of:
        yield from walk(one)


def missing_links(origin: Origin) -> list[str]:
    """List what is missing in a tree, a line each."""
    return [f"{one.kind} {one.name}: {one.missing}" for one in walk(origin) if one.missing]


def gone(kind: str, name: str, why: str, **facts: Any) -> Origin:
    """Make the node of something that is not there."""
    return Origin(kind, name, facts=facts, missing=why)


@dataclass(frozen=True)
class Trail:
    """Where links are looked for, and what was met on the way.

    Attributes
    ----------
    directories : tuple of Path
        Where products may be.
    ledger : Ledger or None
        What the stream remembers, if it does.
    met : set of Path
        Products that are in the tree already.
    """

    directories: tuple[Path, ...] = ()
    ledger: Ledger | None = None
    met: set[Path] = field(default_factory=set)

    def first_time(self, path: Path) -> bool:
        """Whether a product was not met before; it is from now on."""
        path = path.absolute()
        known = path in self.met
        self.met.add(path)
        return not known

    def find(self, name: str, *near: Path) -> Path | None:
        """Look for a product by its name: in directories near what names it, then in all the others."""
        for directory in (*near, *self.directories):
            if (directory / name).exists():
                return (directory / name).absolute()
        return None

    def group(self, gid: str) -> GroupHistory | None:
        """Give what the ledger knows of a group, if anything."""
        try:
            return None if self.ledger is None else self.ledger.group(gid)
        except LedgerError:
            return None

    def product(self, gid: str, kind: str) -> Product | None:
        """Give the latest product of a group, as the ledger has it."""
        history = self.group(gid)
        found = [] if history is None else [one for one in history.products if one.kind == kind]
        return max(found, key=lambda one: (one.retired_utc is None, one.attempt_id or 0), default=None)

    def published(self, gid: str, path: Path) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Say which attempt published a product, as the ledger has it: lines, and facts."""
        history = self.group(gid)
        found = [] if history is None else [one for one in history.products if one.path == path]
        if history is None or not found:
            return (), {}
        product = max(found, key=lambda one: one.attempt_id or 0)
        attempt = next((one for one in history.attempts if one.id == product.attempt_id), None)
        when = "" if product.published_utc is None else f"{product.published_utc:%Y-%m-%dT%H:%M:%SZ}"
        facts: dict[str, Any] = {"published_utc": product.published_utc, "checksum": product.checksum}
        if attempt is None:
            return (f"published {when}",), facts
        facts |= {"attempt": attempt.number, "host": attempt.host, "log": attempt.log_path}
        return (f"published {when} by attempt {attempt.number} on {attempt.host or 'an unnamed host'}",), facts

    def epoch(self, name: str) -> Epoch | None:
        """Give what the ledger knows of an epoch, if anything."""
        try:
            return None if self.ledger is None else self.ledger.epoch(name)
        except LedgerError:
            return None

    def places(self) -> str:
        """Name the directories, for a message."""
        return ", ".join(map(str, self.directories)) or "nowhere"


def read_json(path: Path) -> tuple[dict[str, Any], str]:
    """Read a record: what it says, or nothing and why not."""
    try:
        said = json.loads(path.read_text())
    except FileNotFoundError:
        return {}, f"its record {path.name} is not there"
    except (OSError, ValueError) as error:
        return {}, f"its record {path.name} cannot be read ({error})"
    return (said, "") if isinstance(said, dict) else ({}, f"its record {path.name} is no record of ours")
