"""A converter that is killed or interrupted leaves its inputs alone, and a whole product or none."""

import os
import random
import shutil
import signal
import time

import pytest

from convert_process import TIMEOUT_S, partials, run_convert, start_convert

KILLS = 10
# What a shell calls 130: the interpreter ends itself with the signal where that came while it compiled something.
INTERRUPTED = {130, -signal.SIGINT}


def wait_for_partial(process, products):
    """Wait until it has begun to write; return whether it still runs."""
    deadline = time.monotonic() + TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if products.exists() and partials(products):
            return True
        time.sleep(0.002)
    return False


@pytest.fixture(scope="module")
def writing_s(undisturbed, tmp_path_factory):
    """How long an undisturbed conversion takes from its first trace to its end [s]."""
    products = tmp_path_factory.mktemp("timed") / "ms"
    process = start_convert(undisturbed.incoming, products)
    assert wait_for_partial(process, products)
    begun = time.monotonic()
    _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, said
    return time.monotonic() - begun


def test_kill_at_random_moments(undisturbed, writing_s, tmp_path):
    chance = random.Random(110)
    products = tmp_path / "ms"
    killed_while_writing = 0
    for attempt in range(KILLS):
        process = start_convert(undisturbed.incoming, products)
        if attempt >= 2:
            # Spread over the time in which it writes; the first two die while they start.
            wait_for_partial(process, products)
            time.sleep(writing_s * (attempt - 2 + chance.random()) / (KILLS - 2))
        else:
            time.sleep(chance.uniform(0.1, 0.8))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=TIMEOUT_S)
        killed_while_writing += process.returncode == -signal.SIGKILL and bool(partials(products))
        if undisturbed.check(products):
            shutil.rmtree(next(products.glob("*.ms")))
        # What one left, the next one clears: at no time is there more than one's.
        assert len(partials(products) if products.exists() else []) <= 1
    assert killed_while_writing >= 3
    done = run_convert(undisturbed.incoming, products)
    assert done.returncode == 0, done.stderr
    assert undisturbed.check(products)
    assert partials(products) == []


@pytest.mark.parametrize("part", [0.05, 0.4, 0.8])
def test_interrupt(undisturbed, writing_s, tmp_path, part):
    products = tmp_path / "ms"
    process = start_convert(undisturbed.incoming, products)
    wait_for_partial(process, products)
    time.sleep(writing_s * part * 0.6)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=TIMEOUT_S)
    assert "Traceback" not in said
    if undisturbed.check(products):
        # It was done already.
        assert process.returncode in {0, *INTERRUPTED}
    else:
        assert process.returncode in INTERRUPTED, said
        assert said.splitlines()[-1] == "interrupted"
    assert partials(products) == []


def test_kill_between_scratch_and_product(undisturbed, writing_s, tmp_path):
    chance = random.Random(111)
    products, scratch = tmp_path / "ms", tmp_path / "scratch"
    for _ in range(3):
        process = start_convert(undisturbed.incoming, products, "--scratch", scratch)
        wait_for_partial(process, scratch)
        time.sleep(chance.uniform(0, writing_s))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=TIMEOUT_S)
        if undisturbed.check(products):
            break
    done = run_convert(undisturbed.incoming, products, "--scratch", scratch)
    assert done.returncode == 0, done.stderr
    assert undisturbed.check(products)
    assert partials(products, scratch) == []
    assert list(scratch.iterdir()) == []
    assert len(list(products.iterdir())) == 1
