"""One synthetic world and one run on it, shared by the tests; each test writes to a folder of its own."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from finished_run import FinishedRun
from hybrid_world import World, make_world, read_rows

TESTS = Path(__file__).parents[1]
DATA = TESTS.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three and a half seconds, for tests that run often and measure nothing."""
    return make_world(tmp_path_factory.mktemp("small_world"), num_samples=70_000)


@pytest.fixture(scope="session")
def finished(world: World, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """All donors and the sparse unit, with default parameters. Not to be written to."""
    output = tmp_path_factory.mktemp("finished") / "new" / "hybrid"
    result = world.run(output, ground_truth_units=[1, 2, 3, 4, 5, 6])
    return FinishedRun(world, result, read_rows(result.recording_paths[0]))


@pytest.fixture(scope="session")
def matlab_files() -> ModuleType:
    """The writers of .mat files that the tests of the readers use."""
    return _load("matlab_files_of_sorting", TESTS / "sorting" / "matlab_files.py")


def _load(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not DATA.is_dir():
        pytest.skip("the shared recordings are not here")
    return DATA
