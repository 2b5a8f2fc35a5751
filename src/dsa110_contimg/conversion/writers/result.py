"""What a writer found out while it wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
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
