"""A finished run on a small synthetic world, and sortings of its hybrid; shared, not to be written to."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from sorted_run import Sorted, sorted_run

TESTS = Path(__file__).parents[1]
DATA = TESTS.parent.parent / "shared" / "data"


def load(name: str, path: Path) -> Any:
    """Import a module of another test folder under a name of its own."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def worlds() -> Any:
    return load("hybrid_world_for_validation", TESTS / "pipeline" / "hybrid_world.py")


@pytest.fixture(scope="session")
def matlab_files() -> Any:
    return load("matlab_files_for_validation", TESTS / "sorting" / "matlab_files.py")


@pytest.fixture(scope="session")
def world(worlds: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return worlds.make_world(tmp_path_factory.mktemp("world"), num_samples=120_000)


@pytest.fixture(scope="session")
def hybrid(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Sorted:
    return sorted_run(world, tmp_path_factory.mktemp("run") / "hybrid")


@pytest.fixture(scope="session")
def perfect(hybrid: Sorted, worlds: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phy folder without templates: phy's ids are the labels minus 1."""
    folder = tmp_path_factory.mktemp("perfect") / "perfect"
    worlds.write_phy(folder, hybrid.trains)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not DATA.is_dir():
        pytest.skip("the shared recordings are not here")
    return DATA
