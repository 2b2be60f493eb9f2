"""Rendered samples, against a naive rendering of the plan, bit for bit where that is what is promised."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridfactory.injection.render import render

INTEGERS = ["i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8", "u1", "<u2", ">u2", "<u4", ">u4", "<u8", ">u8"]
FLOATS = ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]
STOP, NUM_ROWS = 3000, 10
FREE_ROWS = [2, 8, 9]


def host(dtype, seed=3):
    """A recording in the middle of its type's range, far enough from the ends not to clip."""
    dtype = np.dtype(dtype)
    random = np.random.default_rng(seed)
    if dtype.kind == "f":
        return (20 * random.standard_normal((STOP, NUM_ROWS))).astype(dtype)
    limits = np.iinfo(dtype)
    middle = (int(limits.max) + int(limits.min) + 1) // 2
    spread = min(100, int(limits.max) // 8)
    drawn = random.integers(0, 2 * spread, (STOP, NUM_ROWS)).astype(dtype.newbyteorder("="))
    return (drawn + drawn.dtype.type(middle - spread)).astype(dtype)


def exact_difference(hybrid, source):
    """In integers of any size, or float64."""
    if source.dtype.kind == "f":
        return hybrid.astype(np.float64) - source.astype(np.float64)
    return (hybrid.astype(object) - source.astype(object)).astype(np.float64)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_hold_the_rounded_plan(scene, dtype):
    small = scene.scaled(0.1) if np.dtype(dtype).itemsize == 1 else scene
    source = host(dtype)
    if np.dtype(dtype).itemsize == 8:
        # Odd numbers beyond 2**53: float64 would lose them.
        source = (source + source.dtype.type(2**61 + 1)).astype(dtype)
    before = source.copy()
    hybrid = render(source, 0, small.script)
    assert hybrid.dtype == source.dtype
    assert np.array_equal(source, before)
    patch = small.patch(0, STOP)
    difference = exact_difference(hybrid, source)
    assert np.abs(difference - patch).max() <= 0.5 + 1e-3
    away_from_ties = np.abs(patch - np.rint(patch)) < 0.499
    assert np.array_equal(difference[away_from_ties], np.rint(patch)[away_from_ties])
    assert np.abs(difference).max() > 5


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_hold_the_plan(scene, dtype):
    source = host(dtype)
    hybrid = render(source, 0, scene.script)
    assert hybrid.dtype == source.dtype
    expected = source.astype(np.float64) + scene.patch(0, STOP)
    spacing = np.spacing(np.maximum(np.abs(expected), 1).astype(source.dtype)).astype(np.float64)
    assert (np.abs(hybrid.astype(np.float64) - expected) <= spacing + 1e-3).all()


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_what_no_event_covers_keeps_its_bits(scene, dtype):
    bytes_drawn = np.random.default_rng(4).integers(0, 256, (STOP, NUM_ROWS * np.dtype(dtype).itemsize))
    # Any bits at all: NaN with payloads, -0.0, the ends of the range.
    source = bytes_drawn.astype(np.uint8).view(dtype)
    covered = np.zeros((STOP, NUM_ROWS), dtype=bool)
    for unit in scene.plan.injected_units:
        for sample in unit.samples:
            covered[sample - 12 : sample + 19, unit.rows] = True
    with np.errstate(all="ignore"):
        hybrid = render(source, 0, scene.script)
    same_bits = (hybrid.view(np.uint8) == source.view(np.uint8)).reshape(STOP, NUM_ROWS, -1).all(axis=2)
    assert same_bits[~covered].all()
    assert not covered[:, FREE_ROWS].any()
    assert 0.1 < covered.mean() < 0.9


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
def test_odd_floats_keep_their_bits_where_nothing_is_added(scene, dtype):
    source = np.zeros((STOP, NUM_ROWS), dtype=dtype)
    unsigned = source.view(source.dtype.str.replace("f", "u"))
    # A signalling NaN with a payload, a quiet one, and minus zero.
    bits = source.dtype.itemsize * 8
    exponent = {16: 0x7C00, 32: 0x7F800000, 64: 0x7FF0000000000000}[bits]
    unsigned[:, 2], unsigned[:, 8], unsigned[:, 9] = exponent + 5, exponent + exponent // 2 + 3, 1 << (bits - 1)
    hybrid = render(source, 0, scene.script)
    assert hybrid[:, FREE_ROWS].tobytes() == source[:, FREE_ROWS].tobytes()
    assert not np.array_equal(hybrid, source)


def constant_scene(scene_of, value):
    """One event of one row, `value` on every sample but the ends."""
    from dataclasses import replace

    scene = scene_of(lambda label: [100])
    unit = next(unit for unit in scene.plan if unit.donor_label == 5)
    model = replace(
        scene.models[5],
        mean=np.full((31, 3), value, dtype=np.float32),
        phases=np.zeros(40, dtype=np.int64),
    )
    unit = replace(unit, amplitude_factors=np.ones(1, dtype=np.float32))
    return type(scene)(replace(scene.plan, units=(unit,)), {5: model})


@pytest.mark.parametrize("dtype", ["i1", "<i2", ">i2", "<u2", "<i4", "<i8", "<u8"])
@pytest.mark.parametrize("value", [0.5, 1.5, -0.5, -2.5, 0.25, -0.75])
def test_sums_are_rounded_half_to_even(scene_of, dtype, value):
    """The sum is rounded, not the change: 3 + 0.5 becomes 4 and 4 + 0.5 stays 4."""
    scene = constant_scene(scene_of, value)
    row = int(scene.plan.units[0].rows[0])
    source = np.full((200, NUM_ROWS), 40, dtype=dtype)
    source[::2] = 41
    hybrid = render(source, 0, scene.script)
    inside = slice(90, 118)
    assert np.array_equal(hybrid[inside, row], np.rint(source[inside, row].astype(np.float64) + value))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("sign", [1, -1])
def test_clipping_stops_at_the_end_of_the_range(scene_of, dtype, sign):
    limits = np.iinfo(dtype)
    end = int(limits.max) if sign > 0 else int(limits.min)
    scene = constant_scene(scene_of, 30.0 * sign)
    row, other = (int(row) for row in scene.plan.units[0].rows)
    source = np.full((200, NUM_ROWS), end - sign * 40, dtype=dtype)
    source[:, row] = end - sign * 20
    source[88, row] = end - sign * 30
    clipped = np.zeros(1, dtype=np.int32)
    hybrid = render(source, 0, scene.script, clipped)
    assert (hybrid[90:118, row] == end).all()
    assert (hybrid[90:118, other] == end - sign * 10).all()
    # Exactly at the end of the range is not clipped, and neither are samples outside the event.
    assert clipped.tolist() == [30]


def test_overlapping_events_both_count_their_clipped_samples(scene_of):
    scene = scene_of(lambda label: {2: [100], 5: [105], 9: [2000]}[label])
    source = np.full((STOP, NUM_ROWS), 32767, dtype="<i2")
    clipped = np.zeros(3, dtype=np.int32)
    hybrid = render(source, 0, scene.script, clipped)
    patch = scene.patch(0, STOP)
    too_high = patch > 0.5 + 1e-3
    assert (hybrid[too_high] == 32767).all()
    expected = []
    for sample, unit in zip(scene.script.samples, scene.script.units, strict=True):
        rows = next(u.rows for u in scene.plan if u.injected_label == scene.script.labels[unit])
        expected.append(int(too_high[sample - 12 : sample + 19][:, rows].sum()))
    assert clipped == pytest.approx(np.array(expected), abs=1)
    shared = too_high[93:119, 5].sum()
    assert shared > 0 and clipped[0] + clipped[1] > too_high[:1000].sum()


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
def test_floats_are_never_counted_as_clipped(scene, dtype):
    clipped = np.zeros(scene.script.samples.size, dtype=np.int32)
    render(host(dtype), 0, scene.script, clipped)
    assert not clipped.any()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, STOP - 1), max_size=30), st.sampled_from(["<i2", ">u2", "<f4", "<i8"]))
def test_any_cut_gives_the_same_bytes_and_counts(scene, cuts, dtype):
    source = host(dtype)
    if dtype == "<i2":
        source = source + source.dtype.type(32_600)
    whole_count = np.zeros(scene.script.samples.size, dtype=np.int32)
    whole = render(source, 0, scene.script, whole_count)
    edges = [0, *sorted(set(cuts)), STOP]
    counts = np.zeros_like(whole_count)
    pieces = [render(source[a:b], a, scene.script, counts).tobytes() for a, b in pairwise(edges)]
    assert b"".join(pieces) == whole.tobytes()
    assert np.array_equal(counts, whole_count)


@given(st.integers(0, 2900), st.integers(1, 100))
@settings(max_examples=30, deadline=None)
def test_a_part_of_the_script_renders_its_range_alike(scene, start, length):
    stop = start + length
    source = host("<i2")[start:stop]
    first, last = scene.script.events_in(start, stop)
    part = scene.script.part(first, last)
    assert part.samples.size == last - first
    assert np.array_equal(render(source, start, part), render(source, start, scene.script))


def test_source_far_from_all_events_is_copied(scene):
    source = host("<i2")
    hybrid = render(source, 10**9, scene.script)
    assert np.array_equal(hybrid, source) and not np.shares_memory(hybrid, source)


def test_amplitude_factor_multiplies_the_whole_event(scene):
    empty = np.zeros((STOP, NUM_ROWS), dtype=np.float64)
    once, twice = render(empty, 0, scene.script), render(empty, 0, scene.scaled(2).script)
    assert twice == pytest.approx(2 * once, abs=1e-3)


def test_a_read_only_source_is_fine(scene):
    source = host("<i2")
    source.setflags(write=False)
    render(source, 0, scene.script)[0, 0] = 1
