"""Sets and groups of a made-up night, in a ledger and on the disk."""

import json
from pathlib import Path

from dsa110_contimg.calibration.sets import CalibrationSet, table_name
from dsa110_contimg.ledger.records import mjd_of
from dsa110_contimg.naming import PROVENANCE_NAME, calibration_name, ms_name
from dsa110_contimg.pipeline.description import Manifest, ProductMade
from dsa110_contimg.storage.checksums import tree_checksum
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S
from dsa110_contimg.telescope.correlator import CorrelatorState
from ledger_groups import START, gid_of

FIRST_MJD = mjd_of(START) + INTEGRATION_S / 2 / 86400


def state_of(i, **changed):
    """How the telescope stood for the i-th group of 24 integrations, all of one run."""
    start = FIRST_MJD + i * 24 * INTEGRATION_S / 86400
    return CorrelatorState(start, INTEGRATION_S, 54.57, "ab", "cd")._replace(**changed)


def make_set(directory, i, version=1, verdict="good", calibrator="3C286", **changed):
    """Make the directory of a set of the i-th group; give its path."""
    name = calibration_name(gid_of(i), calibrator, version)
    path = Path(directory) / name
    state = state_of(i, **changed)
    made = CalibrationSet(
        name=name,
        group=gid_of(i),
        calibrator=calibrator,
        mid_mjd=state.start_mjd + 12 * INTEGRATION_S / 86400,
        state=state,
        grade={
            "verdict": verdict,
            "reasons": [],
            "measures": {"snr": 80.0, "closure_deg": None},
            "antennas": {"5": ["deaf"]},
        },
        flux_scale={"kind": "standard", "factor": 1.0, "error": 0.03, "n_sources": 1, "text": "by 3C286: to 3%"},
        facts={"choice": "3C286: 13 of 15 Jy"},
    )
    path.mkdir(parents=True)
    for kind in made.kinds:
        (path / table_name(kind)).mkdir()
        (path / table_name(kind) / "table.dat").write_text(f"{kind}{version}")
    made.write(path)
    return path


def make_ms(directory, i, calibration=None, **changed):
    """Make what a group's Measurement Set says of itself; give its path."""
    path = Path(directory) / ms_name(gid_of(i))
    path.mkdir(parents=True, exist_ok=True)
    facts = {"group": gid_of(i), "correlator": state_of(i, **changed)._asdict(), "site": list(HEADER_SITE)}
    (path / PROVENANCE_NAME).write_text(json.dumps(facts | {"calibration": calibration}))
    return path


def manifest_of(i, *paths):
    """What a job says it made."""
    kinds = {".ms": "ms", ".cal": "calibration"}
    products = tuple(ProductMade(path.name, kinds[path.suffix], *tree_checksum(path)) for path in paths)
    return Manifest(gid_of(i), state_of(i).start_mjd, i + 1, tuple(range(16)), {}, (), products, (), "")
