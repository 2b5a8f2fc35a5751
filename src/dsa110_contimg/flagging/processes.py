"""Looking at many baselines with several processes.

They are spawned: a process that was forked after a table was opened, or after a parallel kernel has run, is not sound.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from dsa110_contimg.flagging.baselines import Examiner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from dsa110_contimg.flagging.baselines import Outlook, Seen

# Baselines that are read at once: 9 MB of a full group.
_BASELINES = 32

_examiners: list[Examiner] = []


def look_at_all(outlook: Outlook, workers: int) -> Iterator[Seen]:
    """Look at all baselines, and give what is seen as it comes, in any order.

    Parameters
    ----------
    outlook : Outlook
        What to look at them with.
    workers : int
        Processes, this one among them: it would only wait, and has all that another takes a second to load.
    """
    n_baselines = outlook.first.size
    parts = [slice(k, min(k + _BASELINES, n_baselines)) for k in range(0, n_baselines, _BASELINES)]
    helpers = min(workers, len(parts)) - 1
    with Examiner(outlook) as examiner:
        if helpers == 0:
            yield from map(examiner.look, parts)
            return
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(helpers, spawn, _begin, (outlook,)) as pool:
            try:
                yield from _share(examiner, parts, [pool.submit(_look, part) for part in parts])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _share(examiner: Examiner, parts: list[slice], theirs: list[Future[Seen]]) -> Iterator[Seen]:
    """Take parts from the end while other processes take them from the beginning, and give what all see."""
    left = deque(zip(parts, theirs, strict=True))
    while left:
        if left[0][1].done():
            yield left.popleft()[1].result()
        else:
            part, future = left.pop()
            yield examiner.look(part) if future.cancel() else future.result()


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
