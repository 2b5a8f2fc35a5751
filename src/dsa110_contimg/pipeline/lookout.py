"""The lookout: a process that watches the incoming directory, so that the daemon never touches that.

A dead mount or a file that hangs HDF5 then stops the lookout alone, which is ended and started again. It is told what
to do in one line of JSON on its standard input, which is also its lifeline. What it sees it tells in lines of JSON on
its standard output: ``{"alive": true}``, ``{"groups": [...], "strays": [...]}``, ``{"scanned": true}``.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.config.logs import configure_logging
from dsa110_contimg.config.mounts import mount_of
from dsa110_contimg.conversion.streaming import Incoming, Stamp
from dsa110_contimg.errors import ContimgError
from dsa110_contimg.ledger.opening import open_ledger
from dsa110_contimg.pipeline.lookout_orders import Orders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsa110_contimg.conversion.listing import SubbandGroup

log = logging.getLogger("dsa110_contimg.pipeline.lookout")  # it runs as __main__

_AT_ONCE = 256
_WAKE_MS = 500
_RESCAN_S = 60.0


def main() -> int:
    """Watch until the lifeline closes."""
    orders = Orders(**json.loads(sys.stdin.readline()))
    configure_logging()
    threading.Thread(target=_wait_for_end, daemon=True, name="lifeline").start()
    incoming = Incoming(
        Path(orders.directory),
        orders.settle_s,
        datetime.fromisoformat(orders.since) if orders.since else None,
        datetime.fromisoformat(orders.until) if orders.until else None,
        orders.tolerance_s,
        orders.min_subbands,
    )
    try:
        _recall(incoming, Path(orders.ledger))
        for names in _changes(incoming, orders):
            _look(incoming, names)
    except ContimgError as error:
        _say(error=str(error))
        return 1
    return 0


def _wait_for_end() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def _say(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _recall(incoming: Incoming, ledger: Path) -> None:
    """Take the files that the ledger knows for judged, unless they changed since."""
    paths = [incoming.directory / name for name in incoming.names()]
    with open_ledger(ledger, create=False) as known:
        incoming.know({path.name: Stamp(*stamp) for path, stamp in known.known_files(paths).items()})


def _look(incoming: Incoming, names: set[str] | None) -> None:
    found = incoming.whole(names)
    for first in range(0, len(found), _AT_ONCE):
        seen = incoming.judge(found[first : first + _AT_ONCE], lambda: _say(alive=True))
        if seen.groups or seen.strays:
            stamps = incoming.stamps
            _say(
                groups=[_as_dict(group, stamps) for group in seen.groups],
                strays=[_file(item.path, stamps, item.outcome, item.reason) for item in seen.strays],
            )
    _say(scanned=not incoming.settling)


def _file(path: Path, stamps: dict[str, Stamp], outcome: str, reason: str) -> list[Any]:
    return [str(path), *stamps.get(path.name, Stamp(0, 0)), outcome, reason]


def _as_dict(group: SubbandGroup, stamps: dict[str, Stamp]) -> dict[str, Any]:
    files = [_file(path, stamps, "good", "") for path in group.files.values()]
    files += [_file(item.path, stamps, item.outcome, item.reason) for item in group.set_aside]
    return {"id": group.id, "start_mjd": group.start_mjd, "files": files}


def _changes(incoming: Incoming, orders: Orders) -> Iterator[set[str] | None]:
    """Yield names that changed, or None for a look at all."""
    mount = mount_of(incoming.directory)
    if orders.poll or mount.is_fuse or mount.is_network:  # what others write there is not told
        log.info("%s (%s) is listed every %g s", incoming.directory, mount.fstype, orders.poll_s)
        while True:
            yield None
            _rest(min(orders.poll_s, orders.settle_s) if incoming.settling else orders.poll_s)
    from watchfiles import watch  # here: where there is polling it is not needed

    changes = watch(
        incoming.directory,
        recursive=False,
        yield_on_timeout=True,
        rust_timeout=_WAKE_MS,
        debounce=200,
        raise_interrupt=True,
        watch_filter=None,
        force_polling=False,
    )
    looked = -_RESCAN_S
    for changed in changes:
        # The first comes once inotify sees, so that nothing falls between it and the first look at all.
        _say(alive=True)
        due = time.monotonic() - looked > (1.0 if incoming.settling and not changed else _RESCAN_S)
        if due or not incoming.directory.is_dir():
            looked = time.monotonic()
            yield None
        elif changed or incoming.settling:
            yield {Path(path).name for _, path in changed}


def _rest(seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        _say(alive=True)
        time.sleep(min(1.0, left))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a thread may hang in a dead mount
