"""Validated settings, where each value came from, and logging.

`load_settings` and `Settings` are imported when first used: pydantic is not needed to log, or for a help text.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.config.sources import load_settings

__all__ = ["Settings", "load_settings"]

_HOME = {"Settings": "settings", "load_settings": "sources"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
