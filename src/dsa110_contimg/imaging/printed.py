"""What libraries print to file descriptor 1 goes to the log: standard output is for what was asked for."""

from __future__ import annotations

import contextlib
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
    """Log what is printed to file descriptor 1 meanwhile, by any thread, line by line, at the end."""
    sys.stdout.flush()
    kept = os.dup(_STDOUT)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), _STDOUT)
            try:
                yield
            finally:
                sys.stdout.flush()
                os.dup2(kept, _STDOUT)
                file.seek(0)
                for line in file.read().decode(errors="replace").splitlines():
                    log.log(level, "%s", line)
    finally:
        os.close(kept)
