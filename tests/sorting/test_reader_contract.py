"""The contract that every reader keeps, whatever the layout: the same truth comes out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from layouts import LAYOUTS, RAW_NAME, Layout

from hybridfactory.sorting import Sorting, detect_format, read_sorting


class ReaderContract:
    """Subclass, and give `layouts`, to hold a reader to it."""

    layouts: tuple[Layout, ...]

    def __init_subclass__(cls) -> None:
        cls.pytestmark = pytest.mark.parametrize("layout", cls.layouts, ids=lambda layout: layout.name)

    @pytest.fixture
    def folder(self, layout: Layout, tmp_path: Path) -> Path:
        folder = tmp_path / "sorted"
        folder.mkdir()
        layout.write(folder)
        return folder

    @pytest.fixture
    def read(self, folder: Path, tmp_path: Path) -> Callable[..., Sorting]:
        def read(**options: object) -> Sorting:
            return read_sorting(folder, source_paths=[tmp_path / RAW_NAME], **options)  # type: ignore[arg-type]

        return read

    def test_format_is_detected(self, layout: Layout, folder: Path) -> None:
        assert detect_format(folder) == layout.source_format

    def test_times_are_zero_based_int64_and_ascending(self, layout: Layout, read: Callable[..., Sorting]) -> None:
        times = read().spike_times
        assert times.dtype == np.int64
        np.testing.assert_array_equal(times, layout.times)

    def test_labels_start_at_one(self, layout: Layout, read: Callable[..., Sorting]) -> None:
        sorting = read()
        assert sorting.spike_labels.dtype == np.int64
        np.testing.assert_array_equal(sorting.spike_labels, layout.labels)
        assert sorting.labels.min() >= 1
        assert 0 not in sorting.labels

    def test_label_base_zero_gives_the_ids_of_phy(self, layout: Layout, read: Callable[..., Sorting]) -> None:
        expected = layout.labels - 1 if layout.phy_ids is None else layout.phy_ids
        sorting = read(label_base=0)
        np.testing.assert_array_equal(sorting.spike_labels, expected)
        assert sorting.label_base == 0

    def test_main_rows_are_rows_of_the_raw_file(self, layout: Layout, read: Callable[..., Sorting]) -> None:
        assert dict(read().unit_main_rows) == layout.main_rows

    def test_main_rows_follow_the_label_base(self, layout: Layout, read: Callable[..., Sorting]) -> None:
        sorting, shifted = read(), read(label_base=0)
        rows_of_spikes = [
            {
                (time, s.unit_main_rows.get(int(label)))
                for time, label in zip(s.spike_times, s.spike_labels, strict=True)
            }
            for s in (sorting, shifted)
        ]
        assert rows_of_spikes[0] == rows_of_spikes[1]

    def test_rate_and_rows_as_stated(self, layout: Layout, read: Callable[..., Sorting]) -> None:
        sorting = read()
        assert sorting.sampling_frequency == layout.rate
        assert sorting.num_rows == layout.num_rows

    def test_rows_of_another_file_are_not_handed_on(self, layout: Layout, folder: Path) -> None:
        assert read_sorting(folder, source_paths=[Path("another.bin")]).num_rows is None
        assert read_sorting(folder).num_rows is None

    def test_warns_only_where_it_matters(self, layout: Layout, read: Callable[..., Sorting]) -> None:
        warnings = read().warnings
        if layout.warns_of is None:
            assert warnings == ()
        else:
            assert [layout.warns_of in warning for warning in warnings] == [True]

    def test_templates_and_sites_match_the_spikes(self, layout: Layout, read: Callable[..., Sorting]) -> None:
        sorting = read()
        for column in (sorting.spike_templates, sorting.spike_channel_index):
            assert column is None or (column.dtype == np.int64 and column.shape == sorting.spike_times.shape)
        assert (sorting.spike_channel_index is not None) == (layout.source_format == "jrc")

    def test_format_may_be_named(self, layout: Layout, read: Callable[..., Sorting]) -> None:
        assert read(output_type=layout.source_format).source_format == layout.source_format


class TestPhy(ReaderContract):
    layouts = tuple(layout for layout in LAYOUTS if layout.source_format == "phy")


class TestKilosort(ReaderContract):
    layouts = tuple(layout for layout in LAYOUTS if layout.source_format == "kilosort")


class TestJrclust(ReaderContract):
    layouts = tuple(layout for layout in LAYOUTS if layout.source_format == "jrc")
