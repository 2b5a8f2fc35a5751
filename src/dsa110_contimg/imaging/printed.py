"""What libraries print to standard output goes to the log: standard output is for what was asked for."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import sys
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDOUT = 1


@contextlib.contextmanager
def printed_lines(log: logging.Logger, level: int = logging.DEBUG) -> Iterator[None]:
    """Log what is printed meanwhile, by any thread, line by line, at the end.

    Both ways are taken: Python's ``sys.stdout`` and file descriptor 1, on which C and C++ write.
    """
    _flush()
    kept = os.dup(_STDOUT)
    try:
        with tempfile.TemporaryFile("w+", errors="replace") as file:
            os.dup2(file.fileno(), _STDOUT)
            try:
                with contextlib.redirect_stdout(file):
                    yield
                    _flush()
            finally:
                _flush()
                os.dup2(kept, _STDOUT)
                file.flush()
                file.seek(0)
                for line in file.read().splitlines():
                    log.log(level, "%s", line)
    finally:
        os.close(kept)


def _flush() -> None:
    """Let go of what Python and the C library still hold back."""
    sys.stdout.flush()
    ctypes.CDLL(None).fflush(None)
