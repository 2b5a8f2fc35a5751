"""Which of four kinds a failure is, and so what follows.

=========  ============================================  ===========================================
transient  may pass: a mount, a killed process, no gains  again after a while, three times
resource   the disk or the memory is full                intake pauses; again when there is room
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

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


def kind_of(error: BaseException) -> str:
    """Say which kind of failure an exception is.

    What a library raises while the disk is full may be of any type: the whole chain of causes is looked at.
    """
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    if any(_is_full(link) for link in chain):
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


def message_of(error: BaseException) -> str:
    """Say an exception in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ContimgError) else f"{type(error).__name__}: {text}"


def _is_full(error: BaseException) -> bool:
    if isinstance(error, DiskFullError | MemoryError):
        return True
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    # casacore has one type for all.
    return isinstance(error, RuntimeError) and "No space left on device" in str(error)
