"""Memory that is freed and asked for again at once: large images, hundreds of times."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of mallopt (malloc.h of the GNU C library), and what they are if nobody says otherwise.
_TRIM_THRESHOLD, _USUAL_TRIM = -1, 128 * 1024
_MMAP_MAX, _USUAL_MMAPS = -4, 65_536
_NEVER = 2**31 - 1


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let the C library keep freed memory for what is allocated next; afterwards the system has it back.

    Otherwise each large array is mapped anew, and the kernel fills its pages with zeros: in imaging that takes a
    fifth of the time. It counts for the whole process. Without the GNU C library nothing is changed.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        library.mallopt(_MMAP_MAX, _USUAL_MMAPS)
        library.mallopt(_TRIM_THRESHOLD, _USUAL_TRIM)
        library.malloc_trim(0)
