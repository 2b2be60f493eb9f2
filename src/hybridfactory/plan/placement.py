"""Where on the probe a unit can go: moves that map its sites on sites of the same geometry."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import PlacementError
from hybridfactory.plan.site_lookup import SiteLookup, build_lookup, ranks_among_twins

__all__ = ["TOLERANCE_UM", "Move", "ProbeSites", "choose_move", "requested_move", "valid_moves"]

MIN_ENERGY_SHARE = 0.95
TOLERANCE_UM = 0.5
STRONG_SHARE_OF_PEAK = 0.2
CROWD_RADIUS_UM = 60.0
NUM_NAMED_SHIFTS = 8
TARGETS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class ProbeSites:
    """Every channel of the probe, in the order of its channel map.

    Parameters
    ----------
    rows : numpy.ndarray of int64, shape (num_channels,)
    positions_um : numpy.ndarray of float64, shape (num_channels, 2)
        NaN for rows that are no site.
    shanks : numpy.ndarray of int64, shape (num_channels,)
    connected : numpy.ndarray of bool, shape (num_channels,)
    """

    rows: NDArray[np.int64]
    positions_um: NDArray[np.float64]
    shanks: NDArray[np.int64]
    connected: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Footprint:
    """A donor's sites, as indices of channels, with what it shows there, and the shank they are on.

    Parameters
    ----------
    sites : ProbeSites
    channels : numpy.ndarray of int64, shape (num_rows,)
        Indices of the donor's sites.
    energy, height : numpy.ndarray of float64, shape (num_rows,)
        Share of the mean's energy, and its largest deflection, on each.
    connected : numpy.ndarray of int64
        The connected sites of the main channel's shank, ascending. Dead sites are as good as absent.
    ranks : numpy.ndarray of int64, shape (num_channels,)
        For each channel of the probe its number among the connected ones in the same place; -1 for those not in
        `connected`.
    lookup : SiteLookup
        Of the connected sites. Twins land on twins of their own rank, one on one.
    """

    sites: ProbeSites
    channels: NDArray[np.int64]
    energy: NDArray[np.float64]
    height: NDArray[np.float64]
    connected: NDArray[np.int64]
    ranks: NDArray[np.int64]
    lookup: SiteLookup

    @property
    def main(self) -> int:
        """Position of the main channel within `channels`."""
        return int(self.height.argmax())

    @property
    def start(self) -> int:
        """Index of the main channel."""
        return int(self.channels[self.main])

    @property
    def is_strong(self) -> NDArray[np.bool_]:
        """Which of `channels` show at least 20 % of the peak."""
        return np.asarray(self.height >= STRONG_SHARE_OF_PEAK * self.height.max())


@dataclass(frozen=True, eq=False)
class Move:
    """A way to move one footprint.

    Parameters
    ----------
    kind : str
        ``"translation"``, ``"rotation"`` or ``"reflection"``.
    start : int
        Index of the main channel.
    center : int
        Index of the channel on which it lands.
    displacement_um : tuple of float
        Of the main channel, (x, y).
    footprint : numpy.ndarray of int64, shape (num_landed,)
        Columns of the footprint that land on connected channels.
    channels : numpy.ndarray of int64, shape (num_landed,)
        The channels they land on.
    energy_share : float
        Share of the donor's energy that lands.
    num_blind_sites : int
        Connected sites near the landed main channel about which the donor's sites say nothing: where it came
        from, the probe ended or a channel was dead.
    """

    kind: str
    start: int
    center: int
    displacement_um: tuple[float, float]
    footprint: NDArray[np.int64]
    channels: NDArray[np.int64]
    energy_share: float
    num_blind_sites: int

    @property
    def distance_um(self) -> float:
        """Length of the main channel's move."""
        return float(np.hypot(*self.displacement_um))

    @property
    def channel_shift(self) -> int:
        """Places in the channel list by which the main channel moves; negative is down."""
        return self.center - self.start


def footprint_of(sites: ProbeSites, rows: NDArray[np.int64], mean: NDArray[np.float32]) -> Footprint:
    """Describe a donor's mean waveform (num_samples × num_rows, on raw `rows`) in terms of channels.

    Raises
    ------
    PlacementError
        If the mean is zero or not finite, or a row is none of the probe's.
    """
    power = (mean.astype(np.float64) ** 2).sum(axis=0)
    total = power.sum()
    # Written so that NaN fails: shares of a total that is no number would pass every comparison or none.
    if not (0 < total < np.inf):
        raise PlacementError("its mean waveform is zero or not finite")
    if not np.isin(rows, sites.rows).all():
        raise PlacementError("some of its rows are not in the probe's channel map")
    channels = _channels_of(sites, rows)
    height = np.abs(mean).max(axis=0).astype(np.float64)
    is_site = sites.connected & np.isfinite(sites.positions_um).all(axis=1)
    connected = np.flatnonzero(is_site & (sites.shanks == sites.shanks[channels[height.argmax()]]))
    ranks = np.full(sites.rows.size, -1, dtype=np.int64)
    ranks[connected] = ranks_among_twins(sites.positions_um[connected], TOLERANCE_UM)
    return Footprint(
        sites=sites,
        channels=channels,
        energy=power / total,
        height=height,
        connected=connected,
        ranks=ranks,
        lookup=build_lookup(connected, sites.positions_um[connected], ranks[connected], TOLERANCE_UM),
    )


def _channels_of(sites: ProbeSites, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the channels that hold some raw rows, each of which must be in the channel map."""
    order = np.argsort(sites.rows)
    return order[np.searchsorted(sites.rows[order], rows)]


def valid_moves(sites: ProbeSites, rows: NDArray[np.int64], mean: NDArray[np.float32]) -> list[Move]:
    """Every valid translation of a footprint on its shank; where there is none, every other isometry.

    A move is valid while the main channel and at least 95 % of the energy land on connected sites. Sites that
    land past the probe's end or on a dead channel are left out, as the probe would not have recorded there.

    Parameters
    ----------
    sites : ProbeSites
    rows : numpy.ndarray of int64, shape (num_rows,)
        Raw rows of the donor's footprint.
    mean : numpy.ndarray of float32, shape (num_samples, num_rows)
        The donor's mean waveform there.

    Raises
    ------
    PlacementError
        If the mean is zero or not finite, or a row is none of the probe's.
    """
    footprint = footprint_of(sites, rows, mean)
    return _translations(footprint) or list(_isometries(footprint))


def requested_move(sites: ProbeSites, rows: NDArray[np.int64], mean: NDArray[np.float32], channel_shift: int) -> Move:
    """Move by a number of places in the probe's channel list: as asked, or the other way where only that fits.

    Raises
    ------
    PlacementError
        If neither direction keeps the geometry, or the shift is 0; the message names shifts that work. Also as
        `valid_moves` does.
    """
    footprint = footprint_of(sites, rows, mean)
    for step in (channel_shift, -channel_shift):
        move = _translate(footprint, footprint.start + step)
        if move is not None:
            return move
    possible = sorted({abs(move.channel_shift) for move in _translations(footprint)})
    named = ", ".join(map(str, possible[:NUM_NAMED_SHIFTS])) + (", …" if len(possible) > NUM_NAMED_SHIFTS else "")
    hint = f"use one of: {named}" if possible else "no shift does"
    if channel_shift == 0:
        raise PlacementError(f"channel_shift 0 does not move this unit away from its donor; {hint}")
    raise PlacementError(
        f"channel_shift {channel_shift} does not map this unit's sites on sites of the same geometry, up or down; "
        f"{hint}"
    )


def choose_move(
    moves: list[Move],
    sites: ProbeSites,
    footprint_rows: NDArray[np.int64],
    crowd_rows: NDArray[np.int64],
    random: np.random.Generator,
    taken_rows: NDArray[np.int64] | None = None,
) -> Move:
    """Draw one of the valid moves: complete ones, away from the donor, where few units live.

    Parameters
    ----------
    moves : list of Move
        Not empty.
    sites : ProbeSites
    footprint_rows : numpy.ndarray of int64
        Raw rows where the donor is clearly seen; the injected unit's centre keeps off them if it can.
    crowd_rows : numpy.ndarray of int64
        Main row of every unit of the sorting, as far as known; rows that are not in the probe don't count.
    random : numpy.random.Generator
    taken_rows : numpy.ndarray of int64, optional
        Raw rows where other units made from this donor, and itself, are clearly seen, from the second unit on; above
        all, the centre keeps off these if it can.
    """
    taken = set() if taken_rows is None else set(taken_rows.tolist())
    moves = [move for move in moves if int(sites.rows[move.center]) not in taken] or moves
    fewest_blind = min(move.num_blind_sites for move in moves)
    seen_there = set(footprint_rows.tolist())
    for keep in (
        lambda move: move.num_blind_sites == fewest_blind,
        lambda move: int(sites.rows[move.center]) not in seen_there,
        lambda move: move.distance_um > 0,
    ):
        moves = [move for move in moves if keep(move)] or moves
    crowd = sites.positions_um[_channels_of(sites, crowd_rows[np.isin(crowd_rows, sites.rows)])]
    centers = sites.positions_um[[move.center for move in moves]]
    apart = np.linalg.norm(crowd[None] - centers[:, None], axis=2)
    neighbours = (apart <= CROWD_RADIUS_UM).sum(axis=1)
    weights = 1.0 / (1 + neighbours)
    return moves[int(random.choice(len(moves), p=weights / weights.sum()))]


def _translations(footprint: Footprint) -> list[Move]:
    """Every valid translation."""
    positions = footprint.sites.positions_um
    steps = positions[footprint.connected] - positions[footprint.start]
    # A twin of the main channel is another channel in the same place: no move.
    is_move = np.hypot(*steps.T) > TOLERANCE_UM
    steps, targets = steps[is_move], footprint.connected[is_move]
    parts = [slice(first, first + TARGETS_AT_ONCE) for first in range(0, targets.size, TARGETS_AT_ONCE)]
    return [move for part in parts for move in _transform(footprint, np.eye(2), steps[part], targets[part])]


def _translate(footprint: Footprint, target: int) -> Move | None:
    """Carry the main channel to the channel `target`; None if that is no channel or not valid."""
    positions = footprint.sites.positions_um
    if not 0 <= target < len(positions) or footprint.ranks[target] < 0:
        return None
    step = positions[target] - positions[footprint.start]
    if np.hypot(*step) <= TOLERANCE_UM:
        return None
    return next(iter(_transform(footprint, np.eye(2), step[None], np.array([target]))), None)


def _transform(
    footprint: Footprint,
    linear: NDArray[np.float64],
    offsets: NDArray[np.float64],
    targets: NDArray[np.int64],
    kind: str = "translation",
) -> list[Move]:
    """Apply position → linear @ position + offset to the footprint, for many offsets at once.

    The moves among them that are valid, and carry the main channel to the channel named in `targets`.
    """
    sites, origin = footprint.sites, footprint.channels
    landing = (sites.positions_um[origin] @ linear.T)[None] + offsets[:, None]
    ranks = np.tile(footprint.ranks[origin], targets.size)
    channels = footprint.lookup.channels_at(landing.reshape(-1, 2), ranks).reshape(targets.size, -1)
    landed = channels >= 0
    shares = np.where(landed, footprint.energy, 0).sum(axis=1)
    ascending = np.sort(channels, axis=1)
    is_double = ((ascending[:, 1:] == ascending[:, :-1]) & (ascending[:, 1:] >= 0)).any(axis=1)
    valid = np.flatnonzero((channels[:, footprint.main] == targets) & (shares >= MIN_ENERGY_SHARE) & ~is_double)
    blind = _num_blind_sites(footprint, linear, offsets[valid], targets[valid])
    start = footprint.start
    steps = sites.positions_um[targets] - sites.positions_um[start]
    return [
        Move(
            kind=kind,
            start=start,
            center=int(targets[index]),
            displacement_um=(float(steps[index, 0]), float(steps[index, 1])),
            footprint=np.flatnonzero(landed[index]),
            channels=channels[index, landed[index]],
            energy_share=float(shares[index]),
            num_blind_sites=int(count),
        )
        for index, count in zip(valid, blind, strict=True)
    ]


def _num_blind_sites(
    footprint: Footprint, linear: NDArray[np.float64], offsets: NDArray[np.float64], centers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Connected sites as near to each landed centre as the donor's strong sites, that no donor site lands on."""
    positions = footprint.sites.positions_um
    origin = positions[footprint.channels]
    radius = np.linalg.norm(origin[footprint.is_strong] - origin[footprint.main], axis=1).max()
    across, along = positions[footprint.connected].T[:, None] - positions[centers].T[:, :, None]
    move, site = np.nonzero(np.sqrt(across**2 + along**2) <= radius + TOLERANCE_UM)
    near = footprint.connected[site]
    source = footprint.lookup.channels_at((positions[near] - offsets[move]) @ linear, footprint.ranks[near])
    return np.bincount(move[source < 0], minlength=centers.size)


def _isometries(footprint: Footprint) -> Iterator[Move]:
    """Every valid rotation and reflection, each found by the pair of sites on which a pair of the donor's lands."""
    positions = footprint.sites.positions_um
    targets = footprint.connected
    place = positions[targets] @ np.array([1, 1j])
    between = place[None] - place[:, None]
    anchor = positions[footprint.start]
    seen: set[tuple[bytes, bytes]] = set()
    for companion in _companions(footprint):
        before = complex(*(positions[companion] - anchor))
        for first, second in np.argwhere(np.abs(np.abs(between) - abs(before)) <= TOLERANCE_UM):
            target, after = int(targets[first]), complex(between[first, second])
            if after == 0:
                continue
            for kind, turn in (
                ("rotation", _unit(after / before)),
                ("reflection", _unit(after / before.conjugate())),
            ):
                sign = 1.0 if kind == "rotation" else -1.0
                linear = np.array([[turn.real, -sign * turn.imag], [turn.imag, sign * turn.real]])
                offset = positions[target] - linear @ anchor
                for move in _transform(footprint, linear, offset[None], targets[[first]], kind):
                    key = (move.footprint.tobytes(), move.channels.tobytes())
                    if key not in seen and not np.array_equal(move.channels, footprint.channels[move.footprint]):
                        seen.add(key)
                        yield move


def _companions(footprint: Footprint) -> Iterator[int]:
    """Channels of the donor of which every valid isometry lands at least one beside the main channel.

    The farthest of the strong sites comes first: a far one tells the angle best, a weak one may be left out by
    a move that is valid. Others follow until a move that leaves out all of them would leave out too much energy.
    """
    origin = footprint.sites.positions_um[footprint.channels]
    spread = np.linalg.norm(origin - origin[footprint.main], axis=1)
    without = 0.0
    for index in np.lexsort((-footprint.energy, -spread * footprint.is_strong)):
        if spread[index] <= TOLERANCE_UM:
            continue
        yield int(footprint.channels[index])
        without += footprint.energy[index]
        if without > 1 - MIN_ENERGY_SHARE:
            return


def _unit(number: complex) -> complex:
    """Scale a complex number to length 1."""
    return number / abs(number)
