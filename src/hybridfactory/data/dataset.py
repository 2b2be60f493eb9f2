"""The names under which programs of 2018 open a hybrid, and take it back.

`HybridDataSet.reset` needs no source any more: a run knows its own.
"""

from hybridfactory.ground_truth.run import HybridRun as HybridDataSet
from hybridfactory.ground_truth.run import load as load_dataset

__all__ = ["HybridDataSet", "load_dataset"]
