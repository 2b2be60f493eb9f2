from pathlib import Path

import pytest
from matlab_files import opened_here

from hybridfactory.sorting import mat_process

DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    if not DATA.is_dir():
        pytest.skip("the shared recordings are not here")
    return DATA


@pytest.fixture
def own_process() -> None:
    """MATLAB files are read as users read them, each in a process of its own."""


@pytest.fixture(autouse=True)
def mat_files_are_read_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hundreds of processes would take minutes."""
    if "own_process" not in request.fixturenames:
        monkeypatch.setattr(mat_process, "MatProcess", opened_here)
