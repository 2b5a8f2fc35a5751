"""Values as JSON can say them."""

import dataclasses
import math
import os
from collections.abc import Mapping, Set
from datetime import date
from enum import Enum
from typing import Any


def plain(value: Any) -> Any:
    """Turn a value into what JSON can say.

    Named tuples, dataclasses and pydantic models become objects; paths and times strings; arrays and numpy scalars
    lists and numbers. JSON has no NaN and no infinity: they become null.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, date):  # and datetime
        return value.isoformat()
    return _plain_container(value)


def _plain_container(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        value = value._asdict()
    elif hasattr(value, "model_dump"):
        value = value.model_dump()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Set):
        return [plain(item) for item in sorted(value)]
    if hasattr(value, "tolist"):  # numpy, without importing it
        return plain(value.tolist())
    return str(value)
