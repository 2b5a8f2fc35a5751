"""The machine that the tests run on, whatever it is."""

import os

from dsa110_contimg.doctor.findings import Level
from dsa110_contimg.doctor.machine import look_at_clock, look_at_machine


def test_each_limit_is_looked_at_once():
    found = list(look_at_machine())
    subjects = [finding.subject for finding in found]
    assert subjects == ["cores", "memory", "inotify max_user_watches", "inotify max_user_instances", "open files"]
    assert all(bool(finding.remedy) == (finding.level is not Level.OK) for finding in found)


def test_one_core_is_too_few():
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert next(look_at_machine()).level is Level.WARN
    finally:
        os.sched_setaffinity(0, cores)


def test_the_clock_is_asked():
    (finding,) = look_at_clock()
    assert finding.subject == "clock"
    assert finding.level in {Level.OK, Level.WARN}
