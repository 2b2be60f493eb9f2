"""All events of a plan in flat arrays: everything that rendering needs, and all that is stored to render again."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import OutputError
from hybridfactory.events.alignment import NUM_PHASES
from hybridfactory.events.model import EventModel
from hybridfactory.injection.script_check import fault_of_script
from hybridfactory.plan.plan import InjectionPlan
from hybridfactory.probes.npz_file import NpzDamageError, read_npz

__all__ = ["InjectionScript", "load_script", "save_script", "write_script"]


@dataclass(frozen=True, eq=False)
class InjectionScript:
    """Events sorted by time, then by injected label, and the waveforms they are made of.

    An event adds ``sum(weights[k] * bank[phase, k])`` to the source, where ``bank[:, 0]`` is the unit's mean
    and the rest its components.

    Parameters
    ----------
    samples : numpy.ndarray of int64, shape (num_events,)
        Timeline sample of the centre of each event's window.
    units : numpy.ndarray of int32, shape (num_events,)
        Index into the unit arrays.
    phases : numpy.ndarray of int8, shape (num_events,)
        Index into a bank's phases.
    weights : numpy.ndarray of float32, flat
        Event e's start at ``weight_starts[e]``; there are ``num_waveforms[units[e]]`` of them.
    weight_starts : numpy.ndarray of int64, shape (num_events,)
    labels : numpy.ndarray of int64, shape (num_units,)
        Injected labels, ascending.
    num_waveforms, num_columns : numpy.ndarray of int64, shape (num_units,)
        Sizes of each unit's bank.
    bank : numpy.ndarray of float32, flat
        Unit u's starts at ``bank_starts[u]``, with axes (phase, waveform, sample, column).
    bank_starts : numpy.ndarray of int64, shape (num_units,)
    rows : numpy.ndarray of int64, flat
        Raw rows of unit u's columns start at ``row_starts[u]``.
    row_starts : numpy.ndarray of int64, shape (num_units,)
    window : numpy.ndarray of int64, shape (2,)
        Samples of a window before and after its centre.
    """

    samples: NDArray[np.int64]
    units: NDArray[np.int32]
    phases: NDArray[np.int8]
    weights: NDArray[np.float32]
    weight_starts: NDArray[np.int64]
    labels: NDArray[np.int64]
    num_waveforms: NDArray[np.int64]
    num_columns: NDArray[np.int64]
    bank: NDArray[np.float32]
    bank_starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    row_starts: NDArray[np.int64]
    window: NDArray[np.int64]

    @property
    def samples_before(self) -> int:
        """Samples of a window before its centre."""
        return int(self.window[0])

    @property
    def samples_after(self) -> int:
        """Samples of a window after its centre."""
        return int(self.window[1])

    def unit_of(self, injected_label: int | None) -> int:
        """Index of a unit by its label; -1 for a unit that is not here."""
        found = np.flatnonzero(self.labels == injected_label)
        return int(found[0]) if found.size else -1

    def events_in(self, start: int, stop: int) -> tuple[int, int]:
        """Range of events whose windows touch timeline samples [start, stop)."""
        first = np.searchsorted(self.samples, start - self.samples_after, side="left")
        last = np.searchsorted(self.samples, stop + self.samples_before, side="left")
        return int(first), int(last)

    def part(self, first: int, last: int) -> "InjectionScript":
        """Return the script of the events [first, last) alone."""
        which = slice(first, last)
        return replace(
            self,
            samples=self.samples[which],
            units=self.units[which],
            phases=self.phases[which],
            weight_starts=self.weight_starts[which],
        )

    def spans(self, max_samples: int) -> NDArray[np.int64]:
        """Touched ranges of the timeline: overlapping windows merged, long ranges cut.

        Returns
        -------
        numpy.ndarray of int64, shape (num_spans, 2)
            Start and stop of each, ascending, not overlapping.
        """
        if self.samples.size == 0:
            return np.zeros((0, 2), dtype=np.int64)
        starts, stops = self.samples - self.samples_before, self.samples + self.samples_after + 1
        is_first = np.concatenate([[True], starts[1:] >= stops[:-1]])
        starts, stops = starts[is_first], stops[np.concatenate([is_first[1:], [True]])]
        counts = -(-(stops - starts) // max_samples)
        piece = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        first = np.repeat(starts, counts) + piece * max_samples
        return np.stack([first, np.minimum(first + max_samples, np.repeat(stops, counts))], axis=1)


def write_script(plan: InjectionPlan, models: Mapping[int, EventModel]) -> InjectionScript:
    """Turn a plan and the event models it refers to into the arrays that rendering works from."""
    units = sorted(plan.injected_units, key=lambda unit: cast(int, unit.injected_label))
    banks, weights, phases = [], [], []
    for unit in units:
        model = models[unit.donor_label]
        banks.append(model.waveform_bank(unit.footprint))
        factors = unit.amplitude_factors[:, None]
        shares = model.coefficients[unit.donor_events]
        weights.append(np.concatenate([factors, factors * shares], axis=1))
        phases.append(model.phases[unit.donor_events] + NUM_PHASES // 2)
    counts = [unit.num_events for unit in units]
    num_waveforms = np.array([bank.shape[1] for bank in banks], dtype=np.int64)
    owners = np.repeat(np.arange(len(units)), counts)
    samples = np.concatenate([unit.samples + unit.window_shift for unit in units])
    order = np.lexsort((owners, samples))
    lengths = num_waveforms[owners]
    return InjectionScript(
        samples=samples[order],
        units=owners[order].astype(np.int32),
        phases=np.concatenate(phases)[order].astype(np.int8),
        weights=np.concatenate([weight.ravel() for weight in weights]),
        weight_starts=(np.cumsum(lengths) - lengths)[order],
        labels=np.array([unit.injected_label for unit in units], dtype=np.int64),
        num_waveforms=num_waveforms,
        num_columns=np.array([unit.rows.size for unit in units], dtype=np.int64),
        bank=np.concatenate([bank.ravel() for bank in banks]),
        bank_starts=_starts([bank.size for bank in banks]),
        rows=np.concatenate([unit.rows for unit in units]),
        row_starts=_starts([unit.rows.size for unit in units]),
        window=np.array([plan.samples_before, plan.samples_after], dtype=np.int64),
    )


def _starts(sizes: list[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *sizes[:-1]]).astype(np.int64)


def save_script(script: InjectionScript, path: Path) -> None:
    """Store a script as an uncompressed .npz archive, one array per field."""
    np.savez(path, **{item.name: getattr(script, item.name) for item in fields(script)})


def load_script(path: Path) -> InjectionScript:
    """Read a script that `save_script` stored.

    Raises
    ------
    OutputError
        It is damaged, or its parts do not fit together.
    """
    try:
        arrays = read_npz(path)
        fault = fault_of_script(arrays)
    except NpzDamageError as error:
        fault = str(error)
    if fault is not None:
        raise OutputError(f"{path} is damaged ({fault}): run 'hybridfactory generate' again")
    return InjectionScript(**{item.name: arrays[item.name] for item in fields(InjectionScript)})
