"""What every verb needs: the settings, progress on stderr, JSON on stdout.

A verb takes the context first and begins with it::

    def convert(ctx: typer.Context, ..., as_json: Json = False) -> None:
        session = begin(ctx)
        session.settings.paths.ms
        ...
        if as_json:
            emit_json(report)

This module and those of the verbs import nothing heavy at their top: a help text needs their signatures.
"""

import getpass
import json
import os
import platform
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.config.logs import configure_logging
from dsa110_contimg.config.plain import plain

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from dsa110_contimg.config.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")]
"""The type of the ``--json`` option: ``as_json: Json = False``."""


@dataclass
class Session:
    """What the options before the verb say, and what follows from them."""

    settings_file: Path | None = None
    log_level: str | None = None
    log_json: bool = False

    @cached_property
    def settings(self) -> "Settings":
        """The effective settings (read when first asked for: a help text does not need them).

        Raises
        ------
        SettingsError
            For a wrong key or value.
        """
        from dsa110_contimg.config.sources import load_settings

        return load_settings(self.settings_file)

    @cached_property
    def console(self) -> "Console":
        """The terminal, for progress bars: always stderr."""
        from rich.console import Console

        return Console(stderr=True)

    @cached_property
    def output(self) -> "Console":
        """Where tables that a verb was asked for go: stdout."""
        from rich.console import Console

        return Console()

    def start_logging(self) -> None:
        """Log as the settings say, or as the options do."""
        self.log_json = self.log_json or self.settings.logging.format == "json"
        configure_logging(self.log_level or self.settings.logging.level, json=self.log_json)


def session_of(ctx: typer.Context) -> Session:
    """Give the session that the root of the command line made."""
    session = ctx.find_root().obj
    assert isinstance(session, Session), "the root callback makes it"
    return session


def begin(ctx: typer.Context) -> Session:
    """Begin a verb: read the settings, log as they say, and give the session."""
    session = session_of(ctx)
    session.start_logging()
    cache = session.settings.paths.cache
    if cache is not None:
        # Read by numba when it is first imported, which no verb has done yet.
        os.environ.setdefault("NUMBA_CACHE_DIR", str(cache.absolute()))
    return session


def operator() -> str:
    """Say who is deciding: ``user@host``."""
    return f"{getpass.getuser()}@{platform.node()}"


def time_given(text: str) -> "datetime":
    """Read a time that was typed (ISO 8601, UTC)."""
    from dsa110_contimg.errors import NamingError, UsageError
    from dsa110_contimg.naming import parse_utc

    try:
        return parse_utc(text)
    except NamingError as error:
        raise UsageError(error.message, remedy=error.remedy) from None


def emit_json(report: Any) -> None:
    """Print a report as JSON on stdout: named tuples, models, paths, times and arrays included, NaN as null."""
    sys.stdout.write(json.dumps(plain(report), indent=2, ensure_ascii=False) + "\n")
