"""The strategies that write a group's Measurement Set, and the function that picks one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from dsa110_contimg.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from dsa110_contimg.conversion.group import ConversionOptions, ConvertedMs
    from dsa110_contimg.conversion.plan import ConversionPlan
    from dsa110_contimg.conversion.writers.result import WriteResult

#: Names of the strategies, and their modules.
WRITERS = {
    "direct-subband": "dsa110_contimg.conversion.writers.direct_subband",
    "pyuvdata": "dsa110_contimg.conversion.writers.pyuvdata",
}
#: The strategy that averages.
AVERAGING_WRITER = "direct-subband"


class Writer(Protocol):
    """Writes the Measurement Set of a plan; see `direct_subband.write`."""

    def __call__(
        self,
        plan: ConversionPlan,
        ms_path: Path,
        *,
        min_subbands: int,
        workers: int,
        model: NDArray[np.float64] | None = None,
        progress: Callable[[int], object] = ...,
        bulk_written: Callable[[], object] = ...,
    ) -> WriteResult:
        """Write it."""
        ...


def check_writer(name: str, *, averages: bool) -> None:
    """Raise UsageError where there is no strategy of this name, or where it would have to average and cannot."""
    if name not in WRITERS:
        raise UsageError(f"no writer {name!r}", remedy=f"give one of {', '.join(WRITERS)}")
    if averages and name != AVERAGING_WRITER:
        raise UsageError(f"the {name} writer does not average", remedy=f"use --writer {AVERAGING_WRITER}")


def get_writer(name: str) -> Writer:
    """Return a strategy by its name.

    Raises
    ------
    UsageError
        There is no such strategy.
    SettingsError
        numba finds no place to keep the kernels compiled.
    """
    check_writer(name, averages=False)
    try:
        write: Writer = import_module(WRITERS[name]).write
    except RuntimeError as error:
        # numba's only kind of error where neither the package, nor the home, nor NUMBA_CACHE_DIR may be written.
        if "cannot cache function" not in str(error):
            raise
        raise SettingsError(
            f"there is no place to keep compiled kernels ({error})",
            remedy="set paths.cache (or NUMBA_CACHE_DIR) to a directory that this account may write",
        ) from error
    return write


def write_ms_from_subbands(
    files: Iterable[str | Path], ms_path: str | Path, options: ConversionOptions | None = None
) -> ConvertedMs:
    """Write the Measurement Set of one group from its subband files.

    Parameters
    ----------
    files : iterable of path
        Subband files of one group, in any order; their names say which subband each is.
    ms_path : path
        The Measurement Set, whose directory is made if need be.
    options : ConversionOptions, optional
        How; the defaults are those of the command line.

    Returns
    -------
    ConvertedMs
        What was written, and what was found on the way.

    Raises
    ------
    IncompleteGroupError
        Fewer good subbands than the minimum.
    OutputExistsError
        The Measurement Set is there already, and is not to be overwritten.
    OutputError
        It cannot be written, or the disk is full.
    """
    from dsa110_contimg.conversion.group import convert_files

    return convert_files(files, ms_path, options)
