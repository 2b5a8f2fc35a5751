"""One page about a group: its verdict, a picture, figures of all stages, times, and the end of the log.

The page is one file without anything from elsewhere, so that it opens over ssh, from a copy, or from a disk. Links to
the FITS files are relative. ``python -m dsa110_contimg.qa.report DIRECTORY [STEM]`` makes it again.
"""

from __future__ import annotations

import base64
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from dsa110_contimg.config.plain import plain
from dsa110_contimg.naming import (
    closeups_name,
    image_record_name,
    preview_name,
    quality_name,
    report_facts_name,
    report_name,
)
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.qa.directories import read_facts, stem_of
from dsa110_contimg.qa.report_view import LOG_LINES, view_of
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsa110_contimg.photometry.sources import Sources

FORMAT = 1
"""Of the JSON."""
BRIGHTEST = 20
"""How many sources the page lists."""

_TEMPLATE = "report.html.j2"
_COLUMNS = (
    "name",
    "ra",
    "dec",
    "flux",
    "e_flux",
    "apparent",
    "snr",
    "pb",
    "true_major",
    "true_minor",
    "resolved",
    "flags",
)
# The end of a log that is read: enough for the lines that are shown.
_LOG_BYTES = 200_000


def write_report(directory: Path, stem: str, facts: Mapping[str, Any], *, sources: Sources | None = None) -> Path:
    """Write the page about a group into its directory of images.

    The figures of imaging and quality, the preview and the close-ups are those in the directory. Whatever there is not,
    the page says that there is not.

    Parameters
    ----------
    directory, stem
        Where `imaging.products.write_images` wrote.
    facts : mapping
        What the directory does not know, all of it optional: ``group``; ``outcome`` (``done``, ``partial``); ``ms``
        (what the Measurement Set says of itself); ``flags`` (what `flagging.tables.record` says); ``stages`` (a list of
        ``name``, ``seconds``, ``bytes_in``, ``bytes_out``); ``log`` (lines), or ``log_path``; ``command``.
    sources : Sources, optional
        What was found; the brightest are listed.

    Returns
    -------
    Path
        The page; the facts are kept beside it.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    kept = {"format": FORMAT, **plain(dict(facts))}
    if sources is not None:
        kept["sources"] = brightest(sources)
    if not kept.get("log") and kept.get("log_path"):
        kept["log"] = _tail(Path(kept["log_path"]))
    kept["log"] = list(kept.get("log") or ())[-LOG_LINES:]
    path = directory / report_facts_name(stem)
    with output_errors(path):
        path.write_text(json.dumps(kept, indent=1) + "\n")
    return render(directory, stem)


def render(directory: Path, stem: str) -> Path:
    """Make the page again, of what is in the directory.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    facts = read_facts(directory / report_facts_name(stem))
    view = view_of(facts, read_facts(directory / image_record_name(stem)), read_facts(directory / quality_name(stem)))
    pictures = {
        "preview": _inline(directory / preview_name(stem)),
        "closeups": _inline(directory / closeups_name(stem)),
    }
    environment = Environment(
        loader=PackageLoader("dsa110_contimg.qa"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(_TEMPLATE).render(
        view | pictures | {"stem": stem, "files": _files(directory, stem), "written": datetime.now(UTC)}
    )
    path = directory / report_name(stem)
    with output_errors(path):
        path.write_text(page)
    return path


def brightest(sources: Sources, most: int = BRIGHTEST) -> list[dict[str, Any]]:
    """Return rows of the sources that are brightest in the image, as JSON can hold them."""
    order = np.argsort(-values(sources, "apparent"), kind="stable")[:most]
    columns = {name: values(sources, name)[order] for name in _COLUMNS}
    rows: list[dict[str, Any]] = plain(
        [{name: column[k].item() for name, column in columns.items()} for k in range(order.size)]
    )
    return rows


def _tail(path: Path) -> list[str]:
    """Return the end of a log, or a line that says why there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _LOG_BYTES))
            return log.read().decode(errors="replace").splitlines()[-LOG_LINES:]
    except OSError as error:
        return [f"error: the log cannot be read: {error}"]


def _inline(picture: Path) -> str | None:
    """Return a picture as a data URL; None if there is none."""
    if not picture.exists():
        return None
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()


def _files(directory: Path, stem: str) -> list[tuple[str, str]]:
    """Return names and sizes of what else is in the directory."""
    own = {report_name(stem), report_facts_name(stem)}
    found = sorted(path for path in directory.iterdir() if path.is_file() and path.name not in own)
    return [(path.name, f"{path.stat().st_size / 1e6:.1f} MB") for path in found]


def main(arguments: list[str]) -> int:
    """Make the page of a directory of images again."""
    directory = Path(arguments[0])
    stem = arguments[1] if len(arguments) > 1 else stem_of(directory)
    sys.stdout.write(f"{render(directory, stem)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
