"""Names of plots, and of the environments of the tools that draw them."""

import re
from enum import StrEnum
from typing import NamedTuple

from dsa110_contimg.errors import NamingError
from dsa110_contimg.naming.products import escape, unescape

GALLERY_NAME = "index.html"
"""The page of the quicklooks of a Measurement Set, in their directory."""
TOOL_MARK = "whole.json"
"""The file in the environment of an external tool that is written when it is whole."""
_FAST_PLOT = re.compile(
    r"(?P<stem>[^/]+)-plot-(?:(?P<visibilities>data|corrected|model|residual)-)?(?P<kind>[a-z-]+)\.png"
)
_QUICKLOOK = re.compile(
    r"(?P<tool>shadems|ragavi)-(?P<visibilities>data|corrected|model|residual)"
    r"-(?P<y>amplitude|phase)-(?P<x>uv|frequency|time)\.(?:png|html)"
)
_GAINS_PAGE = re.compile(r"ragavi-gains-(?P<number>[1-9][0-9]*)-(?P<table>[^/]+)\.html")
_TOOL = re.compile(r"(?P<tool>[a-z]+)-(?P<pins>[0-9a-f]{12})")


class PlotKind(StrEnum):
    """What a fast plot of a Measurement Set shows."""

    AMPLITUDE_TIME = "amplitude-time"
    AMPLITUDE_FREQUENCY = "amplitude-frequency"
    AMPLITUDE_UV = "amplitude-uv"
    PHASE_TIME = "phase-time"
    PHASE_FREQUENCY = "phase-frequency"
    WATERFALL = "waterfall"
    AUTOS = "autos"
    UV_COVERAGE = "uv-coverage"
    FLAGS = "flags"


class Plotted(StrEnum):
    """Of which visibilities."""

    DATA = "data"
    CORRECTED = "corrected"
    MODEL = "model"
    RESIDUAL = "residual"


class FastPlotName(NamedTuple):
    """What the name of a fast plot says: of which Measurement Set and visibilities (None: all), and what it shows."""

    stem: str
    visibilities: Plotted | None
    kind: PlotKind


def fast_plot_name(ms: str, kind: PlotKind | str, visibilities: Plotted | str | None = None) -> str:
    """Name a fast plot: ``20251005T123000-plot-data-amplitude-uv.png``, ``20251005T123000-plot-flags.png``."""
    try:
        of = "" if visibilities is None else f"{Plotted(visibilities)}-"
        return f"{ms.removesuffix('.ms')}-plot-{of}{PlotKind(kind)}.png"
    except ValueError as error:
        raise NamingError(f"{kind!r}, {visibilities!r} cannot name a plot") from error


def parse_fast_plot_name(name: str) -> FastPlotName:
    """Undo `fast_plot_name`."""
    match = _FAST_PLOT.fullmatch(name)
    if match is None or match["kind"] not in set(PlotKind):
        raise NamingError(f"{name!r} does not name a plot")
    visibilities = None if match["visibilities"] is None else Plotted(match["visibilities"])
    return FastPlotName(match["stem"], visibilities, PlotKind(match["kind"]))


class QuicklookName(NamedTuple):
    """What the name of a quicklook says: which tool drew it, of which visibilities, and what against what."""

    tool: str
    visibilities: Plotted
    y: str
    x: str


def quicklook_name(tool: str, visibilities: Plotted | str, y: str, x: str) -> str:
    """Name a quicklook: ``shadems-corrected-amplitude-uv.png``; those of ragavi are pages."""
    name = f"{tool}-{visibilities}-{y}-{x}.{'html' if tool == 'ragavi' else 'png'}"
    if _QUICKLOOK.fullmatch(name) is None:
        raise NamingError(f"{tool!r}, {visibilities!r}, {y!r}, {x!r} cannot name a quicklook")
    return name


def parse_quicklook_name(name: str) -> QuicklookName:
    """Undo `quicklook_name`."""
    match = _QUICKLOOK.fullmatch(name)
    if match is None or quicklook_name(*match.groups()) != name:
        raise NamingError(f"{name!r} does not name a quicklook")
    return QuicklookName(match["tool"], Plotted(match["visibilities"]), match["y"], match["x"])


def gains_page_name(table: str, number: int) -> str:
    """Name ragavi's page of a calibration table: ``ragavi-gains-1-B.html`` of the first one, ``B.tab``."""
    name = f"ragavi-gains-{number}-{escape(table.removesuffix('.tab'))}.html"
    if _GAINS_PAGE.fullmatch(name) is None:
        raise NamingError(f"{table!r}, {number!r} cannot name a page of gains")
    return name


def parse_gains_page_name(name: str) -> tuple[str, int]:
    """Undo `gains_page_name`: the table without ``.tab``, and its number."""
    match = _GAINS_PAGE.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name a page of gains")
    return unescape(match["table"]), int(match["number"])


def tool_environment_name(tool: str, pins: str) -> str:
    """Name the environment of an external tool, by a digest of what is in it: ``shadems-0123456789ab``."""
    name = f"{tool}-{pins}"
    if _TOOL.fullmatch(name) is None:
        raise NamingError(f"{tool!r}, {pins!r} cannot name the environment of a tool")
    return name


def parse_tool_environment_name(name: str) -> tuple[str, str]:
    """Undo `tool_environment_name`: the tool, and the digest."""
    match = _TOOL.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name the environment of a tool")
    return match["tool"], match["pins"]
