"""Whether freed memory is kept, as the kernel counts it."""

from pathlib import Path

import numpy as np
import pytest

from dsa110_contimg.config.heap import freed_memory_kept

MEGABYTES = 200


def resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def take_and_free() -> None:
    array = np.ones(MEGABYTES * 125_000)
    assert array.nbytes == MEGABYTES * 1_000_000


def test_what_is_freed_is_kept_and_given_back_at_the_end():
    take_and_free()
    before = resident_megabytes()
    with freed_memory_kept():
        take_and_free()
        assert resident_megabytes() - before > 0.9 * MEGABYTES
        take_and_free()
        assert resident_megabytes() - before < 1.5 * MEGABYTES
    assert resident_megabytes() - before < 0.2 * MEGABYTES
    take_and_free()
    assert resident_megabytes() - before < 0.2 * MEGABYTES


def test_an_error_ends_it_too():
    before = resident_megabytes()

    @freed_memory_kept()
    def fails() -> None:
        take_and_free()
        raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert resident_megabytes() - before < 0.2 * MEGABYTES
