"""Looking at many baselines with several processes.

They are spawned: a process that was forked after a table was opened, or after a parallel kernel has run, is not sound.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from dsa110_contimg.flagging.baselines import Examiner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsa110_contimg.flagging.baselines import Outlook, Seen

# Baselines that are read at once: 19 MB of a full group.
_BASELINES = 64

_examiners: list[Examiner] = []


def look_at_all(outlook: Outlook, workers: int) -> Iterator[Seen]:
    """Look at all baselines, and give what is seen as it comes, in order.

    Parameters
    ----------
    outlook : Outlook
        What to look at them with.
    workers : int
        Processes; with one, this process does the work itself.
    """
    n_baselines = outlook.first.size
    parts = [slice(k, min(k + _BASELINES, n_baselines)) for k in range(0, n_baselines, _BASELINES)]
    if min(workers, len(parts)) == 1:
        with Examiner(outlook) as examiner:
            yield from map(examiner.look, parts)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(parts)), spawn, _begin, (outlook,)) as pool:
        try:
            yield from pool.map(_look, parts)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _begin(outlook: Outlook) -> None:
    """Make ready, and end when the parent does, however it ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()
    _examiners.append(Examiner(outlook))


def _follow(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _look(baselines: slice) -> Seen:
    return _examiners[0].look(baselines)
