"""Calibration sets, and what they calibrated, back into a ledger that is made anew."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dsa110_contimg.errors import CalibrationError, LedgerError, NamingError
from dsa110_contimg.ledger.calibration_decisions import Retirement, read_retirements
from dsa110_contimg.ledger.records import mjd_of
from dsa110_contimg.naming import CALIBRATION_NAME, group_start, parse_calibration_name, parse_ms_name
from dsa110_contimg.pipeline.calibration_records import calibration_of, note, note_flags
from dsa110_contimg.pipeline.measurement_set import facts_of

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.ledger.ledger import Ledger

log = logging.getLogger(__name__)


def restore_sets(ledger: Ledger, products: Path, retirements: Path) -> int:
    """Register the sets that lie among the products, in the order of their making, and what these say of them.

    Parameters
    ----------
    ledger : Ledger
        It is being filled.
    products : Path
        Directory of sets and Measurement Sets.
    retirements : Path
        The operators' decisions about sets.

    Returns
    -------
    int
        How many of these decisions were taken.
    """
    if not products.is_dir():
        return 0
    found = sorted(path for path in products.iterdir() if _is_set(path))
    for path in sorted(found, key=lambda path: (path / CALIBRATION_NAME).stat().st_mtime_ns):
        try:
            ledger.register_calibration(calibration_of(path))
        except (CalibrationError, LedgerError) as error:
            log.warning("%s", error)
    for path in sorted(products.iterdir()):
        try:
            group, _ = parse_ms_name(path.name)
            start_mjd = mjd_of(group_start(group))
            note(ledger, group, start_mjd, facts_of(path), [path])
            note_flags(ledger, group, start_mjd, path)
        except NamingError:
            continue
        except (OSError, KeyError, ValueError, LedgerError) as error:
            log.warning("%s: what calibrated it is not known (%s)", path, error)
    items = [item for item in read_retirements(retirements) if isinstance(item, Retirement)]
    return ledger.restore_retirements(items)


def _is_set(path: Path) -> bool:
    try:
        parse_calibration_name(path.name)
    except NamingError:
        return False
    return (path / CALIBRATION_NAME).is_file()
