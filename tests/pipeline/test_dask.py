"""The same stream on a local Dask cluster, of whose workers one is killed."""

import psutil
import pytest

from stream_daemon import Stream, id_of, same_products

pytestmark = pytest.mark.alone


@pytest.mark.slow
def test_two_workers_one_killed_give_the_same_products(tmp_path):
    calm = Stream(tmp_path / "calm")
    for number in range(3):
        calm.write(number)
    with calm:
        calm.wait_for(dict.fromkeys(range(3), "done"))
    stream = Stream(tmp_path / "dask", executor="dask", workers=2)
    stream.incoming.rmdir()
    stream.incoming.symlink_to(calm.incoming)
    with stream:
        stream.wait(stream.jobs)
        job = stream.jobs()[0]
        job.parent().kill()
        gone, _ = psutil.wait_procs([job], timeout=5)
        assert gone  # a job does not outlive its supervisor
        stream.wait_for(dict.fromkeys(range(3), "done"))
        with stream.ledger() as ledger:
            attempts = [ledger.group(id_of(number)).attempts for number in range(3)]
    assert sum(len(some) for some in attempts) > 3
    assert [sum(one.committed for one in some) for some in attempts] == [1, 1, 1]
    same_products(stream.ms, calm.ms, range(3))
    assert stream.strays() == []
