"""What months ask of a daemon: that it does not grow, and that it is soon back with all of its past."""

import sqlite3
import time

import psutil
import pytest

from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.naming import LEDGER_NAME
from stream_daemon import Stream, id_of, ms_of

pytestmark = pytest.mark.alone

TEN_HOURS = 116  # groups of 309 s
WARM = 16
PAST = 100_000
INTERRUPTED = "2020-01-01T00:00:00"


class Resources:
    """Memory of the daemon, and what it and its lookout hold open."""

    def __init__(self, stream):
        self.daemon = psutil.Process(stream.process.pid)

    def now(self):
        (lookout,) = [child for child in self.daemon.children() if "lookout" in " ".join(child.cmdline())]
        both = (self.daemon, lookout)
        return [self.daemon.memory_info().rss, *(one.num_fds() for one in both), *(one.num_threads() for one in both)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_hours_leave_nothing_behind(tmp_path):
    stream = Stream(tmp_path)
    stream.covered = False
    with stream:
        for number in range(WARM):
            stream.write(number)
        settled(stream, WARM)
        before = Resources(stream).now()
        for number in range(WARM, TEN_HOURS):
            stream.write(number)
        settled(stream, TEN_HOURS)
        after = Resources(stream).now()
        assert after[0] < 1.05 * before[0]
        assert all(new <= old + 1 for new, old in zip(after[1:], before[1:], strict=True)), (before, after)
        assert len(psutil.Process(stream.process.pid).children(recursive=True)) == 1  # the lookout
    assert stream.products() == sorted(ms_of(number) for number in range(TEN_HOURS))
    assert stream.strays() == []
    assert {path.name for path in stream.base.iterdir()} == {"in", "ms", "state", "scratch", "log"}
    assert list(stream.scratch.iterdir()) == []


def settled(stream, n_groups):
    """Wait until so many groups are done and no job runs; it asks seldom, since asking takes time from the jobs."""
    end = time.monotonic() + 900
    while time.monotonic() < end:
        time.sleep(2)
        if list(stream.states().values()).count("done") == n_groups and not stream.jobs():
            return
    raise AssertionError(f"{stream.states()}\n{stream.log}")


def give_it_a_past(path):
    """Write down 10^5 groups that are done, with files, attempts and products, and one that a crash interrupted."""
    open_ledger(path).close()
    utc = "'2020-01-01T00:00:00.000000Z'"
    groups = f"""
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {PAST - 1}),
        g(i, id) AS (SELECT i, strftime('%Y-%m-%dT%H:%M:%S', '2020-01-01', (i * 309) || ' seconds') FROM n),
        s(b) AS (SELECT 0 UNION ALL SELECT b + 1 FROM s WHERE b < 15)"""
    with sqlite3.connect(path) as ledger:
        ledger.executescript(f"""
            {groups}
                INSERT INTO groups (id, start_mjd, first_seen_utc, deadline_utc, min_subbands, subbands, n_attempts,
                    published)
                SELECT id, 58849 + i * 0.0036, {utc}, {utc}, 12, 65535, 1, 65535 FROM g;
            {groups}
                INSERT INTO files (path, subband, group_id, start_mjd, size_bytes, mtime_ns, first_seen_utc, outcome)
                SELECT '/in/' || id || '_sb' || b, b, id, 58849, 144000000, 1, {utc}, 'good' FROM g, s;
            {groups}
                INSERT INTO attempts (id, group_id, number, started_utc, ended_utc, committed)
                SELECT i + 1, id, 1, {utc}, {utc}, 1 FROM g;
            {groups}
                INSERT INTO products (group_id, attempt_id, path, kind, checksum, size_bytes, published_utc)
                SELECT id, i + 1, '/ms/' || id, 'ms', 'x', 1, {utc} FROM g;
            UPDATE groups SET published = NULL, current_attempt = 1 WHERE id = '{INTERRUPTED}';
            UPDATE attempts SET committed = 0, ended_utc = NULL WHERE id = 1;
            DELETE FROM products WHERE attempt_id = 1;
        """)


@pytest.mark.slow
def test_a_daemon_with_a_long_past_is_back_within_ten_seconds(tmp_path):
    stream = Stream(tmp_path, workers=1)
    stream.covered = False
    stream.state.mkdir()
    give_it_a_past(stream.state / LEDGER_NAME)
    stream.write(0)
    begun = time.monotonic()
    with stream:
        stream.wait(lambda: f"{id_of(0)}: attempt 1 begins" in stream.log, 60)
        seconds = time.monotonic() - begun
        stream.wait(lambda: stream.attempts(0))
        assert stream.history(0).group.state == "done"
        with stream.ledger() as ledger:
            assert not ledger.group(INTERRUPTED).attempts[0].committed
            assert ledger.group(INTERRUPTED).attempts[0].ended_utc is not None
    assert seconds < 10
