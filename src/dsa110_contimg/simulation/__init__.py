"""A correlator that writes subband files as the telescope does, with a known sky.

The names below are imported when first used: ``import dsa110_contimg.simulation`` loads nothing heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsa110_contimg.simulation.options import SimulationOptions
    from dsa110_contimg.simulation.run import SimulatedGroup, SimulationResult, simulate
    from dsa110_contimg.simulation.truth import Truth, read_truth

__all__ = ["SimulatedGroup", "SimulationOptions", "SimulationResult", "Truth", "read_truth", "simulate"]

_HOME = {
    "SimulatedGroup": "run",
    "SimulationOptions": "options",
    "SimulationResult": "run",
    "Truth": "truth",
    "read_truth": "truth",
    "simulate": "run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
