"""Whether the compiled libraries work, each tried in a process of its own; and how far the Earth's orientation goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dsa110_contimg.doctor import trials
from dsa110_contimg.doctor.findings import Finding, fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

_IMPORT_S = 60.0
_REINSTALL = "pip install --force-reinstall with the constraints file."

_CASACORE = """
import tempfile
import numpy as np
import casacore.tables as ct
with tempfile.TemporaryDirectory() as place:
    column = ct.makearrcoldesc("DATA", 0j, ndim=2, valuetype="complex")
    with ct.table(place + "/t", ct.maketabdesc([column]), nrow=2, ack=False) as table:
        table.putcol("DATA", np.full((2, 3, 2), 1 + 2j, np.complex64))
    with ct.table(place + "/t", ack=False) as table:
        assert (table.getcol("DATA") == 1 + 2j).all()
print("a table written and read")
"""
_USES = {
    "numba": "import numba; assert numba.njit(lambda x: x + 1)(1) == 2; print('a kernel compiled and run')",
    "ducc0": "import ducc0, numpy as np; ducc0.fft.c2c(np.ones(4, complex)); print('a transform done')",
    "radler": "import radler; radler.Settings(); print('imported')",
    "aoflagger": "import aoflagger; aoflagger.AOFlagger(); print('imported')",
    "bdsf": "import sys; sys.modules['matplotlib.pyplot'] = None\nimport bdsf; print('imported')",
    "astropy": "import astropy.wcs, astropy.io.fits; print('imported')",
    "pyarrow": "import pyarrow.parquet; print('imported')",
}
_EARTH = """
import json
from datetime import datetime, UTC
from dsa110_contimg.telescope.earth import _read_table
table = _read_table()
now = datetime.now(UTC).timestamp() / 86400 + 40587
print(json.dumps({"measured": now - table.last_measured, "predicted": float(table.mjd[-1]) - now}))
"""
# Bulletin A comes every week; predictions of UT1 are good to a few ms for a month (IERS).
_OLD_DAYS, _SOON_DAYS = 60.0, 30.0


def look_at_libraries() -> Iterator[Finding]:
    """Try the libraries that are not Python."""
    trial = trials.python(_CASACORE, timeout_s=_IMPORT_S)
    yield _found("casacore", trial, f"python-casacore: {_REINSTALL}")
    for name, code in _USES.items():
        yield _found(name, trials.python(code, timeout_s=_IMPORT_S), f"{name}: {_REINSTALL}")


def look_at_earth_orientation() -> Iterator[Finding]:
    """Say how old the tables of the Earth's orientation are."""
    subject, remedy = "Earth orientation", "pip install --upgrade astropy-iers-data"
    trial = trials.python(_EARTH, timeout_s=_IMPORT_S)
    if not trial.works:
        yield fail(subject, trial.said, remedy)
        return
    days = json.loads(trial.said)
    said = f"measured until {days['measured']:.0f} days ago, predicted for {days['predicted']:.0f} days to come"
    if days["predicted"] < 0:
        said = f"the table ended {-days['predicted']:.0f} days ago: right ascensions may be off by arcseconds"
        yield fail(subject, said, remedy)
    elif days["measured"] > _OLD_DAYS or days["predicted"] < _SOON_DAYS:
        yield warn(subject, said, remedy)
    else:
        yield ok(subject, said)


def _found(subject: str, trial: trials.Trial, remedy: str) -> Finding:
    return ok(subject, trial.said) if trial.works else fail(subject, trial.said, remedy)
