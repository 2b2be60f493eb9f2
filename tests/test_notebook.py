"""The notebook runs from its first cell to its last, and says what it promises; what it showed is not committed."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hybridfactory.pipeline.sort import SORTERS

NOTEBOOK = Path(__file__).parents[1] / "examples" / "validate.ipynb"


@pytest.fixture(scope="module")
def notebook() -> Any:
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_committed_without_what_it_showed(notebook: Any) -> None:
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert not re.search(r"/(home|tmp|work|Users)\b", cell.source)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@pytest.mark.skipif(
    not any(all(map(find_spec, sorter.packages)) for sorter in SORTERS), reason="no spike sorter is installed"
)
@pytest.mark.filterwarnings("ignore")  # of what runs notebooks
def test_it_runs(notebook: Any, tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    ran = nbclient.execute(notebook.copy(), cwd=str(tmp_path), timeout=180, kernel_name="python3")
    outputs = [output for cell in ran.cells for output in cell.get("outputs", [])]
    # Without ipywidgets, which it does not need, tqdm asks for them.
    outputs = [output for output in outputs if "TqdmWarning" not in output.get("text", "")]
    assert not [output for output in outputs if output.output_type in {"stream", "error"}]
    shown = [output.data for output in outputs]
    texts = [data["text/plain"] for data in shown]
    assert any(re.search(r"found [34] of 4 units at accuracy", text) for text in texts)
    assert sum("image/png" in data for data in shown) == 3
    assert sum("text/html" in data for data in shown) == 5
    assert "report.html" in texts[-1]
    assert (tmp_path / "validate-example" / "hybrid" / "validation-demo" / "report.html").is_file()
