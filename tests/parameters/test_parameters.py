"""The parameters: names, defaults, what each accepts, and how each refuses."""

from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path, PurePosixPath

import numpy as np
import probeinterface
import pytest

from hybridfactory.errors import ParameterError
from hybridfactory.parameters import Parameters, parameter_names
from hybridfactory.probes import custom_probe, neuropixels3a

REQUIRED = {
    "data_directory": "/data/ks",
    "raw_source_file": "/data/raw.bin",
    "data_type": "int16",
    "sample_rate": 30000,
    "ground_truth_units": [3, 17],
}


def load(**changes):
    mapping = {name: value for name, value in {**REQUIRED, **changes}.items() if value is not REQUIRED}
    return Parameters.from_mapping(mapping, source="params.py", folder=None)


class TestOtherFormats:
    def test_the_recording_may_tell_type_and_rate(self):
        given = {name: value for name, value in REQUIRED.items() if name not in ("data_type", "sample_rate")}
        parameters = Parameters(**given, raw_source_format="OpenEphys", raw_source_options={"stream_name": "A"})
        assert parameters.raw_source_format == "openephys"
        assert parameters.raw_source_options == {"stream_name": "A"}
        assert (parameters.data_type, parameters.sample_rate) == (None, None)
        assert (parameters.samples_before, parameters.samples_after) == (None, None)
        told = replace(parameters, data_type="int16", sample_rate=20_000)
        assert (told.samples_before, told.samples_after) == (40, 70)

    @pytest.mark.parametrize("name", [None, "flat"])
    def test_a_flat_file_tells_neither(self, name):
        given = {name: value for name, value in REQUIRED.items() if name != "sample_rate"}
        with pytest.raises(ParameterError, match=r"^sample_rate must be a sampling rate in Hz"):
            Parameters(**given, raw_source_format=name)
        with pytest.raises(ParameterError, match="missing: sample_rate; set them"):
            Parameters.from_mapping({**given, "raw_source_format": name}, source="params.py", folder=None)

    def test_options_are_plain_values(self):
        options = {"block_index": np.int64(1), "paths": ("a", "b"), "flag": True, "nothing": None}
        expected = {"block_index": 1, "paths": ["a", "b"], "flag": True, "nothing": None}
        assert load(raw_source_options=options).raw_source_options == expected

    def test_a_sorting_can_be_read_by_a_named_reader(self):
        assert load(output_type="spikeinterface:mda").output_type == "spikeinterface:mda"
        with pytest.raises(ParameterError, match="output_type must be one of"):
            load(output_type="spikeinterface:../mda")

    def test_results_go_beside_a_sorting_that_is_no_folder(self, tmp_path):
        (tmp_path / "sorting.npz").touch()
        for name in ("sorting.npz", "sorting.zarr"):
            assert load(data_directory=tmp_path / name).output_directory == tmp_path / "hybrid_output"


class TestDefaults:
    @pytest.mark.parametrize(
        ("rate", "before", "after"), [(30_000, 50, 105), (20_000, 40, 70), (10_000, 40, 40), (25_000.5, 42, 88)]
    )
    def test_an_event_lasts_as_long_as_a_spike_unless_it_is_told(self, rate, before, after):
        parameters = load(sample_rate=rate)
        assert (parameters.samples_before, parameters.samples_after) == (before, after)
        told = load(sample_rate=rate, samples_before=40, samples_after=12)
        assert (told.samples_before, told.samples_after) == (40, 12)

    def test_documented_defaults(self):
        parameters = load()
        assert parameters.data_directory == Path("/data/ks")
        assert parameters.raw_source_file == Path("/data/raw.bin")
        assert parameters.data_type == np.dtype("int16")
        assert parameters.sample_rate == 30000.0
        assert parameters.ground_truth_units == (3, 17)
        assert parameters.start_time is None
        assert parameters.probe is None
        assert parameters.session_name is None
        assert parameters.random_seed is None
        assert parameters.output_directory == Path("/data/ks/hybrid_output")
        assert parameters.output_type is None
        assert parameters.num_singular_values == 6
        assert parameters.channel_shift is None
        assert parameters.synthetic_rate == ()
        assert parameters.time_jitter == 100
        assert parameters.amplitude_scale_min == parameters.amplitude_scale_max == 1
        assert parameters.samples_before == 50
        assert parameters.samples_after == 105
        assert parameters.copy is False
        assert parameters.label_base == 1
        assert parameters.refractory_ms == 2.0
        assert parameters.event_model == "shrunk_svd"
        assert parameters.raw_source_rows is None
        assert parameters.target_snr is None and parameters.target_amplitude_uV is None
        assert parameters.units_per_donor == 1
        assert parameters.remove_original is False

    def test_every_parameter_has_a_meaning(self):
        for item in fields(Parameters):
            assert item.metadata["doc"].endswith("."), item.name
            assert isinstance(item.metadata["unit"], str)
        assert parameter_names() == tuple(item.name for item in fields(Parameters))

    def test_frozen_hashable_comparable(self):
        with pytest.raises(FrozenInstanceError):
            load().copy = True
        assert load(probe=neuropixels3a()) == load(probe=neuropixels3a())
        assert hash(load(probe=neuropixels3a())) == hash(load(probe=neuropixels3a()))
        assert load() != load(copy=True)

    def test_replace_checks_again(self):
        assert replace(load(), random_seed=5).random_seed == 5
        with pytest.raises(ParameterError, match=r"^random_seed must be"):
            replace(load(), random_seed=-5)


class TestAccepted:
    def test_numpy_values_become_plain(self):
        parameters = load(
            data_type=np.int16,
            sample_rate=np.float32(25000.5),
            ground_truth_units=np.array([5, 2], dtype=np.uint8),
            start_time=np.array([0, 7]),
            random_seed=np.int64(9),
            synthetic_rate=np.array([1, 2]),
            amplitude_scale_min=np.float64(0.5),
            samples_before=np.array(12),
            copy=np.bool_(True),
            channel_shift=np.int32(-4),
            label_base=np.int64(0),
        )
        assert parameters.sample_rate == 25000.5
        assert parameters.ground_truth_units == (5, 2)
        assert parameters.start_time == (0, 7)
        assert parameters.synthetic_rate == (1.0, 2.0)
        for name, kind in [
            ("sample_rate", float), ("random_seed", int), ("amplitude_scale_min", float),
            ("samples_before", int), ("copy", bool), ("channel_shift", int), ("label_base", int),
        ]:  # fmt: skip
            assert type(getattr(parameters, name)) is kind
        assert all(type(unit) is int for unit in parameters.ground_truth_units)
        assert all(type(start) is int for start in parameters.start_time)
        assert all(type(rate) is float for rate in parameters.synthetic_rate)

    @pytest.mark.parametrize(
        "data_type", ["int16", "<i2", ">i2", "uint16", "float32", np.uint8, np.dtype(">f8"), int, float, "h"]
    )
    def test_data_types(self, data_type):
        assert load(data_type=data_type).data_type == np.dtype(data_type)

    def test_start_times(self):
        assert load(start_time=0).start_time == 0
        assert load(start_time=np.int64(5)).start_time == 5
        assert load(start_time=[0]).start_time == (0,)
        assert load(start_time=range(0, 30, 10)).start_time == (0, 10, 20)

    def test_synthetic_rates(self):
        assert load(synthetic_rate=[]).synthetic_rate == ()
        assert load(synthetic_rate=[3, 0.25]).synthetic_rate == (3.0, 0.25)
        assert load(synthetic_rate=4).synthetic_rate == (4.0, 4.0)
        assert load(synthetic_rate=[499.9, 1]).synthetic_rate == (499.9, 1.0)
        assert load(synthetic_rate=[600, 1], refractory_ms=1).synthetic_rate == (600.0, 1.0)

    def test_limits_belong_to_the_range(self):
        assert load(random_seed=0).random_seed == 0
        assert load(random_seed=2**31 - 1).random_seed == 2**31 - 1
        assert load(time_jitter=0).time_jitter == 0
        assert load(num_singular_values=1).num_singular_values == 1
        assert load(num_singular_values="auto").num_singular_values == "auto"
        assert load(sample_rate=30000.23).sample_rate == 30000.23
        assert load(ground_truth_units=[0], label_base=0).ground_truth_units == (0,)
        assert load(session_name="Sitzung 3 – größer").session_name == "Sitzung 3 – größer"
        assert load(channel_shift=-3).channel_shift == -3
        assert load(event_model="derivative_svd").event_model == "derivative_svd"

    def test_paths(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", "/home/somebody")
        parameters = load(data_directory="ks", raw_source_file="~/raw*.bin", output_directory=Path("../out"))
        assert parameters.data_directory == tmp_path / "ks"
        assert parameters.raw_source_file == Path("/home/somebody/raw*.bin")
        assert parameters.output_directory == tmp_path / "../out"
        assert load(data_directory=PurePosixPath("ks")).output_directory == tmp_path / "ks/hybrid_output"

    def test_folder(self, tmp_path):
        parameters = Parameters.from_mapping({**REQUIRED, "data_directory": "ks"}, source="p.toml", folder=tmp_path)
        assert parameters.data_directory == tmp_path / "ks"
        assert parameters.output_directory == tmp_path / "ks/hybrid_output"
        assert parameters.raw_source_file == Path("/data/raw.bin")

    def test_a_folder_with_brackets_is_no_glob(self, tmp_path):
        folder = tmp_path / "run [1]"
        folder.mkdir()
        (folder / "t1.bin").touch()
        mapping = {**REQUIRED, "raw_source_file": "t*.bin"}
        source = Parameters.from_mapping(mapping, source="p", folder=folder).raw_source_file
        assert list(Path("/").glob(str(source)[1:])) == [folder / "t1.bin"]
        mapping["raw_source_file"] = "t1.bin"
        assert Parameters.from_mapping(mapping, source="p", folder=folder).raw_source_file == folder / "t1.bin"

    def test_probeinterface_probe(self):
        probe = probeinterface.generate_linear_probe(4)
        probe.set_device_channel_indices([3, 2, 1, 0])
        assert load(probe=probe).probe.channel_map.tolist() == [3, 2, 1, 0]
        assert load(probe=probe, raw_source_rows=4).raw_source_rows == 4

    def test_names_of_2018(self):
        probe = neuropixels3a()
        assert load(probe_type=probe).probe == probe
        assert load(jitter_factor=30).time_jitter == 30
        assert load(probe_type=probe, probe=probe).probe == probe


REFUSED = [
    ("data_directory", 5, "must be the path of the folder with the sorter's output, got 5"),
    ("data_directory", "", "must be the path"),
    ("data_directory", "a\0b", "must be the path"),
    ("data_directory", "~nobody-of-this-name/ks", "must be the path"),
    ("raw_source_file", None, "must be the path of the raw recording, or a glob"),
    ("raw_source_file", ["a.bin", "b.bin"], "must be the path of the raw recording, or a glob"),
    ("raw_source_file", b"a.bin", "must be the path"),
    ("data_type", None, "must be a NumPy integer or floating-point type such as 'int16', got None"),
    ("data_type", "int17", "got 'int17'"),
    ("data_type", "complex64", "must be a NumPy"),
    ("data_type", bool, "must be a NumPy"),
    ("data_type", object, "must be a NumPy"),
    ("data_type", "i2,i2", "must be a NumPy"),
    ("data_type", "U5", "must be a NumPy"),
    ("data_type", "timedelta64[s]", "must be a NumPy"),
    ("sample_rate", 0, "must be a sampling rate in Hz (> 0), got 0"),
    ("sample_rate", -30000, "got -30000"),
    ("sample_rate", float("inf"), "got inf"),
    ("sample_rate", float("nan"), "got nan"),
    ("sample_rate", 10**400, "must be a sampling rate"),
    ("sample_rate", "30000", "got '30000'"),
    ("raw_source_format", "open ephys", "the name of a format, such as 'openephys'"),
    ("raw_source_format", 3, "got 3"),
    ("raw_source_options", ["stream_name"], "must be a table of names and plain values"),
    ("raw_source_options", {"stream_name": {"a": 1}}, "got {'stream_name': {'a': 1}}"),
    ("raw_source_options", {"gain": float("nan")}, "got {'gain': nan}"),
    ("sample_rate", True, "got True"),
    ("sample_rate", None, "got None"),
    ("ground_truth_units", [], "unit labels (whole numbers ≥ 0) such as [3, 17], or 'auto' or 'auto:10', got []"),
    ("ground_truth_units", 5, "got 5"),
    ("ground_truth_units", "17", "got '17'"),
    ("ground_truth_units", {3, 17}, "must be a list"),
    ("ground_truth_units", [1.0], "must be a list"),
    ("ground_truth_units", [True], "must be a list"),
    ("ground_truth_units", [-1], "must be a list"),
    ("ground_truth_units", [[1]], "must be a list"),
    ("ground_truth_units", [4, 3, 4, 3], "names 3, 4 more than once: list each once"),
    ("ground_truth_units", [0, 3], "holds the label 0, but labels start at label_base = 1"),
    ("start_time", -1, "must be the first sample of each file (whole numbers ≥ 0), one number or one per"),
    ("start_time", [0, -5], "must be the first sample"),
    ("start_time", 1.5, "got 1.5"),
    ("start_time", [0.0], "must be the first sample"),
    ("start_time", True, "got True"),
    ("start_time", "0", "got '0'"),
    ("probe", "neuropixels3a", "must be a probe, as custom_probe(...), neuropixels3a() or eMouse() give it"),
    ("probe", neuropixels3a, "must be a probe"),
    ("probe", probeinterface.generate_linear_probe(4), "does not serve: no contact"),
    ("session_name", "", "must be text that can stand in a file name"),
    ("session_name", "  ", "must be text"),
    ("session_name", "a/b", "must be text"),
    ("session_name", "a\\b", "must be text"),
    ("session_name", "a\nb", "must be text"),
    ("session_name", "\ud800", "must be text"),
    ("session_name", "ä" * 101, "must be text"),
    ("session_name", 7, "got 7"),
    ("random_seed", -1, "must be a whole number from 0 to 2147483647, got -1"),
    ("random_seed", 2**31, "got 2147483648"),
    ("random_seed", 1.0, "got 1.0"),
    ("random_seed", True, "got True"),
    ("output_directory", 3, "must be the path of the folder to write to, got 3"),
    ("output_type", "ks", "must be one of 'phy', 'kilosort', 'jrc', 'spikeinterface', got 'ks'"),
    ("num_singular_values", 0, "must be a whole number ≥ 1, or 'auto', got 0"),
    ("num_singular_values", "all", "got 'all'"),
    ("num_singular_values", 6.0, "got 6.0"),
    ("num_singular_values", True, "got True"),
    ("num_singular_values", None, "got None"),
    ("channel_shift", 1.5, "must be a whole number of places in the probe's channel list, or None, got 1.5"),
    ("channel_shift", False, "got False"),
    ("synthetic_rate", [5, 0], "must be firing rates in Hz (numbers > 0), one per ground-truth unit, or an"),
    ("synthetic_rate", 0, "must be firing rates"),
    ("synthetic_rate", [5, -1], "must be firing rates"),
    ("synthetic_rate", [5, float("nan")], "must be firing rates"),
    ("synthetic_rate", None, "must be firing rates"),
    ("synthetic_rate", "5", "must be firing rates"),
    ("synthetic_rate", [5], "has 1 value(s) for 2 ground_truth_units"),
    (
        "synthetic_rate",
        [5, 500],
        "holds 500 Hz, which refractory_ms = 2 does not allow: give rates below 500",
    ),
    ("time_jitter", -3, "must be a number of samples ≥ 0, got -3"),
    ("time_jitter", "100", "got '100'"),
    ("amplitude_scale_min", 0, "must be a number > 0, got 0"),
    ("amplitude_scale_max", -1, "must be a number > 0, got -1"),
    ("amplitude_scale_min", 1.5, "(1.5) must not be above amplitude_scale_max (1)"),
    ("samples_before", 0, "must be a whole number of samples ≥ 1, got 0"),
    ("samples_after", 40.0, "must be a whole number of samples ≥ 1, got 40.0"),
    ("copy", 1, "must be one of True, False, got 1"),
    ("copy", "yes", "got 'yes'"),
    ("label_base", 2, "must be one of 0, 1, got 2"),
    ("label_base", True, "got True"),
    ("refractory_ms", 0, "must be a number of milliseconds > 0, got 0"),
    ("event_model", "svd", "must be one of 'shrunk_svd', 'derivative_svd', got 'svd'"),
    ("raw_source_rows", 0, "must be a whole number of rows ≥ 1, got 0"),
    ("target_snr", [12, 5], "a range (smallest, largest)"),
    ("target_amplitude_uV", 0, "a number of µV > 0"),
    ("units_per_donor", 0, "from 1 to 1000"),
    ("remove_original", "yes", "True, False"),
]


class TestRefused:
    @pytest.mark.parametrize(("name", "value", "message"), REFUSED, ids=lambda value: str(value)[:30])
    def test_one_line_with_source_name_value_and_fix(self, name, value, message):
        with pytest.raises(ParameterError) as caught:
            load(**{name: value})
        text = str(caught.value)
        assert text.startswith(f"params.py: {name} ")
        assert message in text
        assert "\n" not in text
        assert len(text) < 300

    def test_every_parameter_has_a_refusal(self):
        assert {name for name, *_ in REFUSED} == set(parameter_names())

    def test_huge_values_are_cut(self):
        with pytest.raises(ParameterError) as caught:
            load(ground_truth_units=[-1] * 10_000)
        assert len(str(caught.value)) < 250

    def test_direct_construction_is_checked_as_well(self):
        with pytest.raises(ParameterError, match=r"^time_jitter must be a number of samples ≥ 0, got -3$"):
            Parameters(**{**REQUIRED, "time_jitter": -3})

    @pytest.mark.parametrize("name", sorted(REQUIRED))
    def test_missing(self, name):
        mapping = {key: value for key, value in REQUIRED.items() if key != name}
        with pytest.raises(ParameterError, match=rf"^p\.toml: required parameter\(s\) missing: {name}; set them$"):
            Parameters.from_mapping(mapping, source="p.toml", folder=None)

    def test_missing_all(self):
        with pytest.raises(ParameterError, match="data_directory, raw_source_file, data_type, sample_rate, g"):
            Parameters.from_mapping({}, source="p", folder=None)

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("num_singular_value", "num_singular_values"),
            ("channel_shfit", "channel_shift"),
            ("Sample_rate", "sample_rate"),
            ("jitter_fact", "jitter_factor"),
            ("output_dir", "output_directory"),
            ("seed", "random_seed"),
            ("home", None),
            (7, None),
        ],
    )
    def test_unknown(self, name, meant):
        with pytest.raises(ParameterError, match=rf"^params\.py: unknown parameter {name!r}; did you mean '") as e:
            Parameters.from_mapping({**REQUIRED, name: 1}, source="params.py", folder=None)
        if meant:
            assert str(e.value).endswith(f"did you mean {meant!r}?")

    def test_two_names_of_one_parameter(self):
        with pytest.raises(ParameterError, match="time_jitter and jitter_factor are two names of one"):
            load(jitter_factor=30, time_jitter=100)
        with pytest.raises(ParameterError, match="probe and probe_type are two names of one"):
            load(probe=neuropixels3a(), probe_type="neuropixels")

    def test_probe_beyond_the_file(self):
        probe = custom_probe([0, 9], [1, 1], [[0, 0], [0, 1]])
        assert load(probe=probe, raw_source_rows=10).raw_source_rows == 10
        with pytest.raises(ParameterError, match="probe names row 9, but raw_source_rows is 9"):
            load(probe=probe, raw_source_rows=9)

    def test_unresolvable_home_in_a_folder(self, tmp_path):
        with pytest.raises(ParameterError, match=r"^p: data_directory: .*'~nobody-of-this-name'"):
            Parameters.from_mapping(
                {**REQUIRED, "data_directory": "~nobody-of-this-name"}, source="p", folder=tmp_path
            )


class TestSizesAndCopies:
    @pytest.mark.parametrize("name", ["target_snr", "target_amplitude_uV"])
    def test_one_number_or_a_range(self, name):
        assert getattr(load(**{name: 8}), name) == 8.0
        assert getattr(load(**{name: [5, 20.5]}), name) == (5.0, 20.5)
        assert getattr(load(**{name: np.array([5, 5])}), name) == (5.0, 5.0)
        for wrong in (0, -1, [5], [20, 5], [0, 5], [1, 2, 3], "8", True, [5, np.inf], {5, 6}, []):
            with pytest.raises(ParameterError, match=rf"{name} must be a number.* > 0, or a range"):
                load(**{name: wrong})

    def test_only_one_of_the_two(self):
        with pytest.raises(ParameterError, match=r"target_snr and target_amplitude_uV .* give one"):
            load(target_snr=8, target_amplitude_uV=100)

    @pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2", 1001, None])
    def test_units_per_donor(self, wrong):
        assert load(units_per_donor=3).units_per_donor == 3
        with pytest.raises(ParameterError, match="units_per_donor must be a whole number"):
            load(units_per_donor=wrong)

    def test_copies_need_places_and_times_of_their_own(self):
        assert load(units_per_donor=1, channel_shift=4, time_jitter=0).channel_shift == 4
        with pytest.raises(ParameterError, match="channel_shift = 4 names one place"):
            load(units_per_donor=2, channel_shift=4)
        with pytest.raises(ParameterError, match="would fire at the same samples"):
            load(units_per_donor=2, time_jitter=0)
        assert load(units_per_donor=2, time_jitter=0, synthetic_rate=5).units_per_donor == 2
        assert (
            load(units_per_donor=2, time_jitter=0, synthetic_rate=5, ground_truth_units="auto").units_per_donor == 2
        )

    def test_remove_original_is_yes_or_no(self):
        assert load(remove_original=True).remove_original is True
        with pytest.raises(ParameterError, match="remove_original must be one of"):
            load(remove_original=1)

    def test_they_repeat_from_their_own_file(self, tmp_path):
        from hybridfactory.parameters import load_parameters, write_hfparams

        asked = load(target_snr=[5, 12.25], units_per_donor=2, remove_original=True)
        write_hfparams(asked, tmp_path / "again.py")
        again = load_parameters(tmp_path / "again.py")
        assert (again.target_snr, again.units_per_donor, again.remove_original) == ((5.0, 12.25), 2, True)
        toml = tmp_path / "params.toml"
        toml.write_text(
            'data_directory = "ks"\nraw_source_file = "raw.bin"\ndata_type = "int16"\nsample_rate = 30000\n'
            "ground_truth_units = [3]\ntarget_amplitude_uV = [100, 250]\nremove_original = true\n"
        )
        assert load_parameters(toml).target_amplitude_uV == (100.0, 250.0)
