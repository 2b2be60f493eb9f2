"""The tiny world of the fault tests, in other numbers."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

TINY = Path(__file__).parents[1] / "faults" / "tiny_world.py"


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """How to make recordings of a second, and their sortings."""
    spec = importlib.util.spec_from_file_location("tiny_world_for_numbers", TINY)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
