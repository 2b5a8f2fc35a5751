"""``/epochs``: the epochs that were published last, each with its verdict and the picture of its mosaic."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from dsa110_contimg.errors import NamingError
from dsa110_contimg.ledger.summary import summarize
from dsa110_contimg.naming import LEDGER_NAME, epoch_directory_name, preview_name

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.ledger.epoch_summary import EpochLine

_STYLE = (
    "body{font:15px sans-serif;margin:2em;color:#222;background:#fff}h1{font-size:1.3em}"
    "section{margin:1.5em 0;border-top:1px solid #ccc}img{max-width:100%;height:auto}"
    ".good{color:#1a7f37}.usable{color:#9a6700}.bad{color:#cf222e}code{font-size:1.1em}"
)


def epochs_page(state: Path) -> str:
    """Write the page, from what the ledger in the state directory says.

    Raises
    ------
    LedgerError
        It cannot be read.
    """
    path = state / LEDGER_NAME
    lines: list[str] = []
    if path.exists():
        epochs = summarize(path).epochs
        counts = ", ".join(f"{count} {name}" for name, count in epochs.states.items() if count)
        lines.append(f"<p>{escape(counts)}</p>" if counts else "")
        lines += [f"<p>being made: <code>{escape(name)}</code></p>" for name in epochs.running]
        lines += [_section(one) for one in epochs.newest]
        lines += [
            f"<section><h2><code>{escape(one.id)}</code> <span class=bad>failed</span></h2>{_why(one)}</section>"
            for one in epochs.failures
        ]
    body = "\n".join(filter(None, lines)) or "<p>No epoch has been made yet.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Epochs</title>'
        f"<style>{_STYLE}</style></head><body><h1>Epochs</h1>\n{body}\n</body></html>\n"
    )


def preview_of(products: Path, name: str) -> bytes | None:
    """Read the picture of an epoch's mosaic, asked for as ``20251005T123456+54.6.png``; None if there is none."""
    epoch = name.removesuffix(".png")
    try:
        # Nothing but an epoch's id is looked for: no path that leads elsewhere.
        return (products / epoch_directory_name(epoch) / preview_name(epoch)).read_bytes()
    except (NamingError, OSError):
        return None


def _section(one: EpochLine) -> str:
    when = "" if one.when_utc is None else f", published {one.when_utc:%Y-%m-%d %H:%M} UTC"
    verdict = one.verdict if one.verdict in {"good", "usable", "bad"} else ""
    picture = f'<img src="/epochs/{escape(one.id)}.png" alt="the mosaic" loading="lazy">'
    return (
        f"<section><h2><code>{escape(one.id)}</code> <span class={verdict or 'none'}>{escape(one.verdict)}</span></h2>"
        f"<p>{one.n_images} images{when}</p>{_why(one)}{picture}</section>"
    )


def _why(one: EpochLine) -> str:
    return "".join(f"<p>{escape(reason)}</p>" for reason in one.reasons)
