"""Running CASA's tasks in a process of their own, without a network.

casatools and python-casacore ignore each other's locks within one process, and casatools looks for its configuration
and writes its log when it is imported: so it never is here. A test writes what is to be run as Python:

    ran = run_casa(tmp_path, '''
    from casatasks import flagdata
    result = flagdata(vis=args["ms"], mode="summary")
    ''', ms=str(ms))
    assert ran.complaints == []
    ran.result["flagged"]
"""

import json
import os
import re
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

needs_casa = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("casatasks", "casatools", "casadata", "six")),
    reason="CASA is not installed: pip install 'dsa110-contimg[casa]'",
)

# What CASA says whatever it is given: (origin, text), each a regular expression.
OWN_NOISE: tuple[tuple[str, str], ...] = (
    # casadata's table of leap seconds is older than the clock of this machine allows.
    (r"MeasTable::dUTC", r"Leap second table|Until the table is updated|times and coordinates derived from UTC"),
)

_SITE = """
measurespath = {data!r}
datapath = [{data!r}]
measures_auto_update = False
data_auto_update = False
logfile = {log!r}
cachedir = {directory!r}
nogui = True
agg = True
casaconfig_verbose = 0
"""

_PROGRAM = """
import json
import sys
with open({arguments!r}) as file:
    args = json.load(file)
result = None
# -- what the test wants
{body}
# -- and what it gets

def plain(value):
    # numpy's values, which JSON does not know
    return value.tolist()

with open({answer!r}, "w") as file:
    json.dump(result, file, default=plain)
"""


class Message(NamedTuple):
    """A line of CASA's log."""

    severity: str
    origin: str
    text: str


class CasaRun(NamedTuple):
    """What came of it: the value of ``result``, and the log."""

    result: Any
    log: tuple[Message, ...]

    @property
    def complaints(self) -> list[Message]:
        """Warnings and errors, but for CASA's own noise."""
        return [
            message for message in self.log if message.severity in {"WARN", "SEVERE"} and not _is_own_noise(message)
        ]


def run_casa(directory: Path, body: str, timeout_s: float = 240.0, **args: Any) -> CasaRun:
    """Run Python that uses CASA; it finds the given arguments in ``args``, and leaves its ``result``.

    Parameters
    ----------
    directory : Path
        Where it runs; scripts and logs are in a new directory inside it.
    body : str
        The program.
    timeout_s : float
        When it is killed.
    args
        Values that JSON can hold.
    """
    directory.mkdir(parents=True, exist_ok=True)
    room = directory / f"casa-{sum(1 for _ in directory.glob('casa-*'))}"
    room.mkdir()
    spec = find_spec("casadata")
    assert spec is not None
    assert spec.origin is not None
    data = Path(spec.origin).parent / "__data__"
    site, program, log, arguments, answer = (
        room / name for name in ("site.py", "program.py", "casa.log", "arguments.json", "answer.json")
    )
    site.write_text(_SITE.format(data=str(data), log=str(log), directory=str(room)))
    arguments.write_text(json.dumps(args))
    program.write_text(_PROGRAM.format(arguments=str(arguments), answer=str(answer), body=textwrap.dedent(body)))
    # A home of its own: the user's ~/.casa is not read.
    own = {"CASASITECONFIG": str(site), "HOME": str(room), "OMP_NUM_THREADS": "2"}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")} | own
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    text = log.read_text() if log.exists() else ""
    assert done.returncode == 0, f"CASA ended with {done.returncode}\n{done.stdout}\n{done.stderr}\n{text}"
    return CasaRun(json.loads(answer.read_text()), tuple(_messages(text)))


def _messages(text: str) -> list[Message]:
    """Split the log: date, time, severity, origin and text; a line without a date goes on with the one before."""
    messages: list[Message] = []
    for line in text.splitlines():
        match = re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\t(?P<severity>\w+)\t(?P<origin>[^\t]*)\t ?(?P<text>.*)", line)
        if match:
            messages.append(Message(match["severity"], match["origin"], match["text"]))
        elif messages:
            messages[-1] = messages[-1]._replace(text=f"{messages[-1].text}\n{line}")
    return messages


def _is_own_noise(message: Message) -> bool:
    return any(re.search(origin, message.origin) and re.search(text, message.text) for origin, text in OWN_NOISE)
