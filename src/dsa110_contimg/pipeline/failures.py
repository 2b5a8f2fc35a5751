"""Which kind a failure is, and so what follows.

=========  ============================================  ===========================================
transient  may pass: a mount blinks, a hang, no gains    again after a while, three times
resource   the disk or the memory is full, or            a full disk pauses the intake; again when
           somebody killed the process                   there is room, for as long as it takes. For
                                                         want of memory: recorded as *memory*, and
                                                         tried again three times (`under_way`)
bad-data   the files are at fault                        quarantined; never again by itself
bug        anything else: we are                         the group stops, and its evidence is kept
=========  ============================================  ===========================================
"""

import errno

from dsa110_contimg.errors import (
    ContimgError,
    DiskFullError,
    FileChangedError,
    IncompleteGroupError,
    InputError,
    NoCalibrationError,
    OutputExistsError,
    UnreadableFileError,
)

TRANSIENT = "transient"
RESOURCE = "resource"
BAD_DATA = "bad-data"
BUG = "bug"

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE}


def kind_of(error: BaseException) -> str:
    """Say which kind of failure an exception is.

    What a library raises while the disk is full may be of any type: the whole chain of causes is looked at.
    """
    if any(_is_full(link) for link in _chain(error)):
        return RESOURCE
    if isinstance(error, UnreadableFileError | FileChangedError | NoCalibrationError):
        return TRANSIENT
    if isinstance(error, InputError | IncompleteGroupError):
        return BAD_DATA
    if isinstance(error, OutputExistsError):
        return BUG
    if isinstance(error, OSError | ConnectionError | TimeoutError):
        return TRANSIENT
    return BUG


def is_disk_full(error: BaseException) -> bool:
    """Whether an exception says that a disk is full, which is everybody's trouble."""
    return kind_of(error) == RESOURCE and not any(_is_memory(link) for link in _chain(error))


def message_of(error: BaseException) -> str:
    """Say an exception in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ContimgError) else f"{type(error).__name__}: {text}"


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _is_full(error: BaseException) -> bool:
    if isinstance(error, DiskFullError) or _is_memory(error):
        return True
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    # casacore has one type for all.
    return isinstance(error, RuntimeError) and "No space left on device" in str(error)
