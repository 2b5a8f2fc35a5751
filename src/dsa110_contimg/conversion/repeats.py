"""Two files for one subband and start: copies, rivals, and whole data sets that repeat a start.

A copy has the same data, and one of the two is used. Rivals differ: the one that agrees with the strict majority of the
group's other files is used if only one does, and otherwise neither. A writer that was started again can give a second
set of files the start of an earlier one: its names stand apart from theirs, and the two are never mixed.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from dsa110_contimg.conversion.checks import LEAVE_OUT, SetAside, differences, signature
from dsa110_contimg.errors import DuplicateSubbandError, InputError
from dsa110_contimg.uvh5.header import SubbandHeader, read_header
from dsa110_contimg.uvh5.opening import open_subband
from dsa110_contimg.uvh5.start import StartInfo

log = logging.getLogger(__name__)

_FIRST_ROWS = 128  # one row of chunks
_BLOCK_ROWS = 4096
_COMPARED = (
    "Header/time_array",
    "Header/ant_1_array",
    "Header/ant_2_array",
    "Header/freq_array",
    "Data/visdata",
    "Data/flags",
    "Data/nsamples",
)


def split_repeats(
    starts: Sequence[StartInfo], tolerance_s: float, min_subbands: int
) -> tuple[list[list[StartInfo]], list[SetAside]]:
    """Tell apart the data sets among files with the same start, by the times in their names.

    Parameters
    ----------
    starts
        Files whose data start together.
    tolerance_s
        Names further apart than this, with none between them, belong to different writers [s].
    min_subbands
        As many subbands as this are a data set of their own.

    Returns
    -------
    sets : list of list of StartInfo
        In the order of their names; one if no subband occurs twice.
    set_aside : list of SetAside
        Files of a repeated set that is too small to stand alone.
    """
    starts = sorted(starts, key=_by_name)
    if len({start.subband for start in starts}) == len(starts):
        return [starts], []
    clusters = [[starts[0]]]
    for start in starts[1:]:
        if (start.name_time - clusters[-1][-1].name_time).total_seconds() > tolerance_s:
            clusters.append([])
        clusters[-1].append(start)
    # The largest first (of equal ones the earlier), so that strays join it and not each other.
    clusters.sort(key=lambda cluster: (-len(_subbands(cluster)), _by_name(cluster[0])))
    sets: list[list[StartInfo]] = []
    set_aside: list[SetAside] = []
    for cluster in clusters:
        host = _host(cluster, sets)
        if host is not None:
            host += cluster
        elif not sets or len(_subbands(cluster)) >= min_subbands:
            sets.append(cluster)
        else:
            set_aside += [_repeats(start, sets[0], len(cluster)) for start in cluster]
    return sorted((sorted(one, key=_by_name) for one in sets), key=lambda one: _by_name(one[0])), set_aside


def settle_rivals(starts: Iterable[StartInfo]) -> tuple[dict[int, Path], list[SetAside]]:
    """Choose one file for each subband of a data set, or none.

    Returns
    -------
    files : dict of int to Path
        By subband, ascending.
    set_aside : list of SetAside
        Copies, rivals, and rivals that cannot be read.
    """
    by_subband: dict[int, list[Path]] = {}
    for start in sorted(starts, key=lambda start: (start.subband, *_by_name(start))):
        by_subband.setdefault(start.subband, []).append(start.path)
    files: dict[int, Path] = {}
    set_aside: list[SetAside] = []
    rivals: dict[int, list[_Kind]] = {}
    for subband, paths in by_subband.items():
        if len(paths) == 1:
            files[subband] = paths[0]
            continue
        kinds, unreadable = _sort_by_data(paths)
        set_aside += unreadable
        if len(kinds) == 1:
            files[subband] = kinds[0].paths[0]
            set_aside += kinds[0].copies()
        elif kinds:
            rivals[subband] = kinds
    usual = _majority(files.values()) if rivals else None
    for subband, kinds in rivals.items():
        chosen, others = _choose(kinds, usual)
        set_aside += others
        if chosen is not None:
            files[subband] = chosen
    return dict(sorted(files.items())), sorted(set_aside)


def same_data(one: Path, other: Path) -> bool:
    """Whether two files have the same rows, channels, visibilities, flags and nsamples, to the bit.

    Raises
    ------
    InputError
        One of them cannot be read.
    """
    return data_digest(one, _FIRST_ROWS) == data_digest(other, _FIRST_ROWS) and data_digest(one) == data_digest(other)


def data_digest(path: Path, n_rows: int | None = None) -> bytes:
    """Return a digest of the data in a subband file, or of its first rows; its history and name do not matter."""
    digest = hashlib.blake2b()
    with open_subband(path) as (file, _):
        for key in _COMPARED:
            dataset = file[key]
            digest.update(f"{key} {dataset.shape} {dataset.dtype}".encode())
            end = dataset.shape[0] if n_rows is None else min(n_rows, dataset.shape[0])
            for row in range(0, end, _BLOCK_ROWS):
                digest.update(dataset[row : min(row + _BLOCK_ROWS, end)].tobytes())
    return digest.digest()


def _by_name(start: StartInfo) -> tuple[float, str]:
    return start.name_time.timestamp(), str(start.path)


def _subbands(starts: Iterable[StartInfo]) -> set[int]:
    return {start.subband for start in starts}


def _host(cluster: Sequence[StartInfo], sets: Sequence[list[StartInfo]]) -> list[StartInfo] | None:
    """Find the data set that a cluster of names belongs to: the one it has copies of, or the only one it can be of."""
    for one in sets:
        if _subbands(cluster) & _subbands(one) and _copies_of(cluster, one):
            return one
    if len(sets) == 1 and not _subbands(cluster) & _subbands(sets[0]):
        return sets[0]
    return None


def _copies_of(cluster: Sequence[StartInfo], others: Sequence[StartInfo]) -> bool:
    """Whether every subband that both have is the same data."""
    paths = {other.subband: other.path for other in others}
    try:
        return all(same_data(start.path, paths[start.subband]) for start in cluster if start.subband in paths)
    except InputError as error:
        log.debug("%s", error)  # it is set aside when its group is settled or read
        return False


def _repeats(start: StartInfo, others: Sequence[StartInfo], n_files: int) -> SetAside:
    later_s = (start.name_time - others[0].name_time).total_seconds()
    return SetAside.from_error(
        DuplicateSubbandError(
            f"repeats the start of {others[0].path.name} and its group under a name {later_s:+.0f} s away, "
            + ("alone" if n_files == 1 else f"with {n_files - 1} more"),
            path=start.path,
            remedy="See whether the writer was started again; they are too few to be a group of their own.",
        )
    )


class _Kind(NamedTuple):
    """Files of one subband with the same data, and the header of the first."""

    header: SubbandHeader
    paths: list[Path]

    def copies(self) -> list[SetAside]:
        reason = f"has the same data as {self.paths[0].name}, which is used"
        return [SetAside(path, DuplicateSubbandError.outcome, reason, LEAVE_OUT) for path in self.paths[1:]]


def _sort_by_data(paths: Iterable[Path]) -> tuple[list[_Kind], list[SetAside]]:
    kinds: list[_Kind] = []
    unreadable: list[SetAside] = []
    for path in paths:
        try:
            header = read_header(path)
            kind = next((kind for kind in kinds if same_data(kind.paths[0], path)), None)
        except InputError as error:
            unreadable.append(SetAside.from_error(error))
            continue
        if kind is None:
            kinds.append(_Kind(header, [path]))
        else:
            kind.paths.append(path)
    return kinds, unreadable


def _majority(paths: Iterable[Path]) -> tuple[SubbandHeader, int] | None:
    """Return one of the strict majority of the files that have no rival, and how many they are."""
    headers: list[SubbandHeader] = []
    for path in paths:
        try:
            headers.append(read_header(path))
        except InputError as error:
            log.debug("%s", error)  # it has no vote, and is set aside when its group is read
    votes = Counter(signature(header) for header in headers).most_common(1)
    if not votes or 2 * votes[0][1] <= len(headers):
        return None
    return next(header for header in headers if signature(header) == votes[0][0]), votes[0][1]


def _choose(kinds: Sequence[_Kind], usual: tuple[SubbandHeader, int] | None) -> tuple[Path | None, list[SetAside]]:
    """Choose between rivals: the only one that agrees with the majority, or none."""
    fitting = [kind for kind in kinds if usual is not None and not differences(kind.header, *usual)]
    if usual is None or len(fitting) != 1:
        return None, [item for kind in kinds for item in _contradiction(kind, kinds)]
    chosen = fitting[0]
    set_aside = chosen.copies()
    for kind in kinds:
        if kind is not chosen:
            odd = "; ".join(differences(kind.header, *usual))
            reason = f"a second file beside {chosen.paths[0].name}, and unlike the others: {odd}"
            set_aside += [SetAside(path, DuplicateSubbandError.outcome, reason, LEAVE_OUT) for path in kind.paths]
    return chosen.paths[0], set_aside


def _contradiction(kind: _Kind, kinds: Iterable[_Kind]) -> list[SetAside]:
    names = ", ".join(path.name for other in kinds if other is not kind for path in other.paths)
    reason = f"has other data than {names}, of the same subband and start: none can be trusted"
    remedy = "See which is right, and move the others away."
    return [SetAside(path, DuplicateSubbandError.outcome, reason, remedy) for path in kind.paths]
