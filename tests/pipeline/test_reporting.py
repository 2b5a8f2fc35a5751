"""What the report on a group is told."""

import json
import logging

from dsa110_contimg.naming import FLAGS_NAME, PROVENANCE_NAME, report_facts_name
from dsa110_contimg.pipeline.description import StageTime
from dsa110_contimg.pipeline.imaging import Place
from dsa110_contimg.pipeline.reporting import TAIL_LINES, LogTail, Told, report_group

GROUP, STEM = "2025-10-05T12:30:00", "20251005T123000"


def test_the_last_lines_of_the_log_are_kept_while_it_is_entered():
    log = logging.getLogger("dsa110_contimg.pipeline.test")
    with LogTail() as tail:
        for number in range(TAIL_LINES + 5):
            log.warning("line %d", number)
    log.warning("afterwards")
    assert len(tail.lines) == TAIL_LINES
    assert tail.lines[0].endswith("warning: line 5")
    assert tail.lines[-1].endswith(f"line {TAIL_LINES + 4}")


def test_a_report_has_what_the_measurement_set_and_the_job_say(tmp_path):
    ms, directory = tmp_path / "group.ms", tmp_path / "images"
    ms.mkdir()
    directory.mkdir()
    (ms / PROVENANCE_NAME).write_text(json.dumps({"group": GROUP, "solved": {"calibrator": "3C48"}}))
    (ms / FLAGS_NAME).write_text(json.dumps({"flagged": 0.125}))
    told = Told(GROUP, "partial", [StageTime("image", 12.5, 1, 2)], {"log": ["all is well"]}, "attempt 7")
    page = report_group(ms, Place(directory, STEM), told, {"sets": ["by-hand.cal"], "why": "as told"})
    text = page.read_text()
    for words in (GROUP, "all is well", "by-hand.cal", "partial"):
        assert words in text
    said = json.loads((directory / report_facts_name(STEM)).read_text())
    facts = said.get("facts", said)
    assert facts["stages"] == [{"name": "image", "seconds": 12.5, "bytes_in": 1, "bytes_out": 2}]
    assert facts["flags"] == {"flagged": 0.125}
    assert facts["ms"]["calibration"]["sets"] == ["by-hand.cal"]
