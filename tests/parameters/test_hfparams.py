"""hfparams files: written and loaded again, everything is as it was."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridfactory.errors import OutputError
from hybridfactory.parameters import Parameters, load_parameters, write_hfparams
from hybridfactory.parameters.paths import new_windows_name
from hybridfactory.probes import Probe, custom_probe, eMouse, neuropixels3a

# Names may hold anything a file system allows, bytes that are no text (surrogates) among it.
path_texts = st.text(st.characters(blacklist_characters="\0"), max_size=12).map(lambda text: f"/d/{text}")
output_texts = path_texts.filter(lambda text: new_windows_name(Path(text)) is None)
texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/\\"), min_size=1, max_size=9)
positive = st.floats(1e-300, 1e300)
rates = st.floats(1, 1e7)
units = st.lists(st.integers(1, 2**40), min_size=1, max_size=5, unique=True)
seeds = st.integers(0, 2**31 - 1)
coordinates = st.floats(allow_infinity=False, allow_nan=False)
dtypes = st.sampled_from(["int16", "<u2", ">i2", ">f4", "float64", "uint8", "<i8", ">u8"])


@st.composite
def probes(draw):
    count = draw(st.integers(1, 6))
    rows = draw(st.lists(st.integers(0, 500), min_size=count, max_size=count, unique=True))
    connected = draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(any))
    places = st.tuples(coordinates, coordinates)
    positions = [draw(places if used else places | st.just((np.nan, np.nan))) for used in connected]
    shanks = draw(st.none() | st.lists(st.text(max_size=3), min_size=count, max_size=count))
    return custom_probe(rows, connected, positions, draw(st.text(max_size=8)), shank_ids=shanks)


@st.composite
def mappings(draw):
    labels = draw(units)
    count = len(labels)
    low, high = sorted([draw(positive), draw(positive)])
    optional = {
        "start_time": st.integers(0, 2**60) | st.lists(st.integers(0, 2**60), max_size=3),
        "probe": probes(),
        "session_name": texts.filter(str.strip),
        "random_seed": seeds,
        "output_directory": output_texts,
        "output_type": st.sampled_from(["phy", "kilosort", "jrc"]),
        "num_singular_values": st.integers(1, 99) | st.just("auto"),
        "channel_shift": st.integers(-500, 500),
        "synthetic_rate": st.lists(st.floats(1e-9, 499), min_size=count, max_size=count),
        "time_jitter": st.floats(0, 1e9),
        "samples_before": st.integers(1, 10**6),
        "samples_after": st.integers(1, 10**6),
        "copy": st.booleans(),
        "label_base": st.sampled_from([0, 1]),
        "refractory_ms": st.floats(1e-9, 2),
        "event_model": st.sampled_from(["shrunk_svd", "derivative_svd"]),
        "raw_source_rows": st.integers(501, 999),
    }
    required = {
        "data_directory": draw(path_texts),
        "raw_source_file": draw(path_texts),
        "data_type": draw(dtypes),
        "sample_rate": draw(rates),
        "ground_truth_units": labels,
        "amplitude_scale_min": low,
        "amplitude_scale_max": high,
    }
    return required | draw(st.fixed_dictionaries({}, optional=optional))


def exact(parameters):
    """Every field in a form that shows each bit: -0.0 is not 0.0, and int is not float."""
    result = {}
    for name, value in vars(parameters).items():
        if isinstance(value, Probe):
            value = (value, value.channel_positions.tobytes())  # noqa: PLW2901
        result[name] = (type(value), value, repr(value))
    return result


@settings(max_examples=60, deadline=None)
@given(mapping=mappings())
def test_round_trip_is_exact(tmp_path_factory, mapping):
    parameters = Parameters.from_mapping(mapping, source="test", folder=None)
    path = tmp_path_factory.getbasetemp() / "hfparams_test.py"
    write_hfparams(parameters, path)
    loaded = load_parameters(path)
    assert loaded == parameters
    assert exact(loaded) == exact(parameters)


def minimal(**changes):
    mapping = {
        "data_directory": "ks",
        "raw_source_file": "raw.bin",
        "data_type": "int16",
        "sample_rate": 30000.23,
        "ground_truth_units": [3, 17],
        **changes,
    }
    return Parameters.from_mapping(mapping, source="test", folder=None)


@pytest.mark.parametrize("probe", [None, eMouse(), neuropixels3a()], ids=str)
def test_presets(tmp_path, probe):
    write_hfparams(minimal(probe=probe), tmp_path / "hfparams_x.py")
    assert load_parameters(tmp_path / "hfparams_x.py").probe == probe


@pytest.mark.parametrize(
    "name", ["Käfer", "日本", r"C:\new\table", "it's", '"quoted"', "two\nlines", "\udcff", "t[0]*?.bin", "~"]
)
def test_awkward_paths(tmp_path, name):
    parameters = minimal(raw_source_file=f"/data/{name}")
    write_hfparams(parameters, tmp_path / "hfparams_x.py")
    assert load_parameters(tmp_path / "hfparams_x.py").raw_source_file == Path(f"/data/{name}")


def test_paths_no_longer_depend_on_where_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parameters = minimal()
    write_hfparams(parameters, tmp_path / "hfparams_x.py")
    monkeypatch.chdir("/")
    loaded = load_parameters(tmp_path / "hfparams_x.py")
    assert loaded.data_directory == tmp_path / "ks"
    assert loaded == parameters


def test_it_reads_as_a_parameter_file(tmp_path):
    write_hfparams(minimal(probe=eMouse(), data_type=">i2"), tmp_path / "hfparams_x.py")
    text = (tmp_path / "hfparams_x.py").read_text(encoding="utf-8")
    for line in (
        "import numpy as np",
        "from hybridfactory.probes import custom_probe",
        "data_type = '>i2'",
        "sample_rate = 30000.23",
        "ground_truth_units = (3, 17)",
        "    [np.nan, np.nan],",
        "probe = custom_probe(channel_map, connected, channel_positions, 'eMouse')",
        "copy = False",
    ):
        assert f"\n{line}\n" in text
    assert "random_seed" not in text


def test_unwritable(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_hfparams(minimal(), tmp_path / "no" / "x.py")
