"""What a writer found out while it wrote, and the judgements that all writers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.errors import IncompleteGroupError, ZeroFilledError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dsa110_contimg.errors import InputError


class WriteResult(NamedTuple):
    """The outcome of writing one Measurement Set.

    Attributes
    ----------
    set_aside : dict of int to InputError
        Subbands that turned out bad while they were read; their channels are flagged.
    zeros : dict of int to float
        Fraction of exact zeros (lost packets) of each good subband.
    flagged : float
        Fraction of all samples that are flagged.
    """

    set_aside: dict[int, InputError]
    zeros: dict[int, float]
    flagged: float


def require_good(n_good: int, set_aside: Mapping[int, InputError], min_subbands: int) -> None:
    """Raise IncompleteGroupError where fewer subbands than the minimum were good when they had been read."""
    if n_good >= min_subbands:
        return
    reasons = "; ".join(str(error) for error in set_aside.values()) or "the others are missing"
    raise IncompleteGroupError(
        f"only {n_good} good subbands, fewer than the minimum of {min_subbands}: {reasons}",
        remedy="copy the missing files from the correlator, or lower --min-subbands",
    )


def zero_filled(path: Path) -> ZeroFilledError:
    """Return the error of a subband file all of whose samples are zero."""
    return ZeroFilledError("holds nothing but zeros", path=path, remedy="look for lost packets on its correlator host")
