"""One group of files whose conversion takes long enough to be disturbed, and what comes of it undisturbed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from convert_process import assert_same_data, fingerprints, run_convert
from dsa110_contimg.simulation import SimulationOptions, simulate

NAME = "20251005T123000.ms"


class Undisturbed(NamedTuple):
    """The input, its fingerprints, and its product."""

    incoming: Path
    before: dict
    ms: Path

    def check(self, products: Path) -> bool:
        """Say whether there is a product; it is whole, and the input is as it was."""
        assert fingerprints(self.incoming) == self.before
        seen = [path.name for path in products.iterdir() if not path.name.startswith(".")] if products.exists() else []
        assert seen in ([], [NAME])
        if seen:
            assert_same_data(products / NAME, self.ms)
        return bool(seen)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Twenty antennas, a dozen integrations: 28 MB of Measurement Set."""
    directory = tmp_path_factory.mktemp("undisturbed")
    incoming = directory / "incoming"
    start = datetime(2025, 10, 5, 12, 30, tzinfo=UTC)
    simulate(incoming, SimulationOptions(start=start, antennas=20, integrations=12, sky="random:3"))
    done = run_convert(incoming, directory / "ms")
    assert done.returncode == 0, done.stderr
    return Undisturbed(incoming, fingerprints(incoming), directory / "ms" / NAME)
