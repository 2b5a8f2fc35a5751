"""A runner of attempts that runs nothing: a test says how each ends."""

from concurrent.futures import Future

from dsa110_contimg.pipeline.health import Health
from dsa110_contimg.pipeline.space import ROOT, Space
from dsa110_contimg.pipeline.under_way import Shared


class Promises:
    """Keeps descriptions and promises."""

    def __init__(self):
        self.futures = []
        self.descriptions = []

    def submit(self, description):
        self.descriptions.append(description)
        self.futures.append(Future())
        return self.futures[-1]

    def close(self):
        for future in self.futures:
            future.cancel()


def shared(output):
    """What dispatchers share, with one worker, and room where products go."""
    space = Space((output,), 0)
    for place in (output, ROOT):
        space.look(place)
    return Shared(Promises(), space, Health(1))
