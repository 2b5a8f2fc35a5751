"""Names on the scratch disk and in the state directory."""

import re
from enum import StrEnum

from dsa110_contimg.errors import NamingError

LEDGER_NAME = "ledger.sqlite"
"""The ledger, in the state directory."""
DECISIONS_NAME = "decisions.jsonl"
"""The operators' decisions, beside the products."""
DAEMON_NAME = "daemon.json"
"""What the daemon says of itself every two seconds, in the state directory."""
SCRATCH_RECORDS_NAME = ".scratch-records"
"""The directory on the scratch disk that says what is staged."""
_STAGING_KEY = re.compile(r"[0-9a-f]{16}")
_STAGING = re.compile(r"\.scratch-(?P<step>[a-z]+)-(?P<key>[0-9a-f]{16})")


class StagingStep(StrEnum):
    """What a hidden entry beside a staged or archived product is."""

    COPYING = "copying"  # a copy that is not whole yet; a later one goes on with it
    CLEANING = "cleaning"  # a staged copy that is being looked at for the last time
    CLEANED = "cleaned"  # one that is being removed
    REPLACED = "replaced"  # what had the name before, where two names cannot be exchanged


def staging_name(step: StagingStep | str, key: str) -> str:
    """Name a hidden entry of staging, by the key of the product: ``.scratch-copying-0123456789abcdef``."""
    if _STAGING_KEY.fullmatch(key) is None:
        raise NamingError(f"{key!r} is not the key of a staged product")
    return f".scratch-{StagingStep(step)}-{key}"


def parse_staging_name(name: str) -> tuple[StagingStep, str]:
    """Undo `staging_name`."""
    match = _STAGING.fullmatch(name)
    if match is None or match["step"] not in set(StagingStep):
        raise NamingError(f"{name!r} does not name an entry of staging")
    return StagingStep(match["step"]), match["key"]
