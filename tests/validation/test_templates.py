"""Stored templates: on which row each channel is, where a moved template lands, and how alike two are."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sorted_run import Sorted, compare, sorted_run

from hybridfactory.errors import SortingError
from hybridfactory.probes import Probe, custom_probe
from hybridfactory.sorting import StoredTemplates
from hybridfactory.validation.kernel import best_scores
from hybridfactory.validation.template_rows import moved_template, on_probe
from hybridfactory.validation.template_scores import TemplatePair, centre, score_templates


@pytest.fixture
def probe() -> Probe:
    """Two columns of six sites; rows in no order, one site dead, and a row without a site."""
    rows = np.array([7, 2, 9, 4, 0, 11, 1, 8, 3, 10, 5, 6, 12])
    positions = np.array([(20.0 * (k % 2), 25.0 * (k // 2)) for k in range(12)] + [(np.nan, np.nan)])
    connected = np.array([True] * 12 + [False])
    connected[4] = False
    return custom_probe(rows, connected, positions)


def numbered(num_channels: int) -> NDArray[np.float32]:
    """One template whose value on each channel is the channel's number, from 1."""
    return np.broadcast_to(np.arange(1, num_channels + 1, dtype=np.float32), (1, 5, num_channels)).copy()


def stored(rows: Any, positions: Any) -> StoredTemplates:
    count = len(rows) if rows is not None else len(positions)
    return StoredTemplates(numbered(count), rows, positions, Path("templates.npy"))


def test_channels_are_raw_rows(probe: Probe) -> None:
    order = np.random.default_rng(0).permutation(11)
    templates = stored(probe.connected_rows[order], probe.connected_positions[order] + [16, 500])
    assert on_probe(templates, probe)[0, 0, order].tolist() == list(range(1, 12))


def test_channels_of_a_copy_are_numbers_of_connected_sites(probe: Probe) -> None:
    """A whitened copy holds the connected rows alone: its row 7 is the eighth of them."""
    templates = stored(np.arange(11), probe.connected_positions)
    assert on_probe(templates, probe)[0, 0].tolist() == list(range(1, 12))


def test_positions_decide_where_numbers_do_not(probe: Probe) -> None:
    order = np.random.default_rng(1).permutation(11)
    templates = stored(100 + np.arange(11), probe.connected_positions[order])
    assert on_probe(templates, probe)[0, 0, order].tolist() == list(range(1, 12))


def test_channels_that_were_left_out_are_zero(probe: Probe) -> None:
    kept = np.array([0, 3, 5])
    templates = stored(probe.connected_rows[kept], None)
    waveform = on_probe(templates, probe)[0, 0]
    assert waveform[kept].tolist() == [1, 2, 3]
    assert np.delete(waveform, kept).tolist() == [0] * 8


@pytest.mark.parametrize(
    ("rows", "positions"),
    [
        (np.arange(32), None),
        (np.arange(32), np.stack([np.zeros(32), 20.0 * np.arange(32)], axis=1)),
        (None, np.stack([np.zeros(11), 20.0 * np.arange(11)], axis=1)),
        (np.array([2, 2, 9]), None),
    ],
)
def test_templates_of_another_probe_are_refused(probe: Probe, rows: Any, positions: Any) -> None:
    with pytest.raises(SortingError, match="not those of this run's probe"):
        on_probe(stored(rows, positions), probe)


def test_a_translation_carries_every_site(probe: Probe) -> None:
    template = numbered(11)[0]
    unit = pd.Series({"move": "translation", "displacement_x_um": 0.0, "displacement_y_um": 25.0})
    moved = moved_template(template, unit, probe, template)
    for site, place in enumerate(probe.connected_positions):
        came_from = np.flatnonzero(np.all(probe.connected_positions == place - [0, 25], axis=1))
        assert moved[0, site] == (template[0, came_from[0]] if came_from.size else 0)


def test_a_rotation_is_told_by_the_injected_mean() -> None:
    """A tetrode: of the turns that carry site 0 to site 1, the mean of the injected events tells which it was."""
    square = np.array([(0.0, 0.0), (20.0, 0.0), (20.0, 20.0), (0.0, 20.0)])
    probe = custom_probe(np.arange(4), np.ones(4, dtype=bool), square)
    wave = np.array([0, -1, -3, -1, 0], dtype=np.float32)
    template = wave[:, None] * np.array([1.0, 0.7, 0.2, 0.4], dtype=np.float32)
    for kind, target in (("rotation", [3, 0, 1, 2]), ("reflection", [1, 0, 3, 2])):
        # Site k of the result is what was on site target[k].
        injected = template[:, target]
        unit = pd.Series({"move": kind, "center_channel": 1})
        assert np.array_equal(moved_template(template, unit, probe, injected), injected), kind


def random_pair(seed: int, num_found: int = 6) -> TemplatePair:
    rng = np.random.default_rng(seed)
    window = np.hanning(21)[:, None] ** 2
    found = (rng.normal(size=(num_found, 21, 8)) * window).astype(np.float32)
    found[:, 10, 3] = -5
    return TemplatePair(found[[4, 1]], found, "stored")


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 50))
def test_pearson_is_that_of_numpy_and_blind_to_scale(seed: int, scale: float) -> None:
    pair = random_pair(seed)
    scores = score_templates(pair, "pearson")
    assert scores[[0, 1], [4, 1]] == pytest.approx([1, 1], abs=1e-6)
    flat = [part.reshape(len(part), -1) for part in (pair.injected, pair.found)]
    expected = np.corrcoef(*flat)[: len(flat[0]), len(flat[0]) :]
    assert scores == pytest.approx(expected, abs=1e-5)
    scaled = TemplatePair(pair.injected * np.float32(scale), pair.found, "stored")
    assert score_templates(scaled, "pearson") == pytest.approx(scores, abs=1e-5)


def test_frobenius_is_the_norm_of_the_difference() -> None:
    pair = random_pair(3)
    scores = score_templates(pair, "frobenius")
    assert scores[[0, 1], [4, 1]].tolist() == [0, 0]
    for row, template in enumerate(pair.injected):
        for column, other in enumerate(pair.found):
            assert scores[row, column] == pytest.approx(np.linalg.norm(template - other), rel=1e-5)


def test_templates_are_compared_from_trough_to_trough() -> None:
    pair = random_pair(4)
    late = np.pad(pair.injected, ((0, 0), (7, 0), (0, 0)))
    scores = score_templates(TemplatePair(late, pair.found, "stored"), "pearson")
    assert scores[[0, 1], [4, 1]] == pytest.approx([1, 1], abs=1e-6)
    assert centre(late, 10, 21)[0, 10, 3] == -5


def test_units_without_a_template_have_no_score() -> None:
    pair = random_pair(5)
    pair.found[2] = np.nan
    pair.found[3] = 0
    for metric in ("pearson", "frobenius"):
        scores = score_templates(pair, metric)  # type: ignore[arg-type]
        assert np.isnan(scores[:, [2, 3]]).all()
        assert np.isfinite(scores[:, [0, 1, 4, 5]]).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_best_of_those_that_fire_nearby(seed: int) -> None:
    rng = np.random.default_rng(seed)
    places, found = (np.sort(rng.integers(0, 4000, count)) for count in (40, 90))
    units, found_units = (rng.integers(0, 3, count).astype(np.int32) for count in (40, 90))
    scores = rng.integers(0, 4, (3, 3)).astype(np.float64)
    scores[1, 2] = -np.inf  # a unit without a template
    best = best_scores(places, units, found, found_units, scores, 30)
    for event, chosen in enumerate(best):
        near = np.flatnonzero(np.abs(found - places[event]) <= 30)
        near = near[np.isfinite(scores[units[event], found_units[near]])]
        if not near.size:
            assert chosen == -1
            continue
        keys = [(-scores[units[event], found_units[k]], abs(found[k] - places[event])) for k in near]
        assert (-scores[units[event], found_units[chosen]], abs(found[chosen] - places[event])) == min(keys)


def kilosort_like(
    folder: Path, worlds: Any, trains: dict[int, NDArray[np.int64]], templates: dict[int, Any], probe: Probe
) -> None:
    """A phy folder with a template per unit, on the connected rows in an order of its own."""
    worlds.write_phy(folder, trains)
    order = np.random.default_rng(7).permutation(probe.connected_rows.size)
    rows = probe.connected_rows[order]
    dense = np.zeros((max(trains), 81, rows.size), dtype=np.float32)
    for label, template in templates.items():
        dense[label - 1] = template[:, rows] / np.abs(template).max()
    np.save(folder / "templates.npy", dense)
    np.save(folder / "channel_map.npy", rows)
    np.save(folder / "channel_positions.npy", probe.connected_positions[order])


@pytest.fixture(scope="module")
def templated(worlds: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Sorted, Path]:
    """A run whose original sorting keeps templates, and a perfect sorting of it that keeps true ones."""
    world = worlds.make_world(tmp_path_factory.mktemp("templated"), num_samples=80_000)
    kilosort_like(world.sorting, worlds, world.stated, world.templates, world.probe)
    hybrid = sorted_run(world, tmp_path_factory.mktemp("run") / "hybrid")
    injected = {}
    for unit in hybrid.run.units.to_dict("records"):
        shift = np.array([unit["displacement_x_um"], unit["displacement_y_um"]])
        moved = np.zeros_like(world.templates[unit["true_unit"]])
        places = dict(zip(world.probe.connected_rows, world.probe.connected_positions, strict=True))
        for row, place in places.items():
            target = [other for other, there in places.items() if np.allclose(there, place + shift)]
            if target:
                moved[:, target[0]] = world.templates[unit["true_unit"]][:, row]
        injected[int(unit["new_unit"])] = moved
    folder = tmp_path_factory.mktemp("perfect") / "perfect"
    kilosort_like(folder, worlds, hybrid.trains, world.templates | injected, world.probe)
    return hybrid, folder


def test_stored_templates_of_a_perfect_sorting(templated: tuple[Sorted, Path], tmp_path: Path) -> None:
    hybrid, folder = templated
    result = compare(hybrid.folder, folder, output_directory=tmp_path / "out")
    table = result.sorters[0].template_units
    assert set(table["origin"]) == {"stored"}
    assert table["template_unit"].tolist() == table["best_unit"].tolist() == [label - 1 for label in hybrid.injected]
    assert table["score"].to_numpy() == pytest.approx(np.ones(5), abs=1e-4)
    assert table["best_score"].tolist() == table["score"].tolist()
    frobenius = compare(
        hybrid.folder, folder, output_directory=tmp_path / "out", template_metric="frobenius"
    ).sorters[0]
    assert frobenius.template_units["score"].to_numpy() == pytest.approx(np.zeros(5), abs=0.01)
    assert (frobenius.template_events["score"] >= 0).all()
    measured = compare(hybrid.folder, folder, output_directory=tmp_path / "out", template_origin="measured").sorters[
        0
    ]
    assert set(measured.template_units["origin"]) == {"measured"}


def test_a_curated_unit_has_the_mean_of_its_templates(templated: tuple[Sorted, Path], tmp_path: Path) -> None:
    hybrid, folder = templated
    shutil.copytree(folder, tmp_path / "merged")
    clusters = np.load(tmp_path / "merged" / "spike_clusters.npy")
    first, second = (label - 1 for label in hybrid.injected[:2])
    clusters[clusters == second] = first
    np.save(tmp_path / "merged" / "spike_clusters.npy", clusters)
    sorter = compare(hybrid.folder, tmp_path / "merged", output_directory=tmp_path / "out").sorters[0]
    table = sorter.template_units.set_index("new_unit")
    assert table.loc[hybrid.injected[:2], "template_unit"].tolist() == [first, first]
    stored = np.load(folder / "templates.npy")
    counts = [hybrid.trains[label].size for label in hybrid.injected[:2]]
    mean = np.average(stored[[first, second]], axis=0, weights=counts)
    expected = [np.corrcoef(stored[unit].ravel(), mean.ravel())[0, 1] for unit in (first, second)]
    assert table.loc[hybrid.injected[:2], "score"].to_numpy() == pytest.approx(expected, abs=1e-3)
    assert max(expected) < 0.99
    assert (table.loc[hybrid.injected[2:], "score"] > 0.999).all()


def test_a_sorting_of_another_probe_is_refused(templated: tuple[Sorted, Path], tmp_path: Path) -> None:
    hybrid, folder = templated
    shutil.copytree(folder, tmp_path / "other")
    templates = np.load(folder / "templates.npy")
    np.save(tmp_path / "other" / "templates.npy", np.concatenate([templates, templates], axis=2))
    np.save(tmp_path / "other" / "channel_map.npy", np.arange(2 * templates.shape[2]))
    (tmp_path / "other" / "channel_positions.npy").unlink()
    with pytest.raises(
        SortingError, match=r"templates have 6\d channels that are not those of this run's probe"
    ) as caught:
        compare(hybrid.folder, tmp_path / "other", output_directory=tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
