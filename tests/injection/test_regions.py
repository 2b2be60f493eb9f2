"""Ranges rounded out to pages."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hybridfactory.injection.regions import GRID_SAMPLES, cut_at_grid, grid_samples, regions_of
from hybridfactory.injection.target_file import PAGE_BYTES
from hybridfactory.recording.flat import FlatFile, FlatRecording

SIZES = (9000, 7001, 30_000)
STARTS = (100, 9100, 20_000)


def recording_of(num_rows, dtype):
    files = tuple(FlatFile(None, start, size) for start, size in zip(STARTS, SIZES, strict=True))
    return FlatRecording(files, np.dtype(dtype), num_rows, 30_000.0)


@st.composite
def worlds(draw):
    """A recording, and ranges in its files, of all lengths, some of which touch each other."""
    recording = recording_of(draw(st.sampled_from([1, 3, 4, 10, 385])), draw(st.sampled_from(["u1", "<i2", "f8"])))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    ranges = []
    for start, size in zip(STARTS, SIZES, strict=True):
        count = draw(st.integers(0, 20))
        edges = np.sort(random.choice(size + 1, 2 * count, replace=False)).reshape(-1, 2)
        if count and draw(st.booleans()):
            edges[1:, 0] = edges[:-1, 1]
        ranges.append(edges + start)
    return recording, np.concatenate(ranges).astype(np.int64)


def mask_of(ranges):
    mask = np.zeros(60_000, dtype=bool)
    for start, stop in ranges:
        mask[start:stop] = True
    return mask


@given(worlds())
def test_cut_ranges_hold_the_same_samples_and_never_cross_the_grid(world):
    recording, ranges = world
    cut, grid = cut_at_grid(ranges, recording), grid_samples(recording)
    assert grid >= GRID_SAMPLES and grid * recording.bytes_per_sample % PAGE_BYTES == 0
    assert (cut[:, 0] < cut[:, 1]).all() and (cut[1:, 0] >= cut[:-1, 1]).all()
    assert np.array_equal(mask_of(cut), mask_of(ranges))
    begin = np.array(STARTS)[recording.file_of(cut[:, 0])]
    assert np.array_equal((cut[:, 0] - begin) // grid, (cut[:, 1] - begin - 1) // grid)
    assert len(cut) <= len(ranges) + sum(size // grid + 1 for size in SIZES)


def shares_copied():
    """Nothing, everything, or some of each file."""
    some = st.lists(st.sampled_from([0, 0.001, 0.3, 0.99, 1]), min_size=3, max_size=3)
    return st.one_of(st.none(), st.just([0, 0, 0]), some)


@given(worlds(), shares_copied())
def test_every_range_is_in_one_region_and_no_page_in_two(world, shares):
    recording, ranges = world
    ranges = cut_at_grid(ranges, recording)
    size = recording.bytes_per_sample
    copied = (
        None if shares is None else [int(share * count * size) for share, count in zip(shares, SIZES, strict=True)]
    )
    regions = regions_of(ranges, recording, copied)
    written = [np.zeros(count * size, dtype=np.int8) for count in SIZES]
    found = []
    for region in regions.part(slice(None)):
        assert 0 < region.stop - region.start <= grid_samples(recording)
        assert region.start * size <= region.first_byte < region.last_byte <= region.stop * size
        assert region.first_byte % PAGE_BYTES == 0
        assert region.last_byte % PAGE_BYTES == 0 or region.last_byte == SIZES[region.file_index] * size
        written[region.file_index][region.first_byte : region.last_byte] += 1
        begin = STARTS[region.file_index] + region.start
        for first, last in region.places:
            assert region.first_byte <= region.start * size + first < region.start * size + last <= region.last_byte
            found.append((begin + first // size, begin + last // size))
    assert found == [tuple(pair) for pair in ranges.tolist()]
    assert max(pages.max() for pages in written) <= 1
    for pages, count in zip(written, copied or [10**9] * 3, strict=True):
        assert pages[count:].all()
    if copied is None or [count // size for count in copied] == list(SIZES):
        touched = sum(int(pages.sum()) for pages in written)
        assert touched <= np.diff(ranges, axis=1).sum() * size + 2 * PAGE_BYTES * len(ranges)
    if len(regions):
        starts, stops = zip(*((regions.extent(slice(n, n + 1))) for n in range(len(regions))), strict=True)
        assert regions.extent(slice(None)) == (min(starts), max(stops))


def test_no_ranges_no_regions():
    recording = recording_of(4, "<i2")
    nothing = cut_at_grid(np.zeros((0, 2), dtype=np.int64), recording)
    assert nothing.shape == (0, 2) and len(regions_of(nothing, recording)) == 0
    assert len(regions_of(nothing, recording, [0, 0, 0])) == sum(-(-size // GRID_SAMPLES) for size in SIZES)
