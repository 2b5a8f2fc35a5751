"""What is tried in a process of its own, however it ends."""

import time

from dsa110_contimg.doctor import trials


def test_what_works_says_its_last_line():
    trial = trials.python("print('one'); print('two')", timeout_s=30)
    assert trial == trials.Trial(True, "two", "one\ntwo\n")


def test_an_exception_is_its_last_line():
    trial = trials.python("raise ValueError('no good')", timeout_s=30)
    assert (trial.works, trial.said) == (False, "ValueError: no good")


def test_a_crash_is_named():
    trial = trials.python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", timeout_s=30)
    assert (trial.works, trial.said) == (False, "killed by SIGSEGV")


def test_silence_is_an_exit_status():
    assert trials.python("raise SystemExit(3)", timeout_s=30).said == "exit status 3"


def test_what_hangs_is_ended_with_its_children():
    began = time.monotonic()
    trial = trials.run(["sh", "-c", "sleep 60 & sleep 60"], 0.3)
    assert (trial.works, trial.said) == (False, "no answer within 0.3 s")
    assert time.monotonic() - began < 30


def test_what_is_not_there():
    assert trials.run(["/no/such/program"], 1.0) == trials.Trial(False, "No such file or directory", "")
