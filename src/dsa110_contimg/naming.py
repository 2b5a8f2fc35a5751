"""Every file name and group id, in both directions.

A *group id* is the start of a group's first integration, from the data, in UTC, rounded half up to the nearest second:
``2025-10-05T12:30:00`` in text and JSON, ``20251005T123000`` (*compact*) in every path, because colons break rsync. A
further data set with the same start has a suffix letter, from ``b``.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from dsa110_contimg.errors import NamingError

N_SUBBANDS = 16
PROVENANCE_NAME = "contimg.json"
"""The file in a Measurement Set's directory that says how it was made."""
LEDGER_NAME = "ledger.sqlite"
"""The ledger, in the state directory."""
DECISIONS_NAME = "decisions.jsonl"
"""The operators' decisions, beside the products."""
CALIBRATION_NAME = "set.json"
"""The file in the directory of a calibration set that says what it is."""
FLAGS_NAME = "flags.json"
"""The file in a Measurement Set that says what was flagged by what."""
SCRATCH_RECORDS_NAME = ".scratch-records"
"""The directory on the scratch disk that says what is staged."""
GALLERY_NAME = "index.html"
"""The page of the quicklooks of a Measurement Set, in their directory."""
TOOL_MARK = "whole.json"
"""The file in the environment of an external tool that is written when it is whole."""
DAEMON_NAME = "daemon.json"
"""What the daemon says of itself every two seconds, in the state directory."""

_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_MAX_NAME_BYTES = 255
_GROUP = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})([b-z]?)")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})([b-z]?)")
_SUBBAND = re.compile(
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)"
    r"_sb(?P<subband>[0-9]{2})(?P<incomplete>_incomplete)?(?P<suffix>\.hdf5|\.uvh5)"
)
_MS = re.compile(r"(?P<compact>[0-9T]{15}[b-z]?)(?:_(?P<source>[^_/]+))?\.ms")
_PARTIAL = re.compile(r"\.partial-(?P<compact>[0-9T]{15}[b-z]?)-(?P<attempt>[A-Za-z0-9_.-]+)")
_CALIBRATION = re.compile(r"(?P<compact>[0-9T]{15}[b-z]?)_(?P<source>[^_/]+)_(?P<version>[A-Za-z0-9.-]+)\.cal")
_MOSAIC = re.compile(r"(?P<first>[0-9T]{15}[b-z]?)-(?P<last>[0-9T]{15}[b-z]?)-mosaic")
_IMAGES = re.compile(r"(?P<compact>[0-9T]{15}[b-z]?)-images")
_IMAGE = re.compile(
    r"(?P<compact>[0-9T]{15}[b-z]?)(?:-(?P<band>lower|upper))?(?:-(?P<channel>[0-9]{4}))?-(?P<kind>[a-z]+)\.fits"
)
_FAST_PLOT = re.compile(
    r"(?P<stem>[^/]+)-plot-(?:(?P<visibilities>data|corrected|model|residual)-)?(?P<kind>[a-z-]+)\.png"
)
_QUICKLOOK = re.compile(
    r"(?P<tool>shadems|ragavi)-(?P<visibilities>data|corrected|model|residual)"
    r"-(?P<y>amplitude|phase)-(?P<x>uv|frequency|time)\.(?:png|html)"
)
_GAINS_PAGE = re.compile(r"ragavi-gains-(?P<number>[1-9][0-9]*)-(?P<table>[^/]+)\.html")
_TOOL = re.compile(r"(?P<tool>[a-z]+)-(?P<pins>[0-9a-f]{12})")
_VERSION = re.compile(r"[A-Za-z0-9.-]+")
_ATTEMPT = re.compile(r"[A-Za-z0-9_.-]+")
_STAGING_KEY = re.compile(r"[0-9a-f]{16}")
_STAGING = re.compile(r"\.scratch-(?P<step>[a-z]+)-(?P<key>[0-9a-f]{16})")
_PLAIN_SOURCE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.")


def parse_utc(text: str) -> datetime:
    """Read an ISO 8601 time; one without an offset is UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise NamingError(f"{text!r} is not a time", remedy="Write it as 2025-10-05T12:30:00 (UTC).") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _require_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise NamingError(f"{time.isoformat()} has no time zone", remedy="Give an aware datetime, in UTC.")
    return time.astimezone(UTC)


# -- group ids ---------------------------------------------------------------------------------------------------------


def group_id(start: datetime) -> str:
    """Name the group whose first integration starts at `start` (aware; any zone)."""
    try:
        rounded = (_require_utc(start) + timedelta(seconds=0.5)).replace(microsecond=0)
    except OverflowError:
        raise NamingError(f"{start.isoformat()} is out of range for a group id") from None
    return rounded.replace(tzinfo=None).isoformat()


def group_id_from_mjd(mjd_start: float) -> str:
    """Name the group whose first integration starts at this MJD (UTC, days)."""
    if not math.isfinite(mjd_start):
        raise NamingError(f"MJD {mjd_start} is not a time")
    day = math.floor(mjd_start)
    # Whole seconds of the day first: adding a float of days to a datetime would round twice.
    second = math.floor((mjd_start - day) * 86400.0 + 0.5)
    try:
        return group_id(_MJD_EPOCH + timedelta(days=day, seconds=second))
    except OverflowError:
        raise NamingError(f"MJD {mjd_start} is out of range for a group id") from None


def _split_group_id(gid: str) -> tuple[datetime, str]:
    match = _GROUP.fullmatch(gid)
    if match is None:
        raise NamingError(f"{gid!r} is not a group id", remedy="It looks like 2025-10-05T12:30:00.")
    try:
        return datetime.fromisoformat(match[1]).replace(tzinfo=UTC), match[2]
    except ValueError:
        raise NamingError(f"{gid!r} is not a group id: no such time") from None


def group_start(gid: str) -> datetime:
    """Start of the group's first integration, to the second (UTC)."""
    return _split_group_id(gid)[0]


def next_group_id(gid: str) -> str:
    """Name a further data set with the same start: no suffix, then ``b``, ``c``, ... ``z``."""
    start, suffix = _split_group_id(gid)
    if suffix == "z":
        raise NamingError(f"{gid!r} has no next group id: 25 groups with the same start")
    return group_id(start) + (chr(ord(suffix) + 1) if suffix else "b")


def compact(gid: str) -> str:
    """Give the form of a group id that goes into paths: ``20251005T123000``, its suffix kept."""
    start, suffix = _split_group_id(gid)
    return group_id(start).replace("-", "").replace(":", "") + suffix


def expand(compact_id: str) -> str:
    """Undo `compact`."""
    match = _COMPACT.fullmatch(compact_id)
    if match is None:
        raise NamingError(f"{compact_id!r} is not a compact group id", remedy="It looks like 20251005T123000.")
    year, month, day, hour, minute, second, suffix = match.groups()
    gid = f"{year}-{month}-{day}T{hour}:{minute}:{second}{suffix}"
    _split_group_id(gid)
    return gid


# -- subband files -----------------------------------------------------------------------------------------------------


class SubbandName(NamedTuple):
    """What the name of a subband file says.

    `time` is one host's clock when it opened the file: seconds from the data's own, and unlike its neighbours'.
    """

    time: datetime
    subband: int
    suffix: str


def parse_subband_name(name: str) -> SubbandName:
    """Read the name of a whole subband file: ``2025-10-05T12:30:00_sb03.hdf5`` (or ``.uvh5``).

    Raises
    ------
    NamingError
        For anything else: incomplete files, hidden partials of rsync, other suffixes, subbands above 15.
    """
    match = _SUBBAND.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} is not the name of a subband file")
    if match["incomplete"]:
        raise NamingError(f"{name!r} is still being written")
    subband = int(match["subband"])
    if subband >= N_SUBBANDS:
        raise NamingError(f"{name!r} names subband {subband}, and there are 0 to {N_SUBBANDS - 1}")
    return SubbandName(parse_utc(match["time"]), subband, match["suffix"])


def subband_name(time: datetime, subband: int, suffix: str = ".hdf5") -> str:
    """Name a subband file: the aware `time` with its fraction of a second, if any, to the microsecond."""
    if not 0 <= subband < N_SUBBANDS:
        raise NamingError(f"no subband {subband}: there are 0 to {N_SUBBANDS - 1}")
    if suffix not in {".hdf5", ".uvh5"}:
        raise NamingError(f"{suffix!r} is not the suffix of a subband file", remedy="It is .hdf5 or .uvh5.")
    return f"{_require_utc(time).replace(tzinfo=None).isoformat()}_sb{subband:02d}{suffix}"


def incomplete_name(name: str) -> str:
    """Name a subband file has while the correlator writes it: ``2025-10-05T12:30:00_sb03_incomplete.hdf5``."""
    suffix = parse_subband_name(name).suffix
    return f"{name.removesuffix(suffix)}_incomplete{suffix}"


def complete_name(name: str) -> str:
    """Undo `incomplete_name`."""
    if not is_incomplete(name):
        raise NamingError(f"{name!r} is not the name of an incomplete subband file")
    return name.replace("_incomplete", "")


def is_incomplete(name: str) -> bool:
    """Whether this names a subband file that the correlator is still writing (or left when it died)."""
    match = _SUBBAND.fullmatch(name)
    return match is not None and match["incomplete"] is not None


# -- products ----------------------------------------------------------------------------------------------------------


def _escape(source: str) -> str:
    """Keep letters, digits, ``+``, ``-`` and ``.``; every other byte of UTF-8 becomes ``=`` and two hex digits."""
    return "".join(chr(b) if b in _PLAIN_SOURCE else f"={b:02X}" for b in source.encode())


def _unescape(escaped: str) -> str:
    source = re.sub(r"=([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), escaped)
    return source.encode("latin-1").decode()


def ms_name(gid: str, source: str | None = None) -> str:
    """Name a group's Measurement Set, or the one of a calibrator in it: ``20251005T123000_3C286.ms``."""
    if source is None:
        return f"{compact(gid)}.ms"
    if not source:
        raise NamingError("a source without a name")
    name = f"{compact(gid)}_{_escape(source)}.ms"
    if len(name) > _MAX_NAME_BYTES:
        raise NamingError(f"the name of source {source!r} is too long for a file name")
    return name


def parse_ms_name(name: str) -> tuple[str, str | None]:
    """Undo `ms_name`: the group id, and the source or None."""
    match = _MS.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} is not the name of a Measurement Set of ours")
    gid, source = expand(match["compact"]), match["source"]
    if source is None:
        return gid, None
    try:
        source = _unescape(source)
    except UnicodeError:
        source = ""
    if not source or ms_name(gid, source) != name:
        raise NamingError(f"{name!r} is not the name of a Measurement Set of ours: its source is misspelt")
    return gid, source


def calibration_name(gid: str, source: str, version: str | int = 1) -> str:
    """Name the directory of a calibration set: ``20251005T123000_3C286_7.cal``; each solution has its own version."""
    if not source or _VERSION.fullmatch(str(version)) is None:
        raise NamingError(f"{source!r}, {version!r} cannot name a calibration set")
    name = f"{compact(gid)}_{_escape(source)}_{version}.cal"
    if len(name) > _MAX_NAME_BYTES:
        raise NamingError(f"the name of source {source!r} is too long for a file name")
    return name


def parse_calibration_name(name: str) -> tuple[str, str, str]:
    """Undo `calibration_name`: the group id, the source, the version."""
    match = _CALIBRATION.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name a calibration set")
    gid = expand(match["compact"])
    try:
        source = _unescape(match["source"])
    except UnicodeError:
        source = ""
    if not source or calibration_name(gid, source, match["version"]) != name:
        raise NamingError(f"{name!r} does not name a calibration set: its source is misspelt")
    return gid, source, match["version"]


class ImageKind(StrEnum):
    """What an image file holds."""

    IMAGE = "image"
    PBCOR = "pbcor"
    PB = "pb"
    RESIDUAL = "residual"
    MODEL = "model"
    PSF = "psf"
    RMS = "rms"
    DIFFERENCE = "difference"  # (XX - YY)/2, not deconvolved


class Band(StrEnum):
    """A half of the band that is imaged by itself."""

    LOWER = "lower"
    UPPER = "upper"


class ImageName(NamedTuple):
    """What the name of an image says: group id, what it holds, and of which half of the band or sub-band of it."""

    group: str
    kind: ImageKind
    band: Band | None
    channel: int | None = None


def images_name(gid: str) -> str:
    """Name the directory of all that imaging a group leaves: ``20251005T123000-images``."""
    return f"{compact(gid)}-images"


def parse_images_name(name: str) -> str:
    """Undo `images_name`."""
    match = _IMAGES.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name a directory of images")
    return expand(match["compact"])


def image_stem(gid: str, band: Band | str | None = None) -> str:
    """Begin the names of a group's images: ``20251005T123000``, or ``20251005T123000-lower`` for half a band."""
    return compact(gid) if band is None else f"{compact(gid)}-{Band(band)}"


def image_file_name(stem: str, kind: ImageKind | str, channel: int | None = None) -> str:
    """Name an image by the stem of its group: ``STEM-image.fits``, or ``STEM-0002-image.fits`` of sub-band 2."""
    try:
        return f"{stem}{'' if channel is None else f'-{channel:04d}'}-{ImageKind(kind)}.fits"
    except ValueError as error:
        raise NamingError(f"{kind!r} cannot name an image") from error


def image_record_name(stem: str) -> str:
    """Name the figures of an imaging run, beside its images: ``STEM-image.json``."""
    return f"{stem}-image.json"


def sources_stem(stem: str) -> str:
    """Begin the names of the tables of an image's sources: ``STEM-sources``, before ``.ecsv`` and others."""
    return f"{stem}-sources"


def quality_name(stem: str) -> str:
    """Name what an image is worth, beside it: ``STEM-quality.json``."""
    return f"{stem}-quality.json"


def preview_name(stem: str) -> str:
    """Name the picture of an image: ``STEM-preview.png``."""
    return f"{stem}-preview.png"


def closeups_name(stem: str) -> str:
    """Name the pictures of its brightest sources: ``STEM-closeups.png``."""
    return f"{stem}-closeups.png"


def report_name(stem: str) -> str:
    """Name the page about a group: ``STEM-report.html``."""
    return f"{stem}-report.html"


def report_facts_name(stem: str) -> str:
    """Name the facts that the page about a group is made of: ``STEM-report.json``."""
    return f"{stem}-report.json"


def image_name(gid: str, kind: ImageKind | str, band: Band | str | None = None, channel: int | None = None) -> str:
    """Name an image of a group: ``20251005T123000-pbcor.fits``, ``20251005T123000-upper-image.fits``."""
    try:
        return image_file_name(image_stem(gid, band), kind, channel)
    except ValueError as error:
        raise NamingError(f"{kind!r}, {band!r} cannot name an image") from error


def parse_image_name(name: str) -> ImageName:
    """Undo `image_name`."""
    match = _IMAGE.fullmatch(name)
    if match is None or match["kind"] not in set(ImageKind):
        raise NamingError(f"{name!r} does not name an image")
    band = None if match["band"] is None else Band(match["band"])
    channel = None if match["channel"] is None else int(match["channel"])
    return ImageName(expand(match["compact"]), ImageKind(match["kind"]), band, channel)


class MosaicKind(StrEnum):
    """What a file of a mosaic holds."""

    IMAGE = "mosaic"
    RMS = "rms"
    WEIGHT = "weight"


def mosaic_name(first: str, last: str) -> str:
    """Name the directory of a mosaic by its first and last group: ``20251005T123000-20251005T132509-mosaic``."""
    return f"{compact(first)}-{compact(last)}-mosaic"


def parse_mosaic_name(name: str) -> tuple[str, str]:
    """Undo `mosaic_name`: the ids of the first and the last group."""
    match = _MOSAIC.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name a mosaic")
    return expand(match["first"]), expand(match["last"])


def mosaic_file_name(first: str, last: str, kind: MosaicKind | str) -> str:
    """Name a file of a mosaic: ``20251005T123000-20251005T132509-rms.fits``."""
    return f"{compact(first)}-{compact(last)}-{MosaicKind(kind)}.fits"


def mosaic_record_name(first: str, last: str) -> str:
    """Name the record of a mosaic, beside its images: ``...-mosaic.json``."""
    return f"{mosaic_name(first, last)}.json"


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
    name = f"ragavi-gains-{number}-{_escape(table.removesuffix('.tab'))}.html"
    if _GAINS_PAGE.fullmatch(name) is None:
        raise NamingError(f"{table!r}, {number!r} cannot name a page of gains")
    return name


def parse_gains_page_name(name: str) -> tuple[str, int]:
    """Undo `gains_page_name`: the table without ``.tab``, and its number."""
    match = _GAINS_PAGE.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name a page of gains")
    return _unescape(match["table"]), int(match["number"])


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


def flag_record_name(ms: str, suffix: str = "json") -> str:
    """Name what flagging a Measurement Set leaves: ``20251005T123000.flags.json``, or ``.csv``, ``.png``."""
    return f"{ms.removesuffix('.ms')}.flags.{suffix}"


def is_flag_record_name(name: str) -> bool:
    """Whether this names the record of a flagging."""
    return name.endswith(".flags.json") and not name.startswith(".")


def partial_name(gid: str, attempt: str | int) -> str:
    """Name the directory in which one attempt builds a group's products, until they are published."""
    if _ATTEMPT.fullmatch(str(attempt)) is None:
        raise NamingError(f"{attempt!r} cannot name an attempt", remedy="Use letters, digits, '_', '.' and '-'.")
    return f".partial-{compact(gid)}-{attempt}"


def parse_partial_name(name: str) -> tuple[str, str]:
    """Undo `partial_name`: the group id and the attempt."""
    match = _PARTIAL.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name a partial product")
    return expand(match["compact"]), match["attempt"]


# -- staging -----------------------------------------------------------------------------------------------------------


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
