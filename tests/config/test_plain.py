import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.config.plain import plain
from dsa110_contimg.config.settings import LoggingSettings


class Pair(NamedTuple):
    left: object
    right: object


@dataclass(frozen=True)
class Holder:
    path: Path
    inner: object


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Path("/a/b"), "/a/b"),
        (datetime(2025, 10, 5, tzinfo=UTC), "2025-10-05T00:00:00+00:00"),
        (date(2025, 10, 5), "2025-10-05"),
        (Colour.RED, "red"),
        (float("nan"), None),
        (-float("inf"), None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        (Pair(1, Path("x")), {"left": 1, "right": "x"}),
        (Holder(Path("x"), Pair(1, 2)), {"path": "x", "inner": {"left": 1, "right": 2}}),
        (LoggingSettings(), {"level": "info", "format": "text"}),
        ({3: {2, 1}, Path("k"): ()}, {"3": [1, 2], "k": []}),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_what_json_can_say(value, said):
    assert plain(value) == said
    json.dumps(plain(value), allow_nan=False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_json_stays_as_it_is(value):
    assert plain(value) == value
