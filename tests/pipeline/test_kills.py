"""Processes that are killed, at any moment: the products are those of a run that nobody disturbed."""

import random
import shutil
import signal
import time

import psutil
import pytest

from stream_daemon import Stream, id_of, same_products, unchanged

pytestmark = pytest.mark.alone

GROUPS = 6
KILLS = 6


def write_inputs(stream):
    for number in range(GROUPS):
        stream.write(number, subbands=[subband for subband in range(16) if number % 3 or subband != number])


def expected():
    return {number: "done" if number % 3 else "partial" for number in range(GROUPS)}


def test_a_run_with_killed_daemons_and_jobs_ends_like_an_undisturbed_one(tmp_path):
    calm = Stream(tmp_path / "calm", deadline_s=1)
    write_inputs(calm)
    with calm:
        calm.wait_for(expected())
    rng = random.Random(4)
    stream = Stream(tmp_path / "killed", deadline_s=1, retry_s=0.1)
    stream.start()
    shutil.copytree(calm.incoming, stream.incoming, dirs_exist_ok=True)
    with unchanged(stream.incoming):
        for number in range(KILLS):
            time.sleep(rng.uniform(0.5, 4.0))
            jobs = stream.jobs()
            if number % 2 and jobs:
                _kill(rng.choice(jobs))
            else:
                stream.kill()
                stream.start()
        stream.wait_for(expected())
        stream.wait(lambda: not stream.jobs(), 10)
        assert stream.stop()[0] == 0
    same_products(stream.ms, calm.ms, range(GROUPS))
    assert stream.products() == calm.products()
    assert stream.strays() == []
    with stream.ledger() as ledger:
        committed = [sum(item.committed for item in ledger.group(id_of(n)).attempts) for n in range(GROUPS)]
    assert committed == [1] * GROUPS


def test_a_killed_job_is_noticed_in_seconds_and_runs_again(tmp_path):
    stream = Stream(tmp_path)
    stream.write(0)
    with stream:
        stream.wait(stream.jobs)
        (job,) = stream.jobs()
        _kill(job)
        stream.wait(lambda: len(stream.history(0).attempts) == 2, 10)
        stream.wait_for({0: "done"})
        first, second = stream.history(0).attempts
    assert (first.failure_kind.value, first.exit_code) == ("resource", -9)
    assert "SIGKILL" in first.message
    assert second.committed
    assert stream.strays() == []


def test_jobs_die_with_their_daemon(tmp_path):
    stream = Stream(tmp_path)
    stream.write(0)
    stream.start()
    stream.wait(stream.jobs)
    jobs = stream.jobs()
    stream.kill()
    gone, alive = psutil.wait_procs(jobs, timeout=5)
    assert (len(gone), alive) == (1, [])


def test_a_second_sigterm_ends_at_once(tmp_path):
    stream = Stream(tmp_path)
    stream.write(0)
    with stream:
        stream.wait(stream.jobs)
        stream.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        stream.process.send_signal(signal.SIGTERM)
        assert stream.process.wait(3) in {143, 0}


def test_a_lookout_that_is_killed_is_replaced(tmp_path):
    stream = Stream(tmp_path)
    with stream:
        stream.wait(lambda: "watching" in stream.log)
        stream.wait(lambda: _lookouts(stream))
        _kill(_lookouts(stream)[0])
        stream.drop(0)
        stream.wait_for({0: "done"})


def _lookouts(stream):
    children = psutil.Process(stream.process.pid).children()
    return [child for child in children if "lookout" in " ".join(child.cmdline())]


def _kill(process):
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
