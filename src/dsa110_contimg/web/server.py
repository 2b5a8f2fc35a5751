"""``/healthz``, ``/metrics`` and ``/epochs`` on 127.0.0.1, in a thread of the daemon."""

from __future__ import annotations

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import unquote

from dsa110_contimg.errors import ContimgError, UsageError
from dsa110_contimg.web.epochs_page import epochs_page, preview_of
from dsa110_contimg.web.metrics import metrics_text

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path
    from types import TracebackType

    from dsa110_contimg.storage.leftovers import LeftoverTotal

log = logging.getLogger(__name__)


class HealthLike(Protocol):
    """What the daemon knows of itself."""

    workers: int
    running: dict[str, float]
    paused: str
    free_bytes: dict[str, int]
    leftovers: dict[str, LeftoverTotal]
    stage_seconds: Counter[str]
    stage_bytes: Counter[str]
    failures: Counter[str]
    n_published: int
    n_epochs: int
    loop_seconds: float

    @property
    def alive(self) -> bool:
        """Whether its loop goes round."""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""


class HealthServer:
    """Serves while its block lasts.

    Parameters
    ----------
    port : int
        0: any that is free; see `port` afterwards.
    health : HealthLike
    state : Path
        Where the ledger is.
    products : Path, optional
        Where epochs are published: their pictures are shown.

    Raises
    ------
    UsageError
        The port is taken; said when the block is entered.
    """

    def __init__(self, port: int, health: HealthLike, state: Path, products: Path | None = None) -> None:
        def answer(path: str) -> tuple[int, str, str | bytes]:
            if path == "/healthz":
                return (200 if health.alive else 503), "application/json", json.dumps(health.as_dict()) + "\n"
            if path == "/metrics":
                return 200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(health, state)
            if path in {"/epochs", "/epochs/"}:
                return 200, "text/html; charset=utf-8", epochs_page(state)
            picture = None
            if products is not None and path.startswith("/epochs/"):
                picture = preview_of(products, path.removeprefix("/epochs/"))
            if picture is not None:
                return 200, "image/png", picture
            return 404, "text/plain", "there are /healthz, /metrics and /epochs\n"

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                try:
                    code, kind, text = answer(unquote(self.path.partition("?")[0]))
                except ContimgError as error:
                    code, kind, text = 503, "text/plain", f"{error}\n"
                body = text if isinstance(text, bytes) else text.encode()
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
                log.debug(format, *args)

        self._handler = Handler
        self.port = port

    def __enter__(self) -> Self:
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler)
        except OSError as error:
            raise UsageError(
                f"port {self.port} of 127.0.0.1 cannot be had ({error.strerror})", remedy="Set stream.http_port."
            ) from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True, name="http")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
