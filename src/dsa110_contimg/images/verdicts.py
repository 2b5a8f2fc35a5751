"""What an image was judged, as the record beside it says: a group's quality, or a mosaic's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def verdict_of(record: Path) -> str:
    """Read what an image was judged: ``good``, ``usable`` or ``bad``; nothing where it was not.

    Parameters
    ----------
    record : Path
        ``naming.quality_name`` beside the images of a group, or a mosaic's or an epoch's record.
    """
    try:
        return str(json.loads(record.read_text())["verdict"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
