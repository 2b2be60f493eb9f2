from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from hybridfactory.sorting import mat_process
from hybridfactory.sorting.mat_file import MatFile, reader_of

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
        monkeypatch.setattr(mat_process, "MatProcess", _opened_here)


@contextmanager
def _opened_here(path: Path, variables: Sequence[str]) -> Iterator[MatFile]:
    mat = reader_of(path)(path, variables)
    try:
        yield mat
    finally:
        mat.close()
