"""Who wrote a phy folder: each rule, and which of two wins."""

from pathlib import Path

import pytest

from hybridfactory.sorting.phy_origin import Origin, channel_map_is_raw, decide_origin
from hybridfactory.sorting.phy_params import PhyParams

RAW = PhyParams(dat_paths=("raw.bin",))
WHITENED = PhyParams(dat_paths=("C:/scratch/temp_wh.dat",))
FILTERED = PhyParams(dat_paths=("other.dat",), hp_filtered=True)
COPY = PhyParams(dat_paths=("/run/recording.dat",))
UNSTATED = PhyParams()


@pytest.mark.parametrize(
    ("names", "matlab", "num_templates", "params", "origin"),
    [
        ({"channel_map_si.npy"}, False, 7, RAW, Origin.SPIKEINTERFACE),
        ({"cluster_si_unit_ids.tsv"}, False, 32, RAW, Origin.SPIKEINTERFACE),
        ({"ops.npy", "cluster_KSLabel.tsv"}, False, 7, RAW, Origin.KILOSORT_4),
        ({"spike_sites.npy"}, True, 64, RAW, Origin.JRCLUST),
        ({"spike_sites.npy"}, False, 64, RAW, Origin.OTHER),
        (set(), False, 64, RAW, Origin.OTHER),
        ({"cluster_KSLabel.tsv"}, True, 64, RAW, Origin.KILOSORT_2_OR_3),
        (set(), True, 64, FILTERED, Origin.KILOSORT_2_OR_3),
        (set(), True, 64, WHITENED, Origin.KILOSORT_2_OR_3),
        (set(), True, 64, RAW, Origin.KILOSORT_1),
        ({"cluster_group.tsv"}, True, 512, UNSTATED, Origin.KILOSORT_1),
    ],
)
def test_origin(names: set[str], matlab: bool, num_templates: int, params: PhyParams, origin: Origin) -> None:
    found, warnings = decide_origin(names, matlab_written=matlab, num_templates=num_templates, params=params)
    assert (found, warnings) == (origin, ())


@pytest.mark.parametrize("num_templates", [0, 63])
def test_ambiguous_is_left_alone_with_a_warning(num_templates: int) -> None:
    origin, warnings = decide_origin(set(), matlab_written=True, num_templates=num_templates, params=RAW)
    assert origin is Origin.OTHER
    assert not origin.is_one_based
    assert len(warnings) == 1


@pytest.mark.parametrize(
    ("origin", "params", "expected"),
    [
        (Origin.KILOSORT_1, RAW, True),
        (Origin.KILOSORT_1, UNSTATED, True),
        (Origin.KILOSORT_1, COPY, False),
        (Origin.KILOSORT_2_OR_3, RAW, True),
        (Origin.KILOSORT_2_OR_3, WHITENED, False),
        (Origin.KILOSORT_2_OR_3, FILTERED, False),
        (Origin.KILOSORT_2_OR_3, UNSTATED, False),
        (Origin.KILOSORT_4, RAW, True),
        (Origin.KILOSORT_4, COPY, False),
        (Origin.JRCLUST, RAW, True),
        (Origin.SPIKEINTERFACE, RAW, False),
        (Origin.OTHER, RAW, False),
    ],
)
def test_channel_map_of_a_file_that_is_not_the_source(origin: Origin, params: PhyParams, expected: bool) -> None:
    elsewhere = [Path("renamed.bin")]
    assert channel_map_is_raw(origin, params, names_source=False, source_paths=elsewhere) is expected


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize("params", [RAW, WHITENED, FILTERED, COPY])
def test_channel_map_of_the_source_itself(origin: Origin, params: PhyParams) -> None:
    assert channel_map_is_raw(origin, params, names_source=True, source_paths=[Path("raw.bin")])


@pytest.mark.parametrize(("params", "expected"), [(RAW, True), (COPY, False), (UNSTATED, False)])
def test_without_a_source_the_stated_file_is_trusted(params: PhyParams, expected: bool) -> None:
    found = channel_map_is_raw(Origin.SPIKEINTERFACE, params, names_source=False, source_paths=[])
    assert found is expected
