"""What the doctor found, printed: with nothing but Python, which may be all that works."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING

from dsa110_contimg.doctor.examination import examine
from dsa110_contimg.doctor.findings import Level

if TYPE_CHECKING:
    from pathlib import Path

_COLOURS = {Level.OK: "32", Level.WARN: "33", Level.FAIL: "31"}


def report(settings_file: Path | None, *, as_json: bool) -> int:
    """Look at everything and print it, each line as it comes; return the exit status, 1 if something fails.

    Parameters
    ----------
    settings_file : Path or None
        The settings; None for those that are found.
    as_json : bool
        Whether as JSON.
    """
    findings = []
    for finding in examine(settings_file):
        findings.append(finding)
        if not as_json:
            level = f"{finding.level:4s}"
            if sys.stdout.isatty():
                level = f"\x1b[{_COLOURS[finding.level]}m{level}\x1b[0m"
            print(f"{level}  {finding.subject}: {finding.said}", flush=True)
            if finding.remedy:
                print(f"      -> {finding.remedy}", flush=True)
    counts = Counter(finding.level for finding in findings)
    if as_json:
        summary = {level.value: counts[level] for level in Level}
        print(json.dumps(summary | {"findings": [finding._asdict() for finding in findings]}, indent=2))
    else:
        print(", ".join(f"{counts[level]} {level}" for level in Level))
    return int(counts[Level.FAIL] > 0)
