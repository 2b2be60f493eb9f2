"""Where on the probe a unit can go: moves that map its sites on sites of the same geometry."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hybridfactory.errors import PlacementError

__all__ = ["Move", "ProbeSites", "choose_move", "requested_move", "valid_moves"]

MIN_ENERGY_SHARE = 0.95
TOLERANCE_UM = 0.5
STRONG_SHARE_OF_PEAK = 0.2
CROWD_RADIUS_UM = 60.0


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
    """A donor's sites, as indices of channels, with what it shows there, and the shank they are on."""

    sites: ProbeSites
    shank: NDArray[np.int64]
    shank_tree: cKDTree
    connected_tree: cKDTree
    channels: NDArray[np.int64]
    energy: NDArray[np.float64]
    height: NDArray[np.float64]

    @property
    def main(self) -> int:
        """Position of the main channel within `channels`."""
        return int(self.height.argmax())


@dataclass(frozen=True, eq=False)
class Move:
    """A way to move one footprint.

    Parameters
    ----------
    kind : str
        ``"translation"``, ``"rotation"`` or ``"reflection"``.
    center : int
        Index of the channel on which the main channel lands.
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


def footprint_of(sites: ProbeSites, rows: NDArray[np.int64], mean: NDArray[np.float32]) -> Footprint:
    """Describe a donor's mean waveform (num_samples × num_rows, on raw `rows`) in terms of channels."""
    power = (mean.astype(np.float64) ** 2).sum(axis=0)
    channels = _channels_of(sites, rows)
    height = np.abs(mean).max(axis=0).astype(np.float64)
    is_site = np.isfinite(sites.positions_um).all(axis=1)
    shank = np.flatnonzero(is_site & (sites.shanks == sites.shanks[channels[height.argmax()]]))
    return Footprint(
        sites=sites,
        shank=shank,
        shank_tree=cKDTree(sites.positions_um[shank]),
        connected_tree=cKDTree(sites.positions_um[sites.connected]),
        channels=channels,
        energy=power / power.sum(),
        height=height,
    )


def _channels_of(sites: ProbeSites, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the channels that hold some raw rows."""
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
    """
    footprint = footprint_of(sites, rows, mean)
    start = footprint.channels[footprint.main]
    same_shank = sites.connected & (sites.shanks == sites.shanks[start])
    targets = np.flatnonzero(same_shank)
    targets = targets[targets != start]
    moves = [_translate(footprint, int(target)) for target in targets]
    found = [move for move in moves if move is not None]
    return found or [move for move in _isometries(footprint, np.flatnonzero(same_shank)) if move]


def requested_move(sites: ProbeSites, rows: NDArray[np.int64], mean: NDArray[np.float32], channel_shift: int) -> Move:
    """Move by a number of places in the probe's channel list: up, or down where only that fits.

    Raises
    ------
    PlacementError
        If neither direction keeps the geometry; the message names shifts that do.
    """
    footprint = footprint_of(sites, rows, mean)
    start = int(footprint.channels[footprint.main])
    for step in (channel_shift, -channel_shift):
        target = start + step
        if not (0 <= target < sites.rows.size and sites.connected[target]):
            continue
        if sites.shanks[target] != sites.shanks[start] or target == start:
            continue
        move = _translate(footprint, target)
        if move is not None:
            return move
    possible = sorted({abs(move.center - start) for move in valid_moves(sites, rows, mean)})
    hint = f"shifts that do: {', '.join(map(str, possible[:8]))}" if possible else "no shift does"
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
        Main row of every unit of the sorting, as far as known.
    random : numpy.random.Generator
    """
    fewest_blind = min(move.num_blind_sites for move in moves)
    for keep in (
        lambda move: move.num_blind_sites == fewest_blind,
        lambda move: sites.rows[move.center] not in footprint_rows,
        lambda move: move.distance_um > 0,
    ):
        moves = [move for move in moves if keep(move)] or moves
    crowd = sites.positions_um[_channels_of(sites, crowd_rows)]
    centers = sites.positions_um[[move.center for move in moves]]
    apart = np.linalg.norm(crowd[None] - centers[:, None], axis=2)
    neighbours = (apart <= CROWD_RADIUS_UM).sum(axis=1)
    weights = 1.0 / (1 + neighbours)
    return moves[int(random.choice(len(moves), p=weights / weights.sum()))]


def _translate(footprint: Footprint, target: int) -> Move | None:
    """Carry the main channel to the channel `target`."""
    position = footprint.sites.positions_um
    displacement = position[target] - position[footprint.channels[footprint.main]]
    return _transform(footprint, np.eye(2), displacement, "translation")


def _transform(
    footprint: Footprint,
    linear: NDArray[np.float64],
    offset: NDArray[np.float64],
    kind: str,
) -> Move | None:
    """Apply position → linear @ position + offset to the footprint; None if the move is not valid."""
    sites = footprint.sites
    start = int(footprint.channels[footprint.main])
    landing = sites.positions_um[footprint.channels] @ linear.T + offset
    distance, nearest = footprint.shank_tree.query(landing, distance_upper_bound=TOLERANCE_UM)
    channels = np.where(np.isfinite(distance), footprint.shank[np.minimum(nearest, footprint.shank.size - 1)], -1)
    landed = (channels >= 0) & sites.connected[channels]
    share = float(footprint.energy[landed].sum())
    if not landed[footprint.main] or share < MIN_ENERGY_SHARE:
        return None
    center = int(channels[footprint.main])
    step = sites.positions_um[center] - sites.positions_um[start]
    return Move(
        kind=kind,
        center=center,
        displacement_um=(float(step[0]), float(step[1])),
        footprint=np.flatnonzero(landed),
        channels=channels[landed],
        energy_share=share,
        num_blind_sites=_num_blind_sites(footprint, linear, offset, center),
    )


def _num_blind_sites(
    footprint: Footprint,
    linear: NDArray[np.float64],
    offset: NDArray[np.float64],
    center: int,
) -> int:
    """Connected sites as near to the landed centre as the donor's strong sites, that no donor site lands on."""
    sites = footprint.sites
    strong = footprint.height >= STRONG_SHARE_OF_PEAK * footprint.height.max()
    origin = sites.positions_um[footprint.channels]
    radius = np.linalg.norm(origin[strong] - origin[footprint.main], axis=1).max()
    near = sites.connected & (sites.shanks == sites.shanks[center])
    near &= np.linalg.norm(sites.positions_um - sites.positions_um[center], axis=1) <= radius + TOLERANCE_UM
    source = (sites.positions_um[near] - offset) @ linear
    distance, _ = footprint.connected_tree.query(source, distance_upper_bound=TOLERANCE_UM)
    return int((~np.isfinite(distance)).sum())


def _isometries(footprint: Footprint, targets: NDArray[np.int64]) -> Iterator[Move | None]:
    """Rotations and reflections that carry the main channel and its farthest companion to a pair of sites."""
    sites = footprint.sites
    origin = sites.positions_um[footprint.channels]
    spread = np.linalg.norm(origin - origin[footprint.main], axis=1)
    if spread.max() == 0:
        return
    anchor, companion = origin[footprint.main], origin[spread.argmax()]
    before = complex(*(companion - anchor))
    seen: set[tuple[int, ...]] = set()
    for first in targets:
        for second in targets:
            after = complex(*(sites.positions_um[second] - sites.positions_um[first]))
            if first == second or abs(abs(after) - abs(before)) > TOLERANCE_UM:
                continue
            for kind, turn in (
                ("rotation", _unit(after / before)),
                ("reflection", _unit(after / before.conjugate())),
            ):
                sign = 1.0 if kind == "rotation" else -1.0
                linear = np.array([[turn.real, -sign * turn.imag], [turn.imag, sign * turn.real]])
                move = _transform(footprint, linear, sites.positions_um[first] - linear @ anchor, kind)
                if move is None or np.array_equal(move.channels, footprint.channels[move.footprint]):
                    continue
                key = tuple(move.channels)
                if key not in seen:
                    seen.add(key)
                    yield move


def _unit(number: complex) -> complex:
    """Scale a complex number to length 1."""
    return number / abs(number)
