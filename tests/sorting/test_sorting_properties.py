"""Properties that hold for any spikes, and any bytes in place of a file."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import phy_kilosort4

from hybridfactory.errors import HybridFactoryError
from hybridfactory.sorting import read_sorting
from hybridfactory.sorting.assembly import assemble, most_frequent

SPIKES = st.lists(st.tuples(st.integers(0, 10**9), st.integers(-3, 6)), min_size=1, max_size=60)


@given(SPIKES, st.sampled_from([0, 1]))
def test_assembly_sorts_and_keeps_every_spike(spikes: list[tuple[int, int]], label_base: int) -> None:
    times, labels = np.array(spikes, np.int64).T
    labels[0] = label_base
    sorting = assemble(
        Path("sorted"),
        spike_times=times,
        spike_labels=labels,
        label_base=label_base,
        source_format="phy",
        spike_templates=np.arange(times.size),
        unit_main_rows={},
        sampling_frequency=None,
        num_rows=None,
        warnings=(),
    )
    assert np.all(np.diff(sorting.spike_times) >= 0)
    assert sorting.spike_templates is not None
    np.testing.assert_array_equal(times[sorting.spike_templates], sorting.spike_times)
    kept = np.maximum(labels, label_base - 1)[sorting.spike_templates]
    np.testing.assert_array_equal(kept, sorting.spike_labels)
    ties = np.diff(sorting.spike_times) == 0
    assert np.all(np.diff(sorting.spike_templates)[ties] > 0)  # stable
    trains = [sorting.spike_train(int(label)) for label in sorting.labels]
    assert sum(map(len, trains)) == np.count_nonzero(labels >= label_base)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-(2**60), 2**60)), min_size=1, max_size=40))
def test_most_frequent_against_counting(pairs: list[tuple[int, int]]) -> None:
    labels, values = np.array(pairs, np.int64).T
    found = most_frequent(labels, values)
    assert set(found) == set(labels.tolist())
    for label, value in found.items():
        of_label = values[labels == label].tolist()
        assert value == min(of_label, key=lambda v: (-of_label.count(v), v))


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 400), junk=st.binary(max_size=40), at=st.integers(0, 140))
def test_any_bytes_are_read_or_refused(tmp_path_factory, cut: int, junk: bytes, at: int) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("phy")
    phy_kilosort4(folder)
    whole = (folder / "spike_times.npy").read_bytes()
    changed = (whole[:at] + junk + whole[at + len(junk) :])[: len(whole) - cut]
    (folder / "spike_times.npy").write_bytes(changed)
    try:
        sorting = read_sorting(folder)
    except HybridFactoryError as error:
        assert "\n" not in str(error)
    else:
        assert sorting.spike_times.min() >= 0
