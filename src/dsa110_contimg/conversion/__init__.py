"""Subband files in, Measurement Sets out.

The names below are attributes of this package, imported when first used: ``import dsa110_contimg.conversion``
loads nothing else, so it is light and cannot be part of an import cycle.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsa110_contimg.conversion import batch, grouping, helpers, writers
    from dsa110_contimg.conversion.batch import convert_subband_groups_to_ms
    from dsa110_contimg.conversion.group import convert_group
    from dsa110_contimg.conversion.grouping import find_groups
    from dsa110_contimg.conversion.writers import write_ms_from_subbands

__all__ = [
    "batch",
    "convert_group",
    "convert_subband_groups_to_ms",
    "find_groups",
    "grouping",
    "helpers",
    "write_ms_from_subbands",
    "writers",
]

_HOME = {
    "convert_group": "group",
    "convert_subband_groups_to_ms": "batch",
    "find_groups": "grouping",
    "write_ms_from_subbands": "writers",
}
"""The submodule that each lazy function lives in; every other public name is itself a submodule."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
