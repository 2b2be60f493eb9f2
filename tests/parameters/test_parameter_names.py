"""Slips of the pen, told from the helper variables of a Python parameter file."""

import pytest

from hybridfactory.parameters import parameter_names
from hybridfactory.parameters.names import ALIASES, find_slip, nearest_name

KNOWN = (*parameter_names(), *ALIASES)

# fmt: off
HELPERS = [
    "home", "refchans", "xcoords", "ycoords", "channel_map", "connected", "channel_positions", "name",
    "probe_name", "data_dir", "base", "rng", "erase", "samples", "units", "seed", "event_threshold",
    "output_dir", "raw_dir", "root", "folder", "path", "basedir", "session", "date", "animal", "subject",
    "fs", "srate", "nchan", "num_channels", "n_channels", "num_chans", "nChans", "sites", "shank_ids",
    "kcoords", "bank", "start", "end", "stop", "times", "t_start", "t_stop", "dtype", "raw", "bin", "meta",
    "metas", "meta_files", "files", "rate", "rates", "jitter", "amplitude", "scale", "shift", "model",
    "num_samples", "i", "k", "x", "y", "z", "op", "good", "good_units", "ground_truth", "probe_file",
    "probe_dir", "sample_time", "start_date", "time", "start_sec", "sampling_rate",
]
# fmt: on

SLIPS = {
    "num_singular_value": "num_singular_values",
    "num_singular_vals": "num_singular_values",
    "channel_shfit": "channel_shift",
    "channelshift": "channel_shift",
    "chanel_shift": "channel_shift",
    "Sample_rate": "sample_rate",
    "sample_Rate": "sample_rate",
    "samplerate": "sample_rate",
    "sample_before": "samples_before",
    "sampels_after": "samples_after",
    "ground_truth_unit": "ground_truth_units",
    "groundtruth_units": "ground_truth_units",
    "time_jiter": "time_jitter",
    "jitter_facter": "jitter_factor",
    "start_times": "start_time",
    "random_sed": "random_seed",
    "amplitude_scale": "amplitude_scale_max",
    "amplitude_scale_mn": "amplitude_scale_min",
    "syntetic_rate": "synthetic_rate",
    "synthetic_rates": "synthetic_rate",
    "raw_source_files": "raw_source_file",
    "data_directroy": "data_directory",
    "output_typ": "output_type",
    "outputDirectory": "output_directory",
    "Copy": "copy",
    "probetype": "probe_type",
    "Probe": "probe",
    "porbe": "probe",
    "session_nam": "session_name",
    "label_bas": "label_base",
    "refractory_sm": "refractory_ms",
    "event_modle": "event_model",
}


@pytest.mark.parametrize("name", HELPERS)
def test_helpers_pass(name):
    assert find_slip(name, KNOWN, ()) is None


@pytest.mark.parametrize(("name", "meant"), SLIPS.items())
def test_slips_are_caught(name, meant):
    assert find_slip(name, KNOWN, ()) == meant


@pytest.mark.parametrize("name", ["num_singular_value", "channel_shfit", "Sample_rate"])
def test_slips_are_caught_beside_the_right_name(name):
    assert find_slip(name, KNOWN, KNOWN) is not None


@pytest.mark.parametrize(("name", "parameter"), [("start_times", "start_time"), ("probe1", "probe")])
def test_a_longer_name_beside_the_parameter_is_a_helper(name, parameter):
    assert find_slip(name, KNOWN, {parameter}) is None
    assert find_slip(name, KNOWN, ()) == parameter


def test_nearest_name():
    assert nearest_name("num_singular_value", KNOWN) == "num_singular_values"
    assert nearest_name("SAMPLE_RATE", KNOWN) == "sample_rate"
    assert nearest_name("zzz", KNOWN) in KNOWN
