"""Made-up groups for the tests of the ledger."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from dsa110_contimg.ledger import FileSeen, GroupSeen, Product
from dsa110_contimg.ledger.epoch_attempts import EpochCommit
from dsa110_contimg.ledger.epochs import EpochSeen
from dsa110_contimg.ledger.records import mjd_of
from dsa110_contimg.naming import group_id

START = datetime(2025, 10, 5, 12, 30, tzinfo=UTC)
SEEN = START + timedelta(minutes=6)
DEADLINE = SEEN + timedelta(minutes=10)
AFTER = DEADLINE + timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def gid_of(i=0):
    """Id of the i-th group."""
    return group_id(START + i * timedelta(seconds=309))


def group(i=0, seen=SEEN, min_subbands=12):
    """The i-th group, as first seen."""
    start = START + i * timedelta(seconds=309)
    return GroupSeen(group_id(start), mjd_of(start), seen, seen + timedelta(minutes=10), min_subbands)


def file(subband, i=0, **changed):
    """A good file of the i-th group."""
    gid = gid_of(i)
    path = Path(f"/incoming/{gid}_sb{subband:02d}.hdf5")
    return FileSeen(path, subband, 1000, 1, SEEN, gid, group(i).start_mjd)._replace(**changed)


def add_group(ledger, i=0, subbands=range(16)):
    """Register the i-th group with some of its files; give its id."""
    ledger.register([group(i)], [file(subband, i) for subband in subbands])
    return gid_of(i)


def product(gid, size_bytes=5):
    """A product of a group."""
    return Product(Path(f"/ms/{gid}.ms"), "ms", "0123", size_bytes)


def publish(ledger, gid, subbands=range(16), now=AFTER):
    """Begin an attempt and commit it; give its id."""
    attempt = ledger.begin_attempt(gid, now=now)
    ledger.commit_products(attempt.id, [product(gid)], subbands, now=now)
    return attempt.id


EPOCH = "20251005T122108+54.6"
EPOCH_MJD = mjd_of(datetime(2025, 10, 5, 12, 21, 8, tzinfo=UTC))
INPUTS = {gid_of(i): f"sum{i}" for i in range(3)}


def note_epoch(ledger, name=EPOCH, start_mjd=EPOCH_MJD):
    """Note an hour, which the first groups are of; give its id."""
    ledger.note_epochs([EpochSeen(name, name[-5:], start_mjd, start_mjd + 0.0415)])
    return name


def epoch_commit(path=Path(f"/ms/{EPOCH}-epoch"), verdict="good", inputs=INPUTS, **facts):
    """What is published of an hour."""
    return EpochCommit(Product(path, "epoch", "4567", 100), inputs, verdict, {"reasons": [], "n_images": 3} | facts)


def publish_epoch(ledger, name=EPOCH, now=AFTER, **made):
    """Begin an attempt at an hour and commit it; give its id."""
    attempt = ledger.begin_epoch_attempt(note_epoch(ledger, name), INPUTS, now=now)
    ledger.commit_epoch(attempt.id, epoch_commit(**made), now=now)
    return attempt.id
