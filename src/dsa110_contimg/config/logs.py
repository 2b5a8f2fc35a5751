"""Logging: to stderr, as lines for people or JSON lines for machines.

Code logs with ``log = logging.getLogger(__name__)``; what it passes as `extra` (group, stage, attempt, ...) goes into
the JSON line.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from dsa110_contimg.config.plain import plain

PACKAGE = "dsa110_contimg"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest is `extra`."""


class StderrHandler(logging.StreamHandler[TextIO]):
    """Write to what ``sys.stderr`` is at that moment, so that a progress bar can move out of the way."""

    @property
    def stream(self) -> TextIO:
        """The stderr of now."""
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """Ignore the stream that the base class remembers."""


class TextFormatter(logging.Formatter):
    """Lines for people: ``12:30:00 convert 2025-10-05T12:30:00: ...``, with the level where it is not info."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """Put the level before the message, and the library's name before what is not ours."""
        message = record.message
        if record.name.partition(".")[0] != PACKAGE:
            message = f"{record.name}: {message}"
        if record.levelno != logging.INFO:
            message = f"{record.levelname.lower()}: {message}"
        return f"{record.asctime} {message}"


class JsonFormatter(logging.Formatter):
    """JSON lines: time (UTC), level, logger, message, the record's `extra`, and a traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Say the record as one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: plain(value) for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: str = "info", json: bool = False) -> None:
    """Log to stderr: ours from `level` up, other libraries' from warning up; Python warnings too.

    Calling it again replaces what it set up before.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, StderrHandler)]:
        root.removeHandler(handler)
    handler = StderrHandler()
    handler.setFormatter(JsonFormatter() if json else TextFormatter())
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(PACKAGE).setLevel(level.upper())
    logging.captureWarnings(capture=True)


def stage_line(
    log: logging.Logger,
    stage: str,
    group: str,
    nbytes: int,
    seconds: float,
    **extra: object,
) -> None:
    """Log the one line of a stage: ``convert 2025-10-05T12:30:00: 1.37 GB in 4.2 s (327 MB/s)``.

    Parameters
    ----------
    nbytes
        What the stage wrote, or read if it writes nothing; decimal units.
    extra
        More for the JSON line.
    """
    fields: dict[str, object] = {"stage": stage, "group": group, "nbytes": nbytes, "seconds": round(seconds, 3)}
    rate = ""
    if seconds > 0:
        rate_mb_s = nbytes / seconds / 1e6
        fields["rate_mb_s"] = round(rate_mb_s, 1)
        rate = f" ({rate_mb_s:.0f} MB/s)"
    log.info("%s %s: %s in %.1f s%s", stage, group, human_bytes(nbytes), seconds, rate, extra=fields | extra)


def human_bytes(nbytes: int) -> str:
    """Say a size in three digits and decimal units: ``1.37 GB``."""
    size = float(nbytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{nbytes} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def human_span(seconds: float) -> str:
    """Say a length of time in the unit that suits it: ``3.2 h``."""
    for unit, length_s in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.1f} {unit}"
    return f"{seconds:.0f} s"
