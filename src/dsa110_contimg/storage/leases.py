"""Whether anybody at all has a file open, which the kernel knows and ``/proc`` may hide.

``/proc`` shows a user no other user's files, and a container none of its host. A write lease (fcntl(2), F_SETLEASE) is
given only on a file that nobody else has open or mapped; so to ask for one, and to give it back at once, is to know.
"""

import errno
import fcntl
import os
import signal
import time
from pathlib import Path

_TRIES = 5
_AGAIN_S = 0.1


def is_open_elsewhere(path: Path) -> bool | None:
    """Say whether another process has a file open; None: the file is not ours, or its file system does not say."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_AGAIN_S)  # FUSE closes a little later than its user
        answer = _ask(path)
        if answer is not True:
            return answer
    return True


def _ask(path: Path) -> bool | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        # Who opens the file in this very moment waits for the lease's end, of which a signal tells us: one that is
        # ignored, instead of SIGIO, which kills.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    finally:
        os.close(descriptor)
    return False
