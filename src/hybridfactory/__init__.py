"""Hybrid ground truth for spike sorting: real units, moved in space and time, added to a real recording."""

from importlib import import_module
from typing import TYPE_CHECKING

from hybridfactory._version import __version__

if TYPE_CHECKING:
    from hybridfactory.ground_truth.run import HybridRun, load
    from hybridfactory.parameters import Parameters, load_parameters
    from hybridfactory.pipeline.generate import GenerateResult, generate
    from hybridfactory.pipeline.plot import PlotResult, plot
    from hybridfactory.pipeline.realism import RealismResult, score_realism
    from hybridfactory.pipeline.validate import validate
    from hybridfactory.pipeline.write import WriteResult, write
    from hybridfactory.validation.result import SorterResult, ValidationResult

__all__ = [
    "GenerateResult",
    "HybridRun",
    "Parameters",
    "PlotResult",
    "RealismResult",
    "SorterResult",
    "ValidationResult",
    "WriteResult",
    "__version__",
    "generate",
    "load",
    "load_parameters",
    "plot",
    "score_realism",
    "validate",
    "write",
]

_HOMES = {
    "GenerateResult": "hybridfactory.pipeline.generate",
    "HybridRun": "hybridfactory.ground_truth.run",
    "Parameters": "hybridfactory.parameters",
    "PlotResult": "hybridfactory.pipeline.plot",
    "RealismResult": "hybridfactory.pipeline.realism",
    "SorterResult": "hybridfactory.validation.result",
    "ValidationResult": "hybridfactory.validation.result",
    "WriteResult": "hybridfactory.pipeline.write",
    "generate": "hybridfactory.pipeline.generate",
    "load": "hybridfactory.ground_truth.run",
    "load_parameters": "hybridfactory.parameters",
    "plot": "hybridfactory.pipeline.plot",
    "score_realism": "hybridfactory.pipeline.realism",
    "validate": "hybridfactory.pipeline.validate",
    "write": "hybridfactory.pipeline.write",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that ``hybridfactory --help`` need not wait for NumPy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hybridfactory' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
