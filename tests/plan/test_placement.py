"""Where on the probe a unit can go."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridfactory.errors import PlacementError
from hybridfactory.plan.placement import choose_move, requested_move, valid_moves
from hybridfactory.probes import eMouse, neuropixels3a

SQUARE = [[0, 0], [25, 0], [0, 25], [25, 25]]
LINE = [[0, 20 * k] for k in range(16)]


def assert_sound(move, sites, rows, mean):
    """What holds of every valid move, of whatever kind."""
    channel_of = {int(row): channel for channel, row in enumerate(sites.rows)}
    origin = np.array([channel_of[int(row)] for row in rows])
    start = origin[np.abs(mean).max(axis=0).argmax()]
    assert sites.connected[move.channels].all()
    assert (sites.shanks[move.channels] == sites.shanks[start]).all()
    assert np.unique(move.channels).size == move.channels.size
    assert np.unique(move.footprint).size == move.footprint.size == move.channels.size
    energy = (mean.astype(float) ** 2).sum(axis=0)
    share = energy[move.footprint].sum() / energy.sum()
    assert move.energy_share == pytest.approx(share) and share >= 0.95
    assert move.center in move.channels
    main = np.abs(mean).max(axis=0).argmax()
    assert move.channels[np.flatnonzero(move.footprint == main)[0]] == move.center
    before, after = sites.positions_um[origin[move.footprint]], sites.positions_um[move.channels]
    distances = [np.linalg.norm(p[:, None] - p[None], axis=2) for p in (before, after)]
    assert distances[0] == pytest.approx(distances[1], abs=1.1)
    step = sites.positions_um[move.center] - sites.positions_um[start]
    assert move.displacement_um == pytest.approx(tuple(step))
    if move.kind == "translation":
        assert after - before == pytest.approx(np.broadcast_to(step, before.shape), abs=0.51)
        assert move.distance_um > 0
    assert not np.array_equal(move.channels, origin[move.footprint])


def realistic(sites, channel, make_mean, reach_um=70.0):
    """Rows and mean of a unit around a channel: amplitudes fall with distance, as far as there are sites."""
    distance = np.linalg.norm(sites.positions_um - sites.positions_um[channel], axis=1)
    near = np.flatnonzero(sites.connected & (distance < reach_um) & (sites.shanks == sites.shanks[channel]))
    return sites.rows[near], make_mean(100 / (1 + (distance[near] / 20) ** 2) ** 1.5)


@pytest.fixture(scope="module")
def phase3a(make_sites):
    probe = neuropixels3a()
    return make_sites(probe.channel_positions, rows=probe.channel_map, connected=probe.connected)


class TestNeuropixels:
    def test_every_unit_has_moves(self, phase3a, make_mean):
        """At the ends, beside references and everywhere else."""
        channels = np.flatnonzero(phase3a.connected)
        for channel in [*channels[::23].tolist(), 0, 1, 2, 35, 37, 74, 76, 338, 341, 378, 380, 382, 383]:
            rows, mean = realistic(phase3a, channel, make_mean)
            moves = valid_moves(phase3a, rows, mean)
            assert len(moves) > 50, channel
            assert {move.kind for move in moves} == {"translation"}
            for move in moves[::23]:
                assert_sound(move, phase3a, rows, mean)

    def test_shift_that_breaks_the_stagger_is_refused(self, phase3a, make_mean):
        rows, mean = realistic(phase3a, 100, make_mean)
        mean = mean / np.sqrt(np.abs(mean).max(axis=0))
        with pytest.raises(PlacementError, match="channel_shift 1 "):
            requested_move(phase3a, rows, mean, 1)

    def test_shift_along_the_probe(self, phase3a, make_mean):
        rows, mean = realistic(phase3a, 100, make_mean)
        move = requested_move(phase3a, rows, mean, 8)
        assert (move.center, move.displacement_um) == (108, (0.0, 80.0))
        assert_sound(move, phase3a, rows, mean)

    def test_unconnected_rows_get_nothing(self, phase3a, make_mean):
        rows, mean = realistic(phase3a, 72, make_mean)
        landed = {int(row) for move in valid_moves(phase3a, rows, mean) for row in phase3a.rows[move.channels]}
        assert landed and not landed & {36, 75, 112, 151, 188, 227, 264, 303, 340, 379, 384}

    def test_center_on_a_reference_is_refused(self, phase3a, make_mean):
        rows, mean = realistic(phase3a, 352, make_mean)
        for shift in (352 - 340, 340 - 352):
            try:
                move = requested_move(phase3a, rows, mean, shift)
            except PlacementError:
                continue
            assert phase3a.connected[move.center]


def test_emouse_units_have_moves(make_sites, make_mean):
    probe = eMouse()
    sites = make_sites(probe.channel_positions, rows=probe.channel_map, connected=probe.connected)
    for channel in range(2, 34):
        rows, mean = realistic(sites, channel, make_mean, reach_um=45)
        moves = valid_moves(sites, rows, mean)
        assert moves, channel
        for move in moves:
            assert_sound(move, sites, rows, mean)


class TestTranslation:
    def test_positions_are_mapped_exactly(self, make_sites, make_mean):
        sites = make_sites(LINE, rows=np.arange(16)[::-1])
        rows, mean = np.array([6, 7, 8]), make_mean([40, 100, 30])
        moves = valid_moves(sites, rows, mean)
        assert len(moves) == 15 - 2
        for move in moves:
            assert_sound(move, sites, rows, mean)

    @pytest.mark.parametrize(("heights", "fits_at_the_end"), [([20, 100, 60, 10], False), ([60, 100, 20, 10], True)])
    def test_at_least_95_percent_of_the_energy(self, make_sites, make_mean, heights, fits_at_the_end):
        """The main channel on the second-last site leaves out the fourth; on the last, the third as well."""
        moves = valid_moves(make_sites(LINE), np.array([4, 5, 6, 7]), make_mean(heights))
        centers = {move.center for move in moves}
        assert 14 in centers
        assert (15 in centers) == fits_at_the_end
        assert 0 not in centers if heights[0] > 30 else 0 in centers

    def test_never_to_another_shank(self, make_sites, make_mean):
        positions = [*LINE, *([250, y] for _, y in LINE)]
        sites = make_sites(positions, shanks=np.repeat([0, 1], 16))
        rows, mean = np.array([20, 21, 22]), make_mean([40, 100, 30])
        moves = valid_moves(sites, rows, mean)
        assert moves and all((move.channels >= 16).all() for move in moves)
        with pytest.raises(PlacementError):
            requested_move(sites, rows, mean, 16)

    def test_shanks_in_one_place(self, make_sites, make_mean):
        """Two shanks whose coordinates both begin at zero."""
        sites = make_sites([*LINE, *LINE], shanks=np.repeat([0, 1], 16))
        rows, mean = np.array([20, 21, 22]), make_mean([40, 100, 30])
        for move in valid_moves(sites, rows, mean):
            assert_sound(move, sites, rows, mean)

    def test_dead_sites_get_nothing(self, make_sites, make_mean):
        connected = np.ones(16, dtype=bool)
        connected[[3, 9]] = False
        sites = make_sites(LINE, connected=connected)
        rows, mean = np.array([5, 6, 7]), make_mean([10, 100, 10])
        for move in valid_moves(sites, rows, mean):
            assert_sound(move, sites, rows, mean)
            assert move.center not in (3, 9)

    def test_rows_without_a_place(self, make_sites, make_mean):
        """The sync row has no position."""
        sites = make_sites([*LINE, [np.nan, np.nan]], connected=[True] * 16 + [False])
        rows, mean = np.array([5, 6, 7]), make_mean([40, 100, 30])
        assert all(16 not in move.channels for move in valid_moves(sites, rows, mean))
        with pytest.raises(PlacementError):
            requested_move(sites, rows, mean, 10)

    def test_sites_that_the_donor_s_place_lacked_are_counted(self, make_sites, make_mean):
        """A unit at the probe's end was cut off by it; elsewhere the cut would show."""
        rows, mean = np.array([0, 1]), make_mean([100, 60])
        blind = {move.center: move.num_blind_sites for move in valid_moves(make_sites(LINE), rows, mean)}
        assert blind[5] == 1

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**31 - 1))
    def test_sound_on_random_layouts(self, make_sites, make_mean, seed):
        """Grids with holes, dead sites and several shanks, in a random order of rows."""
        random = np.random.default_rng(seed)
        grid = np.array([[x * 20.0, y * 20.0] for x in range(3) for y in range(9)])
        grid = grid[random.random(27) < 0.9]
        shanks = (grid[:, 0] > random.choice([-1, 10, 30])).astype(int)
        order = random.permutation(len(grid))
        sites = make_sites(grid, rows=order, connected=random.random(len(grid)) < 0.9, shanks=shanks)
        channel = random.choice(np.flatnonzero(sites.connected)) if sites.connected.any() else None
        if channel is None:
            return
        rows, mean = realistic(sites, channel, make_mean, reach_um=45)
        for move in valid_moves(sites, rows, mean):
            assert_sound(move, sites, rows, mean)


class TestSitesInOnePlace:
    """Each position twice, as on probes whose file lists two electrodes per pad."""

    def test_each_row_receives_one_site(self, make_sites, make_mean):
        sites = make_sites(np.repeat(LINE, 2, axis=0))
        rows, mean = np.array([10, 11, 12, 13]), make_mean([100, 90, 40, 35])
        moves = valid_moves(sites, rows, mean)
        assert moves
        for move in moves:
            assert_sound(move, sites, rows, mean)

    def test_the_connected_one_is_taken(self, make_sites, make_mean):
        connected = np.arange(32) % 2 == 1
        sites = make_sites(np.repeat(LINE, 2, axis=0), connected=connected)
        rows, mean = np.array([11, 13]), make_mean([100, 40])
        assert len(valid_moves(sites, rows, mean)) >= 14

    def test_a_dead_twin_hides_nobody(self, make_sites, make_mean):
        """Whichever of two is dead at each place, the other serves."""
        connected = np.ones(32, dtype=bool)
        connected[2 * np.arange(16) + np.arange(16) % 2] = False
        sites = make_sites(np.repeat(LINE, 2, axis=0), connected=connected)
        rows = np.flatnonzero(connected)[[5, 6]]
        moves = valid_moves(sites, rows, make_mean([100, 40]))
        assert {move.center for move in moves} == set(np.flatnonzero(connected)) - {rows[0], 30}
        for move in moves:
            assert_sound(move, sites, rows, make_mean([100, 40]))

    def test_a_twin_is_no_translation(self, make_sites, make_mean):
        sites = make_sites(np.repeat(LINE, 2, axis=0))
        rows, mean = np.array([10, 11, 12, 13]), make_mean([90, 100, 40, 35])
        assert {move.center for move in valid_moves(sites, rows, mean)} == set(range(1, 30, 2)) - {11}
        with pytest.raises(PlacementError, match=r"use one of: 2, 4, 6, 8, 10, 12, 14, 16, …$"):
            requested_move(sites, rows, mean, 1)

    def test_second_twin_needs_a_second_twin(self, make_sites, make_mean):
        connected = np.ones(32, dtype=bool)
        connected[20] = False
        sites = make_sites(np.repeat(LINE, 2, axis=0), connected=connected)
        rows, mean = np.array([10, 11]), make_mean([90, 100])
        centers = {move.center for move in valid_moves(sites, rows, mean)}
        assert 21 not in centers and {19, 23} <= centers

    def test_a_twin_that_the_donor_s_place_lacked_is_blind(self, make_sites, make_mean):
        connected = np.ones(32, dtype=bool)
        connected[11] = False
        sites = make_sites(np.repeat(LINE, 2, axis=0), connected=connected)
        (move,) = (m for m in valid_moves(sites, np.array([10]), make_mean([100])) if m.center == 20)
        assert move.num_blind_sites == 1


class TestIsometries:
    def test_square_of_a_tetrode(self, make_sites, make_mean):
        sites, rows, mean = make_sites(SQUARE), np.arange(4), make_mean([100, 70, 60, 50])
        moves = valid_moves(sites, rows, mean)
        assert {move.kind for move in moves} == {"rotation", "reflection"}
        assert len({tuple(move.channels) for move in moves}) == len(moves) == 7
        for move in moves:
            assert_sound(move, sites, rows, mean)

    def test_rotations_keep_and_reflections_turn_the_sense(self, make_sites, make_mean):
        sites, rows = make_sites(SQUARE), np.arange(4)
        for move in valid_moves(sites, rows, make_mean([100, 70, 60, 50])):
            senses = []
            for points in (sites.positions_um[move.footprint], sites.positions_um[move.channels]):
                first, second = points[1] - points[0], points[2] - points[0]
                senses.append(np.sign(first[0] * second[1] - first[1] * second[0]))
            assert (senses[0] == senses[1]) == (move.kind == "rotation")

    def test_line_of_four_is_turned_round(self, make_sites, make_mean):
        (move,) = valid_moves(make_sites(LINE[:4]), np.arange(4), make_mean([100, 70, 60, 50]))
        assert move.channels.tolist() == [3, 2, 1, 0]

    @pytest.mark.parametrize("far", [5, 25], ids=["weak", "strong"])
    def test_farthest_site_may_be_left_out(self, make_sites, make_mean, far):
        """Fewer than 5 % of the energy: a move that leaves it out is valid, and found."""
        sites = make_sites([*LINE[:4], [17, 100]])
        rows, mean = np.arange(5), make_mean([100, 70, 60, 50, far])
        (move,) = valid_moves(sites, rows, mean)
        assert move.channels.tolist() == [3, 2, 1, 0] and move.footprint.tolist() == [0, 1, 2, 3]
        assert_sound(move, sites, rows, mean)

    def test_weakest_site_does_not_decide(self, make_sites, make_mean):
        """A square with a weak fifth site far off has all the moves of the square."""
        moves = valid_moves(make_sites([*SQUARE, [140, 33]]), np.arange(5), make_mean([100, 70, 60, 50, 3]))
        assert len({tuple(move.channels) for move in moves}) == len(moves) == 7

    def test_no_symmetry_no_move(self, make_sites, make_mean):
        sites = make_sites([[0, 0], [17, 5], [40, 31], [3, 60]])
        assert valid_moves(sites, np.arange(4), make_mean([100, 70, 60, 50])) == []

    def test_translations_come_first(self, make_sites, make_mean):
        moves = valid_moves(make_sites(LINE), np.array([5, 6]), make_mean([100, 70]))
        assert {move.kind for move in moves} == {"translation"}

    @settings(max_examples=30, deadline=None)
    @given(st.floats(0, 2 * np.pi), st.integers(0, 100))
    def test_layouts_at_any_angle(self, make_sites, make_mean, angle, shift):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        sites = make_sites(np.array(SQUARE) @ turn.T + shift)
        moves = valid_moves(sites, np.arange(4), make_mean([100, 70, 60, 50]))
        assert len(moves) == 7
        for move in moves:
            assert_sound(move, sites, np.arange(4), make_mean([100, 70, 60, 50]))


class TestRequestedMove:
    def test_up_where_that_fits(self, make_sites, make_mean):
        move = requested_move(make_sites(LINE), np.array([5, 6, 7]), make_mean([40, 100, 30]), 3)
        assert move.center == 9

    def test_down_where_only_that_fits(self, make_sites, make_mean):
        move = requested_move(make_sites(LINE), np.array([12, 13, 14]), make_mean([40, 100, 30]), 3)
        assert move.center == 10

    def test_counts_places_in_the_channel_list_not_rows(self, make_sites, make_mean):
        sites = make_sites(LINE, rows=np.arange(16)[::-1] * 2)
        move = requested_move(sites, np.array([20, 18, 16]), make_mean([40, 100, 30]), 3)
        assert (move.center, int(sites.rows[move.center])) == (9, 12)

    @pytest.mark.parametrize(
        ("positions", "shift"),
        [(LINE, 15), (SQUARE, 1), (SQUARE, 50), (LINE[:4], 1), (np.repeat(LINE, 2, axis=0)[:20], 19)],
        ids=["line", "tetrode", "tetrode-far", "four", "pairs"],
    )
    def test_refusal_names_shifts_that_work(self, make_sites, make_mean, positions, shift):
        sites, rows = make_sites(positions), np.arange(4)
        mean = make_mean([60, 100, 70, 50])
        with pytest.raises(PlacementError, match=f"channel_shift {shift} ") as caught:
            requested_move(sites, rows, mean, shift)
        message = str(caught.value)
        assert "\n" not in message
        assert ("use one of: " in message) != message.endswith("no shift does")
        named = [int(word) for word in message.rpartition("use one of: ")[2].split(", ") if word.isdigit()]
        assert bool(named) == ("use one of: " in message)
        for other in named:
            for step in (other, -other):
                move = requested_move(sites, rows, mean, step)
                assert abs(move.center - 1) == other > 0

    def test_refusal_names_every_shift_that_works(self, make_sites, make_mean):
        sites, rows, mean = make_sites(LINE[:7]), np.array([2, 3, 4]), make_mean([40, 100, 30])
        with pytest.raises(PlacementError, match=r"use one of: 1, 2$"):
            requested_move(sites, rows, mean, 6)
        for only_lower in (1, 2):
            assert requested_move(sites, rows, mean, only_lower).channel_shift == only_lower

    def test_negative_goes_down_first(self, make_sites, make_mean):
        sites, mean = make_sites(LINE), make_mean([40, 100, 30])
        assert requested_move(sites, np.array([6, 7, 8]), mean, -3).channel_shift == -3
        assert requested_move(sites, np.array([1, 2, 3]), mean, -3).channel_shift == 3

    def test_zero_is_refused_with_a_reason(self, make_sites, make_mean):
        with pytest.raises(PlacementError, match=r"channel_shift 0 does not move this unit away.*use one of: 1, 2, "):
            requested_move(make_sites(LINE), np.array([5, 6, 7]), make_mean([40, 100, 30]), 0)

    @pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
    def test_a_mean_that_is_none_is_refused(self, make_sites, make_mean, value):
        mean = make_mean([40, 100, 30])
        mean[:] = 0 if value == 0 else mean
        mean[15, 1] = value
        for find in (valid_moves, lambda *args: requested_move(*args, 3)):
            with pytest.raises(PlacementError, match="zero or not finite"):
                find(make_sites(LINE), np.array([5, 6, 7]), mean)

    def test_rows_outside_the_probe_are_refused(self, make_sites, make_mean):
        with pytest.raises(PlacementError, match="channel map"):
            valid_moves(make_sites(LINE), np.array([14, 15, 16]), make_mean([40, 100, 30]))

    @pytest.mark.parametrize("shift", [0, 1000, -1000])
    def test_nowhere_is_refused(self, make_sites, make_mean, shift):
        with pytest.raises(PlacementError):
            requested_move(make_sites(LINE), np.array([5, 6, 7]), make_mean([40, 100, 30]), shift)


class TestChooseMove:
    @pytest.fixture
    def moves(self, make_sites, make_mean):
        sites = make_sites(LINE)
        return sites, valid_moves(sites, np.array([5, 6, 7]), make_mean([40, 100, 30]))

    def test_keeps_off_the_donor(self, moves):
        sites, found = moves
        centers = {
            choose_move(found, sites, np.array([5, 6, 7]), np.array([6]), np.random.default_rng(seed)).center
            for seed in range(200)
        }
        assert centers == {move.center for move in found if move.num_blind_sites == 0} - {5, 6, 7}

    def test_prefers_where_few_units_live(self, moves):
        sites, found = moves
        crowd = np.full(30, 13)
        centers = [
            choose_move(found, sites, np.array([6]), crowd, np.random.default_rng(seed)).center for seed in range(300)
        ]
        crowded = np.mean([center >= 10 for center in centers])
        assert 0 < crowded < 0.3

    def test_a_crowd_outside_the_probe_s_rows_does_not_matter(self, moves):
        """A sorting may know units on rows that the given probe leaves out."""
        sites, found = moves
        first = choose_move(found, sites, np.array([6]), np.array([2]), np.random.default_rng(1))
        second = choose_move(found, sites, np.array([6]), np.array([2, 40, -3]), np.random.default_rng(1))
        assert first.center == second.center

    def test_a_crowd_in_a_gap_of_the_probe_s_rows_does_not_matter(self, make_sites, make_mean):
        """Rows 1, 3, 5 … are in no channel: they are not their neighbours."""
        sites = make_sites(LINE, rows=2 * np.arange(16))
        found = valid_moves(sites, np.array([10, 12, 14]), make_mean([40, 100, 30]))
        none, gap = np.zeros(0, dtype=np.int64), np.full(50, 25)
        for seed in range(30):
            first, second = (
                choose_move(found, sites, np.array([12]), crowd, np.random.default_rng(seed)) for crowd in (none, gap)
            )
            assert first.center == second.center

    def test_without_a_crowd(self, moves):
        sites, found = moves
        assert (
            choose_move(found, sites, np.array([6]), np.zeros(0, dtype=np.int64), np.random.default_rng(1)) in found
        )

    def test_one_move_is_enough(self, moves):
        sites, found = moves
        for move, _ in combinations(found, 2):
            assert choose_move([move], sites, sites.rows, np.array([6]), np.random.default_rng(1)) is move
