"""What the lookout is told; apart from it, since the daemon loads none of what the lookout needs."""

from typing import NamedTuple


class Orders(NamedTuple):
    """What a lookout is told."""

    directory: str
    ledger: str
    settle_s: float
    poll: bool
    poll_s: float
    since: str | None
    until: str | None
    tolerance_s: float
    min_subbands: int
