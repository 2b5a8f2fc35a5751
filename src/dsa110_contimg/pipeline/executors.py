"""Where attempts run: supervised child processes of this one, or of the workers of a Dask cluster.

Either way a `concurrent.futures.Executor` carries `run_attempt`, and the daemon alone commits.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from dsa110_contimg.errors import MissingToolError
from dsa110_contimg.pipeline.attempt import run_attempt

if TYPE_CHECKING:
    from concurrent.futures import Future

    from dsa110_contimg.pipeline.description import AttemptResult, JobDescription

log = logging.getLogger(__name__)


class Runner(Protocol):
    """Runs attempts, several at once."""

    def submit(self, description: JobDescription) -> Future[AttemptResult]:
        """Begin an attempt."""

    def close(self) -> None:
        """End all attempts that are under way, and let go of what they ran on."""


class ProcessRunner:
    """A thread for each attempt under way, which supervises a child process."""

    def __init__(self, workers: int) -> None:
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="attempt")

    def submit(self, description: JobDescription) -> Future[AttemptResult]:
        """Begin an attempt."""
        return self._pool.submit(run_attempt, description, self._stopping.is_set)

    def close(self) -> None:
        """End all attempts that are under way."""
        self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


class DaskRunner:
    """A Dask cluster: one that is there (`address`), or one of `workers` processes on this machine.

    A task that lost its worker is not run again by Dask (that would be a second child for one attempt): the daemon
    decides. A cluster of one's own starting should have ``distributed.scheduler.allowed-failures: 0``.
    """

    def __init__(self, workers: int, address: str | None) -> None:
        try:
            import dask
            import distributed
        except ImportError as error:
            raise MissingToolError("Dask is not installed", remedy="pip install distributed") from error
        library: Any = distributed
        dask.config.set({"distributed.scheduler.allowed-failures": 0})
        self._cluster: Any = None
        if address is None:
            self._cluster = library.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=None
            )
        self._client: Any = library.Client(address or self._cluster)
        self._executor: Any = self._client.get_executor(retries=0, pure=False)
        log.info("attempts run on the Dask cluster at %s", self._client.scheduler.address)

    def submit(self, description: JobDescription) -> Future[AttemptResult]:
        """Begin an attempt."""
        return self._executor.submit(run_attempt, description)

    def close(self) -> None:
        """Cancel what waits, and leave; a job whose worker goes dies with it."""
        if self._client.status == "closed":
            return
        self._executor.shutdown(wait=False)
        self._client.close(timeout=5)
        if self._cluster is not None:
            self._cluster.close(timeout=5)


def make_runner(kind: str, workers: int, dask_address: str | None = None) -> Runner:
    """Make the runner that the settings name: ``"process"`` or ``"dask"``."""
    return DaskRunner(workers, dask_address) if kind == "dask" else ProcessRunner(workers)
