"""The templates that a rez file keeps in parts."""

from pathlib import Path

import numpy as np
from matlab_files import write_v7

from hybridfactory.sorting.rez_templates import read_rez_templates


def written(tmp_path: Path, over_time: np.ndarray, over_channels: np.ndarray) -> Path:
    path = tmp_path / "rez.mat"
    write_v7(path, {"rez": {"W": over_time, "U": over_channels}})
    return path


def test_parts_are_multiplied_out(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    over_time, over_channels = random.standard_normal((7, 2, 3)), random.standard_normal((5, 2, 3))
    found = read_rez_templates(written(tmp_path, over_time, over_channels))
    assert found is not None
    expected = np.stack([over_time[:, unit] @ over_channels[:, unit].T for unit in range(2)])
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_a_product_beyond_all_numbers_is_none(tmp_path: Path) -> None:
    found = read_rez_templates(written(tmp_path, np.full((7, 2, 3), 1e30), np.full((5, 2, 3), 1e30)))
    assert found is not None
    assert np.isfinite(found[0]).all()


def test_small_parts_of_an_absurd_whole_are_no_templates(tmp_path: Path) -> None:
    assert read_rez_templates(written(tmp_path, np.ones((6000, 1, 1)), np.ones((6000, 1, 1)))) is None
