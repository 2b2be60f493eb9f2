"""Parameter files in TOML."""

import numpy as np
import probeinterface
import pytest

from hybridfactory.errors import ParameterError
from hybridfactory.parameters import load_parameters
from hybridfactory.probes import custom_probe, eMouse, neuropixels3a

MINIMAL = """\
data_directory = "ks"
raw_source_file = "raw/*.bin"
data_type = "int16"
sample_rate = 30000
ground_truth_units = [3, 17]
"""


@pytest.fixture
def write(tmp_path):
    def write_file(text, prefix=MINIMAL, encoding="utf-8"):
        path = tmp_path / "params.toml"
        path.write_bytes((prefix + text).encode(encoding))
        return path

    return write_file


def failure(path):
    with pytest.raises(ParameterError) as caught:
        load_parameters(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(path))
    return text.removeprefix(str(path))


def test_complete(write, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    parameters = load_parameters(
        write(
            """
start_time = [0, 600]
session_name = "größe"
random_seed = 42
output_directory = "out"
output_type = "phy"
num_singular_values = "auto"
channel_shift = -8
synthetic_rate = [5, 0.5]
time_jitter = 50
amplitude_scale_min = 0.5
amplitude_scale_max = 1.5
samples_before = 20
samples_after = 61
copy = true
label_base = 0
refractory_ms = 1.5
event_model = "derivative_svd"
raw_source_rows = 385
probe = "neuropixels3a"
"""
        )
    )
    assert parameters.data_directory == tmp_path / "ks"
    assert parameters.raw_source_file == tmp_path / "raw/*.bin"
    assert parameters.output_directory == tmp_path / "out"
    assert parameters.start_time == (0, 600)
    assert parameters.session_name == "größe"
    assert parameters.num_singular_values == "auto"
    assert parameters.channel_shift == -8
    assert parameters.synthetic_rate == (5.0, 0.5)
    assert parameters.samples_after == 61
    assert parameters.copy is True
    assert parameters.label_base == 0
    assert parameters.probe == neuropixels3a()


def test_minimal(write, tmp_path):
    parameters = load_parameters(write(""))
    assert parameters.probe is None
    assert parameters.start_time is None
    assert parameters.output_directory == tmp_path / "ks/hybrid_output"


def test_windows_editors(write):
    assert load_parameters(write("copy = true\r\n", encoding="utf-8-sig")).copy is True


def test_presets_and_2018_name(write):
    assert load_parameters(write('probe = "eMouse"')).probe == eMouse()
    assert load_parameters(write('probe_type = "eMouse"')).probe == eMouse()


def test_inline_arrays(write):
    text = """
[probe]
channel_map = [1, 0, 2]
connected = [true, true, false]
channel_positions = [[0, 0], [0.5, 20], [nan, nan]]
name = "mine"
shank_ids = ["a", "b", ""]
"""
    expected = custom_probe(
        [1, 0, 2], [1, 1, 0], [[0, 0], [0.5, 20], [np.nan, np.nan]], "mine", shank_ids=["a", "b", ""]
    )
    assert load_parameters(write(text)).probe == expected


@pytest.mark.parametrize("text", ['probe = "my probe.json"', 'probe = {file = "my probe.json"}'])
def test_probeinterface_json(write, tmp_path, text):
    probe = probeinterface.generate_linear_probe(4)
    probe.set_device_channel_indices([3, 2, 1, 0])
    probeinterface.write_probeinterface(tmp_path / "my probe.json", probe)
    assert load_parameters(write(text)).probe.channel_map.tolist() == [3, 2, 1, 0]
    assert load_parameters(write(text + "\nraw_source_rows = 6")).probe.channel_map.tolist() == [
        3,
        2,
        1,
        0,
        4,
        5,
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("copy = yes", ": not valid TOML: Invalid value (at line 6, column 8)"),
        ("copy = true\ncopy = false", ": not valid TOML: Cannot overwrite a value"),
        ("home = 1", ": unknown parameter 'home'; did you mean "),
        (
            "num_singular_value = 3",
            "'num_singular_value'; did you mean 'num_singular_values'?",
        ),
        ("random_seed = 2.0", ": random_seed must be a whole number from 0 to 2147483647, got 2.0"),
        ("start_time = 2020-01-01", ": start_time must be the first sample of each file"),
        (
            'probe = "tetrode"',
            ": probe: must be one of 'neuropixels3a', 'eMouse', a probeinterface .json file",
        ),
        ("probe = 3", ": probe: must be one of "),
        ('probe = "none.json"', "none.json does not exist"),
        ('probe = {file = "none.json", name = "x"}', ": probe: file must be the path"),
        ("probe = {file = 3}", ": probe: file must be the path"),
        ("probe = {channel_map = [0], connected = [true]}", ": probe: the table lacks channel_positions"),
        (
            "probe = {channel_mapp = [0]}",
            ": probe: unknown entry 'channel_mapp'; did you mean 'channel_map'?",
        ),
        (
            "probe_type = {channel_map = [0, 0], connected = [true, true], channel_positions = [[0, 0]]}",
            ": probe_type: channel_map names row(s) 0 more than once",
        ),
        ('probe = "eMouse"\nprobe_type = "eMouse"', "two names of one parameter"),
        ('probe = "eMouse"\nraw_source_rows = 0', ": raw_source_rows must be a whole number of rows"),
        ('probe = "eMouse"\nraw_source_rows = 20', ": probe names row 33, but raw_source_rows is 20"),
    ],
)
def test_one_line_with_file_and_fix(write, text, message):
    assert message in failure(write(text))


def test_a_bad_number_of_rows_is_named_with_a_json_probe_too(write, tmp_path):
    probe = probeinterface.generate_linear_probe(2)
    probe.set_device_channel_indices([0, 1])
    probeinterface.write_probeinterface(tmp_path / "p.json", probe)
    text = failure(write('probe = "p.json"\nraw_source_rows = true'))
    assert ": raw_source_rows must be a whole number of rows ≥ 1, got True" in text


def test_not_utf8(write):
    assert "not UTF-8" in failure(write("session_name = 'Käfer'", encoding="latin-1"))


def test_nothing_is_executed(write, tmp_path):
    write(f"session_name = \"__import__('os').mkdir('{tmp_path}/x')\"")
    with pytest.raises(ParameterError, match="session_name must be text"):
        load_parameters(tmp_path / "params.toml")
    assert not (tmp_path / "x").exists()
