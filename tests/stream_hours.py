"""A strip's images that are published already, in a ledger, and a stream that makes their hour."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

from dsa110_contimg.ledger import FileSeen, GroupSeen, Product, open_ledger
from dsa110_contimg.ledger.calibrations import Observing
from dsa110_contimg.ledger.records import mjd_of
from dsa110_contimg.mosaic.epochs import Epoch, epoch_start, turned_hours
from dsa110_contimg.naming import LEDGER_NAME, epoch_directory_name, epoch_id, parse_images_name
from dsa110_contimg.storage.checksums import tree_checksum
from dsa110_contimg.telescope.band import HEADER_SITE
from restored_image import Source
from stream_daemon import Stream
from strip_images import GROUP_DAYS, make_strip

LONGITUDE = HEADER_SITE.longitude_deg
HOUR = Epoch(24 * 9630 + 3)
START_UTC = epoch_start(HOUR, LONGITUDE)
START_MJD = mjd_of(START_UTC)
DEC_DEG = 54.57
EPOCH = epoch_id(START_UTC, "+54.6")
FIRST_MJD = START_MJD + 2.0 * GROUP_DAYS
RA_DEG = 15.0 * turned_hours(FIRST_MJD + GROUP_DAYS / 2, LONGITUDE) % 360.0
SOURCES = [
    Source(RA_DEG + ra, DEC_DEG + dec, flux)
    for ra, dec, flux in [(0.1, 0.1, 0.5), (0.9, -0.2, 0.3), (1.6, 0.25, 0.2), (2.2, -0.1, 0.4), (3.0, 0.0, 0.25)]
]

DYING = """
import os, signal, sys
from importlib import import_module

place, name, *arguments = sys.argv[1:]
module = import_module(place.partition(":")[0])
home = getattr(module, place.partition(":")[2]) if ":" in place else module


def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)


setattr(home, name, die)
from dsa110_contimg.cli.entry import main

sys.argv = ["dsa110-contimg", *arguments]
main()
"""
"""A daemon that dies, as by ``kill -9``, where it is about to call a function of its own."""


class HourStream(Stream):
    """A stream with epochs, and the images of neighbouring groups of one hour."""

    def __init__(self, base, n_groups=3, **settings):
        super().__init__(base, **{"workers": 1} | settings)
        self.ms.mkdir(parents=True)
        self.images = make_strip(self.ms, SOURCES, n_groups, start_mjd=FIRST_MJD, ra_deg=RA_DEG, dec_deg=DEC_DEG)
        self.lightcurves = base / "lightcurves"
        self.wait_s, self.least = 0.5, 2

    def environment(self):
        return super().environment() | {
            "DSA110_CONTIMG_EPOCHS__ENABLED": "true",
            "DSA110_CONTIMG_EPOCHS__WAIT_S": str(self.wait_s),
            "DSA110_CONTIMG_EPOCHS__LEAST_IMAGES": str(self.least),
            "DSA110_CONTIMG_LIGHTCURVES__DIRECTORY": str(self.lightcurves),
        }

    def publish(self, *numbers):
        """Put groups into the ledger as the stream has published them."""
        with open_ledger(self.state / LEDGER_NAME) as ledger:
            for number in numbers:
                publish_images(ledger, self.images[number])

    def run_until_it_dies(self, place, name, seconds=120):
        """Run a daemon that dies where it calls a function; give what it logged."""
        before = len(self.log) if (self.base / "log").exists() else 0
        command = [sys.executable, "-c", DYING, place, name, *self.command()[3:]]
        with (self.base / "log").open("ab") as log:
            done = subprocess.run(
                command, stdout=log, stderr=log, env=self.environment(), cwd=self.base, timeout=seconds
            )
        assert done.returncode == -9, self.log[before:]
        return self.log[before:]

    def epoch(self):
        with self.ledger() as ledger:
            return ledger.epoch(EPOCH)

    def replay(self, seconds=200):
        """Run a daemon until it ends by itself: when all that there was to do is done."""
        day = timedelta(days=1)
        self.start("--since", f"{START_UTC - day:%FT%T}", "--until", f"{START_UTC + day:%FT%T}")
        assert self.process.wait(seconds) == 0, self.log

    @property
    def directory(self):
        return self.ms / epoch_directory_name(EPOCH)


def publish_images(ledger, images, now=None):
    """Put a group with its images into a ledger, as the stream has published them."""
    gid = parse_images_name(images.name)
    start = datetime.fromisoformat(f"{gid}+00:00")
    seen = now or datetime.now(UTC)
    files = [
        FileSeen(images.parent / f"{gid}_sb{subband:02d}.hdf5", subband, 10, 1, seen, gid, mjd_of(start))
        for subband in range(16)
    ]
    ledger.register([GroupSeen(gid, mjd_of(start), seen, seen + timedelta(minutes=1))], files)
    attempt = ledger.begin_attempt(gid, now=now)
    ledger.note_observing(Observing(gid, mjd_of(start), DEC_DEG, {}))
    product = Product(images, "images", *tree_checksum(images))
    ledger.commit_products(attempt.id, [product], range(16), now=now)
    return gid
