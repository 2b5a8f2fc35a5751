"""Small drawings inside of the page, as SVG: no picture files, sharp at any size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 120, 34, 22
# Channels are drawn in so many steps at most.
_STEPS = 384


def channel_drawing(flags: Mapping[str, Any]) -> tuple[str, ...]:
    """Draw what part of each channel is flagged, if `flagging.tables.record` says so."""
    channels = flags.get("channels") or {}
    first_hz, width_hz = flags.get("first_channel_hz"), flags.get("channel_width_hz")
    good = channels.get("good")
    if not good or first_hz is None or width_hz is None:
        return ()
    flagged = 1.0 - np.asarray(good, dtype=np.float64)
    edges_mhz = (float(first_hz) + (np.array([0, flagged.size]) - 0.5) * float(width_hz)) / 1e6
    return (step_drawing(flagged, (float(edges_mhz[0]), float(edges_mhz[1])), "MHz", "part of each channel flagged"),)


def step_drawing(
    values: Sequence[float] | np.ndarray[Any, Any], ends: tuple[float, float], unit: str, label: str
) -> str:
    """Draw fractions, 0 to 1, as steps over an axis that goes from one end to the other.

    Parameters
    ----------
    values : (n,) array
        Between 0 and 1; what is not finite counts as 0.
    ends : (float, float)
        Of the axis.
    unit : str
        Of the axis.
    label : str
        What is drawn.

    Returns
    -------
    str
        An SVG element.
    """
    heights = np.clip(np.nan_to_num(np.asarray(values, dtype=np.float64)), 0.0, 1.0)
    if heights.size > _STEPS:
        pieces = np.array_split(heights, _STEPS)
        heights = np.array([piece.max() for piece in pieces])
    right, top, floor = _WIDTH - 8, 8, _HEIGHT - _BOTTOM
    x = np.repeat(np.linspace(_LEFT, right, heights.size + 1), 2)[1:-1]
    y = np.repeat(floor - heights * (floor - top), 2)
    path = (
        f"M{_LEFT},{floor} " + " ".join(f"L{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True)) + f" L{right},{floor} Z"
    )
    lines = "".join(
        f'<line x1="{_LEFT}" x2="{right}" y1="{at:.0f}" y2="{at:.0f}" class="rule"/>'
        f'<text x="{_LEFT - 5}" y="{at + 3.5:.0f}" class="tick" text-anchor="end">{share}</text>'
        for share, at in (("0", floor), ("½", (floor + top) / 2), ("1", top))
    )
    ticks = "".join(
        f'<text x="{_LEFT + part * (right - _LEFT):.0f}" y="{_HEIGHT - 6}" class="tick" text-anchor="{anchor}">'
        f"{ends[0] + part * (ends[1] - ends[0]):.0f}{f' {unit}' if part == 1 else ''}</text>"
        for part, anchor in ((0.0, "start"), (0.25, "middle"), (0.5, "middle"), (0.75, "middle"), (1.0, "end"))
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}"><title>{label}</title>{lines}'
        f'<path d="{path}" class="area"/>{ticks}</svg>'
    )
