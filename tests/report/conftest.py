"""A small run, made once, and what its figures show."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hybridfactory import HybridRun, load
from hybridfactory.report.measure import ViewOfRun, measure_run

TESTS = Path(__file__).parents[1]


def _hybrid_world() -> ModuleType:
    spec = importlib.util.spec_from_file_location("world_of_reports", TESTS / "pipeline" / "hybrid_world.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two injected units and a refused one. Not to be written to."""
    world = _hybrid_world().make_world(tmp_path_factory.mktemp("world"), num_samples=100_000)
    output = tmp_path_factory.mktemp("run") / "hybrid"
    world.run(output, ground_truth_units=[1, 2, 6])
    return output


@pytest.fixture(scope="session")
def run(run_folder: Path) -> HybridRun:
    return load(run_folder)


@pytest.fixture(scope="session")
def view(run: HybridRun) -> ViewOfRun:
    return measure_run(run)
