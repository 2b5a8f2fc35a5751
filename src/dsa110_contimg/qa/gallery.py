"""The page of quicklooks: figures with what they show and who drew them, and what is missing and why."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from dsa110_contimg import __version__
from dsa110_contimg.naming import GALLERY_NAME, group_id_from_mjd
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dsa110_contimg.ms.information import MsInfo

LOGS = "logs"
"""The directory of what tools said, beside the page."""

_TEMPLATE = "gallery.html.j2"
_DAY_S = 86400.0


class Figure(NamedTuple):
    """A picture, or a page, in the directory.

    Attributes
    ----------
    file : str
        Its name.
    section : str
        Under which heading it stands.
    caption : str
        What it shows.
    made_by : str
        Which program, of which version.
    """

    file: str
    section: str
    caption: str
    made_by: str

    @property
    def is_page(self) -> bool:
        """Whether it is opened, rather than shown."""
        return self.file.endswith(".html")


class Problem(NamedTuple):
    """Something that was not drawn.

    Attributes
    ----------
    what : str
        What, and why.
    remedy : str
        What to do about it.
    log : str or None
        The log that says more, in the directory.
    last_words : str
        How that ends.
    """

    what: str
    remedy: str
    log: str | None = None
    last_words: str = ""

    def __str__(self) -> str:
        said = f" ({self.last_words})" if self.last_words else ""
        return f"{self.what}{said}. Remedy: {self.remedy}"


def write_gallery(
    directory: Path, info: MsInfo, columns: Sequence[str], figures: Sequence[Figure], problems: Sequence[Problem]
) -> Path:
    """Write the page into the directory of its figures; all links are relative.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("dsa110_contimg.qa"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = [(title, list(group)) for title, group in groupby(figures, key=lambda figure: figure.section)]
    page = environment.get_template(_TEMPLATE).render(
        name=info.path.name,
        facts=_facts(info, columns),
        sections=sections,
        problems=problems,
        has_logs=(directory / LOGS).is_dir(),
        version=__version__,
        written=datetime.now(UTC),
    )
    path = directory / GALLERY_NAME
    with output_errors(path):
        path.write_text(page)
    return path


def _facts(info: MsInfo, columns: Sequence[str]) -> list[tuple[str, str]]:
    """Say what the Measurement Set is: labels and values."""
    half_d = info.interval_s / 2 / _DAY_S
    begin, end = group_id_from_mjd(info.times_mjd[0] - half_d), group_id_from_mjd(info.times_mjd[-1] + half_d)
    n_antennas = info.working.size
    low, high = info.freq_hz[[0, -1]] / 1e6
    visibilities = [name for name in ("DATA", "CORRECTED_DATA", "MODEL_DATA") if name in columns]
    return [
        ("Measurement Set", str(info.path)),
        ("Time (UTC)", f"{begin} to {end[-8:]}, {info.n_times} integrations of {info.interval_s:.1f} s"),
        ("Fields", ", ".join(dict.fromkeys(info.field_names[field] for field in info.field_id))),
        ("Antennas", f"{n_antennas}, {int(info.is_cross.sum())} baselines"),
        (
            "Frequency",
            f"{low:.1f} to {high:.1f} MHz, {info.n_channels} channels of {info.channel_width_hz / 1e3:.1f} kHz",
        ),
        ("Visibilities", ", ".join(visibilities)),
    ]
