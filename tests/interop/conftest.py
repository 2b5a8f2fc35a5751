"""One group, converted once for all programs."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from interop_group import ALPHA, FLUXES_JY, NEAR, OFFSETS_DEG, Observed, observe


@pytest.fixture(scope="session")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    """Three sources without noise; nobody is to write into it."""
    ra, dec = NEAR
    sources = [
        {"ra": ra + east / np.cos(np.radians(dec + north)), "dec": dec + north, "flux": flux, "alpha": ALPHA}
        for (east, north), flux in zip(OFFSETS_DEG, FLUXES_JY, strict=True)
    ]
    return observe(tmp_path_factory.mktemp("observed"), sources)


@pytest.fixture
def copied(observed: Observed, tmp_path: Path) -> Path:
    """Return a copy of the Measurement Set that may be written into."""
    return Path(shutil.copytree(observed.ms, tmp_path / observed.ms.name))
