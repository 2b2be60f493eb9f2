"""Truth and sortings whose scores can be told by counting: no two spikes come near each other by chance."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridfactory.sorting import FoundSorting, FoundSpikes
from hybridfactory.validation.hybrid import Hybrid
from hybridfactory.validation.natives import OriginalSorting
from hybridfactory.validation.result import SorterResult
from hybridfactory.validation.score import Settings, score_sorting
from hybridfactory.validation.spikes import Spikes
from hybridfactory.validation.surroundings import survey
from hybridfactory.validation.tested import lay_on_timeline
from hybridfactory.validation.timeline import Timeline
from hybridfactory.validation.truth import Natives, Truth

RATE = 30_000.0
DELTA = 12
"""0.4 ms."""

Trains = dict[int, NDArray[np.int64]]


@dataclass
class Known:
    """Spike trains by label: injected ones from 101, native ones from 1."""

    injected: Trains
    natives: Trains
    lengths: list[int]
    starts: list[int] = field(default_factory=lambda: [0])
    amplitudes: Trains = field(default_factory=dict)
    positions: dict[int, tuple[float, float]] = field(default_factory=dict)

    @property
    def timeline(self) -> Timeline:
        return Timeline(np.array(self.starts), np.array(self.lengths), RATE)

    @property
    def truth(self) -> Truth:
        spikes, labels = pack(self.injected, self.timeline)
        amplitudes = np.full(spikes.num_spikes, 100.0, dtype=np.float32)
        for unit, label in enumerate(labels):
            if label in self.amplitudes:
                amplitudes[spikes.indices(unit)] = self.amplitudes[label]
        return Truth(
            timeline=self.timeline,
            spikes=spikes,
            labels=labels,
            donor_labels=labels - 100,
            center_rows=np.arange(labels.size),
            positions_um=self.places_um(labels),
            amplitudes=amplitudes,
            noise=np.full(labels.size, 10.0),
            shifts_um=np.zeros(spikes.num_spikes, dtype=np.float32),
            donor_places=None,
        )

    def places_um(self, labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """1 mm apart unless said otherwise."""
        return np.array([self.positions.get(int(label), (0.0, 1000.0 * label)) for label in labels]).reshape(-1, 2)

    @property
    def hybrid(self) -> Hybrid:
        spikes, labels = pack(self.natives, self.timeline)
        original = OriginalSorting(Natives(spikes, labels, self.places_um(labels)), None, Path("original"))
        return Hybrid(Path("run"), "known", self.truth, original=original)

    def score(self, found: Trains, name: str = "tested", delta_time_ms: float = 0.4) -> SorterResult:
        return self.score_found(as_found(found), name, delta_time_ms)

    def score_found(self, found: FoundSorting, name: str = "tested", delta_time_ms: float = 0.4) -> SorterResult:
        hybrid = self.hybrid
        tested = lay_on_timeline(found, name, hybrid.truth)
        surroundings = survey(hybrid.truth, hybrid.natives)
        return score_sorting(hybrid, surroundings, tested, Settings(delta_time_ms))


def pack(trains: Trains, timeline: Timeline) -> tuple[Spikes, NDArray[np.int64]]:
    labels = np.array(sorted(trains), dtype=np.int64)
    times = np.concatenate([np.empty(0, np.int64), *(trains[label] for label in labels)])
    units = np.repeat(np.arange(labels.size), [trains[label].size for label in labels]).astype(np.int32)
    places = timeline.place(times, timeline.starts, 0)
    order = np.argsort(places, kind="stable")
    return Spikes(places[order], units[order], labels.size), labels


def as_found(
    trains: Trains, ids: dict[int, object] | None = None, source_format: str = "spikeinterface"
) -> FoundSorting:
    labels = [label for label in trains if trains[label].size]
    times = np.concatenate([trains[label] for label in labels])
    units = np.repeat(np.arange(len(labels)), [trains[label].size for label in labels]).astype(np.int32)
    order = np.argsort(times, kind="stable")
    names = np.array([ids[label] if ids else label for label in labels])
    return FoundSorting(names, (FoundSpikes(times[order], units[order]),), RATE, "somewhere", source_format)


def make_known(seed: int, num_injected: int = 3, num_natives: int = 3, num_spikes: int = 600) -> Known:
    """Spikes of all units together at least 150 samples (5 ms) apart, dealt to the units at random."""
    rng = np.random.default_rng(seed)
    labels = [*range(101, 101 + num_injected), *range(1, 1 + num_natives)]
    times = 1000 + np.cumsum(150 + rng.integers(0, 300, num_spikes))
    owners = np.concatenate([labels * 4, rng.choice(labels, num_spikes - 4 * len(labels))])
    rng.shuffle(owners)
    trains = {label: times[owners == label] for label in labels}
    injected = {label: train for label, train in trains.items() if label > 100}
    natives = {label: train for label, train in trains.items() if label < 100}
    return Known(injected, natives, [int(times[-1]) + 1000])
