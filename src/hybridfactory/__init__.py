"""Hybrid ground truth for spike sorting: real units, moved in space and time, added to a real recording."""

from importlib import import_module
from typing import TYPE_CHECKING

from hybridfactory._version import __version__

if TYPE_CHECKING:
    from hybridfactory.data.dataset import HybridDataSet
    from hybridfactory.ground_truth.run import HybridRun, load
    from hybridfactory.parameters import Parameters, load_parameters
    from hybridfactory.pipeline.generate import GenerateResult, generate
    from hybridfactory.pipeline.init import InitResult, init_parameters
    from hybridfactory.pipeline.plot import PlotResult, plot
    from hybridfactory.pipeline.realism import RealismResult, score_realism
    from hybridfactory.pipeline.reset import ResetResult, reset
    from hybridfactory.pipeline.units import UnitSurvey, survey_units
    from hybridfactory.pipeline.validate import validate
    from hybridfactory.pipeline.verify import VerifyResult, verify
    from hybridfactory.pipeline.write import WriteResult, write
    from hybridfactory.validation.result import SorterResult, ValidationResult

__all__ = [
    "GenerateResult",
    "HybridDataSet",
    "HybridRun",
    "InitResult",
    "Parameters",
    "PlotResult",
    "RealismResult",
    "ResetResult",
    "SorterResult",
    "UnitSurvey",
    "ValidationResult",
    "VerifyResult",
    "WriteResult",
    "__version__",
    "generate",
    "init_parameters",
    "load",
    "load_parameters",
    "plot",
    "reset",
    "score_realism",
    "survey_units",
    "validate",
    "verify",
    "write",
]

_HOMES = {
    "GenerateResult": "hybridfactory.pipeline.generate",
    "HybridDataSet": "hybridfactory.data.dataset",
    "InitResult": "hybridfactory.pipeline.init",
    "HybridRun": "hybridfactory.ground_truth.run",
    "Parameters": "hybridfactory.parameters",
    "PlotResult": "hybridfactory.pipeline.plot",
    "RealismResult": "hybridfactory.pipeline.realism",
    "ResetResult": "hybridfactory.pipeline.reset",
    "SorterResult": "hybridfactory.validation.result",
    "UnitSurvey": "hybridfactory.pipeline.units",
    "ValidationResult": "hybridfactory.validation.result",
    "VerifyResult": "hybridfactory.pipeline.verify",
    "WriteResult": "hybridfactory.pipeline.write",
    "generate": "hybridfactory.pipeline.generate",
    "init_parameters": "hybridfactory.pipeline.init",
    "load": "hybridfactory.ground_truth.run",
    "load_parameters": "hybridfactory.parameters",
    "plot": "hybridfactory.pipeline.plot",
    "reset": "hybridfactory.pipeline.reset",
    "score_realism": "hybridfactory.pipeline.realism",
    "survey_units": "hybridfactory.pipeline.units",
    "validate": "hybridfactory.pipeline.validate",
    "verify": "hybridfactory.pipeline.verify",
    "write": "hybridfactory.pipeline.write",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that ``hybridfactory --help`` need not wait for NumPy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hybridfactory' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
