"""A server on 127.0.0.1 that answers as VizieR does, from tables of the test's own."""

import http.server
import io
import threading
from contextlib import contextmanager

import astropy.units as u
import numpy as np
from astropy.table import Table


def nvss(n: int = 500, seed: int = 1) -> Table:
    """A sky of n sources from 50 to 60 degrees in the columns of the NVSS: sexagesimal places, mJy."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, n), rng.uniform(50, 60, n)
    return Table(
        {
            "_RAJ2000": ra * u.deg,
            "_DEJ2000": dec * u.deg,
            "RAJ2000": [f"{int(x / 15):02d} 00 00.00" for x in ra],
            "DEJ2000": [f"+{int(x):02d} 00 00.0" for x in dec],
            "e_RAJ2000": np.full(n, 0.05) * u.s,
            "e_DEJ2000": np.full(n, 0.6) * u.arcsec,
            "S1.4": rng.uniform(3, 900, n) * u.mJy,
            "e_S1.4": np.full(n, 0.5) * u.mJy,
            "NVSS": [f"{k:06d}+550000" for k in range(n)],
        }
    )


@contextmanager
def serve(tables, answer=None):
    """Serve tables by their VizieR names; gives the address, and the requests (dicts) as they come.

    `answer` (bytes) is sent to every request instead, if given.
    """
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            request = dict(line.split("=", 1) for line in body.splitlines() if "=" in line)
            asked.append(request | {"path": self.path})
            content = answer if answer is not None else _votable(tables, request)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


def _votable(tables, request) -> bytes:
    table = tables.get(request["-source"])
    if table is None:
        table = Table({"none": np.zeros(0)})
    else:
        low, high = (float(part.strip(">=< ")) for part in request["DEJ2000"].split("&"))
        wanted = request["-out"].split(",") + request["-out.add"].split(",")
        dec = table["_DEJ2000"] if "_DEJ2000" in table.colnames else table["DEJ2000"]
        # A little more than was asked for: rounding is the server's own.
        near = (dec > low - 0.01) & (dec < high + 0.01)
        table = table[near][[name for name in table.colnames if name in wanted]]
    table.meta["name"] = request["-source"]
    buffer = io.BytesIO()
    table.write(buffer, format="votable")
    return buffer.getvalue()
