"""The tiny world of the fault tests, in other numbers; a folder of files and runs as in the tests of whole runs."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).parents[1]
TINY = TESTS / "faults" / "tiny_world.py"

if str(TESTS / "pipeline") not in sys.path:
    sys.path.append(str(TESTS / "pipeline"))


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """How to make recordings of a second, and their sortings."""
    spec = importlib.util.spec_from_file_location("tiny_world_for_numbers", TINY)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
