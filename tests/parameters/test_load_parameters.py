"""Where parameters may come from."""

import subprocess
import sys
from pathlib import Path

import pytest

from hybridfactory.errors import MissingFileError, ParameterError
from hybridfactory.parameters import Parameters, load_parameters

REQUIRED = {
    "data_directory": "/data/ks",
    "raw_source_file": "/data/raw.bin",
    "data_type": "int16",
    "sample_rate": 30000,
    "ground_truth_units": [3, 17],
}
TEXT = "\n".join(f"{name} = {value!r}" for name, value in REQUIRED.items()) + "\n"


def test_mapping_and_parameters():
    parameters = load_parameters(REQUIRED)
    assert parameters.data_directory == Path("/data/ks")
    assert load_parameters(parameters) is parameters
    with pytest.raises(ParameterError, match=r"^parameters: copy must be"):
        load_parameters({**REQUIRED, "copy": 3})


def test_folder(tmp_path):
    with pytest.raises(MissingFileError, match=r"holds no parameter file \(params\.py or params\.toml\)"):
        load_parameters(tmp_path)
    (tmp_path / "params.toml").write_text(TEXT + "random_seed = 1\n")
    assert load_parameters(tmp_path).random_seed == 1
    (tmp_path / "params.py").write_text(TEXT + "random_seed = 2\n")
    assert load_parameters(str(tmp_path)).random_seed == 2


def test_any_file_name(tmp_path):
    (tmp_path / "rig 7.PY").write_text(TEXT)
    assert isinstance(load_parameters(tmp_path / "rig 7.PY"), Parameters)
    (tmp_path / "rig.toml").write_text(TEXT)
    assert isinstance(load_parameters(tmp_path / "rig.toml"), Parameters)


def test_missing_and_unknown_files(tmp_path):
    with pytest.raises(MissingFileError, match=r"parameter file .*none\.py does not exist"):
        load_parameters(tmp_path / "none.py")
    (tmp_path / "params.yaml").write_text(TEXT)
    with pytest.raises(ParameterError, match=r"its name must end in \.py or \.toml"):
        load_parameters(tmp_path / "params.yaml")
    with pytest.raises(ParameterError, match="must be a file, a folder or a mapping, got list"):
        load_parameters([])


def test_import_is_light():
    code = (
        "import sys, hybridfactory.parameters\n"
        "heavy = {'numba', 'pandas', 'scipy', 'spikeinterface', 'probeinterface'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
