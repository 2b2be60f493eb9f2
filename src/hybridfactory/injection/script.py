"""All events of a plan in flat arrays: everything that rendering needs, and all that is stored to render again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import OutputError
from hybridfactory.events.alignment import NUM_PHASES, filtered, phase_filters
from hybridfactory.events.model import EventModel
from hybridfactory.injection.kernel import EventArrays
from hybridfactory.injection.script_check import fault_of_script
from hybridfactory.plan.plan import InjectionPlan, PlannedUnit, Removal
from hybridfactory.probes.npz_file import NpzDamageError, read_npz, write_npz

__all__ = ["InjectionScript", "load_script", "save_script", "write_script"]


@dataclass(frozen=True, eq=False)
class InjectionScript:
    """Events sorted by time, then by injected label, and the waveforms they are made of.

    An event adds ``sum(weights[k] * waveforms[k])`` to the source, filtered in time with the filter of its phase,
    where ``waveforms[0]`` is the unit's mean and the rest its components.

    Parameters
    ----------
    samples : numpy.ndarray of int64, shape (num_events,)
        Timeline sample of the centre of each event's window.
    units : numpy.ndarray of int32, shape (num_events,)
        Index into the unit arrays.
    phases : numpy.ndarray of int8, shape (num_events,)
        Index into `filters`.
    weights : numpy.ndarray of float32, flat
        Event e's start at ``weight_starts[e]``; there are ``num_waveforms[units[e]]`` of them.
    weight_starts : numpy.ndarray of int64, shape (num_events,)
    labels : numpy.ndarray of int64, shape (num_units,)
        Injected labels, ascending; before them those of donors that are taken out, as ``-1 - label``.
    num_waveforms, num_columns : numpy.ndarray of int64, shape (num_units,)
        How many waveforms each unit has, and on how many rows.
    waveforms : numpy.ndarray of float32, flat
        Unit u's start at ``waveform_starts[u]``, with axes (waveform, sample, column). Units may share them.
    waveform_starts : numpy.ndarray of int64, shape (num_units,)
    filters : numpy.ndarray of float32, flat
        With axes (phase, tap): what `phase_filters` makes.
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
    waveforms: NDArray[np.float32]
    waveform_starts: NDArray[np.int64]
    filters: NDArray[np.float32]
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

    @cached_property
    def num_rows(self) -> int:
        """Rows that a recording must have for the events."""
        return int(self.rows.max(initial=-1)) + 1

    @cached_property
    def arrays(self) -> EventArrays:
        """What compiled loops over events take, in their order."""
        return (
            self.samples,
            self.units,
            self.phases,
            self.weights,
            self.weight_starts,
            self.num_waveforms,
            self.num_columns,
            self.waveforms,
            self.waveform_starts,
            self.filters.reshape(NUM_PHASES + 1, -1),
            self.rows,
            self.row_starts,
            self.window,
        )

    def unit_of(self, injected_label: int | None) -> int:
        """Index of a unit by its label; -1 for a unit that is not here."""
        found = np.flatnonzero(self.labels == injected_label)
        return int(found[0]) if found.size else -1

    def bank_of(self, unit: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Waveforms of one unit at every phase, and the raw rows of their columns.

        Returns
        -------
        bank : numpy.ndarray of float32, shape (num_phases, num_waveforms, num_samples, num_columns)
        rows : numpy.ndarray of int64, shape (num_columns,)
        """
        width = self.samples_before + 1 + self.samples_after
        shape = (int(self.num_waveforms[unit]), width, int(self.num_columns[unit]))
        start, first = int(self.waveform_starts[unit]), int(self.row_starts[unit])
        waveforms = self.waveforms[start : start + math.prod(shape)].reshape(shape)
        filters = self.filters.reshape(NUM_PHASES + 1, -1)
        bank = np.stack([filtered(waveforms, np.full(shape[0], phase), filters) for phase in range(len(filters))])
        return bank, self.rows[first : first + shape[2]]

    def events_in(self, start: int, stop: int) -> tuple[int, int]:
        """Range of events whose windows touch timeline samples [start, stop)."""
        first = self.samples.searchsorted(start - self.samples_after, side="left")
        last = self.samples.searchsorted(stop + self.samples_before, side="left")
        return int(first), int(last)

    def part(self, first: int, last: int) -> "InjectionScript":
        """Return the script of the events [first, last) alone."""
        return self._of_events(slice(first, last))

    def _of_events(self, which: slice | NDArray[np.bool_]) -> "InjectionScript":
        return replace(
            self,
            samples=self.samples[which],
            units=self.units[which],
            phases=self.phases[which],
            weight_starts=self.weight_starts[which],
        )

    @property
    def injected(self) -> "InjectionScript":
        """The script of the injected events alone, without the spikes that are taken out: that of the truth."""
        count = int(np.count_nonzero(self.labels < 0))
        if count == 0:
            return self
        kept, row = self.units >= count, int(self.row_starts[count])
        return replace(
            self._of_events(kept),
            units=self.units[kept] - np.int32(count),
            labels=self.labels[count:],
            num_waveforms=self.num_waveforms[count:],
            num_columns=self.num_columns[count:],
            waveform_starts=self.waveform_starts[count:],
            rows=self.rows[row:],
            row_starts=self.row_starts[count:] - row,
        )

    def ranges(self) -> NDArray[np.int64]:
        """Touched ranges of the timeline, overlapping windows merged.

        Returns
        -------
        numpy.ndarray of int64, shape (num_ranges, 2)
            Start and stop of each, ascending, not overlapping.
        """
        if self.samples.size == 0:
            return np.zeros((0, 2), dtype=np.int64)
        starts, stops = self.samples - self.samples_before, self.samples + self.samples_after + 1
        is_first = np.concatenate([[True], starts[1:] >= stops[:-1]])
        return np.stack([starts[is_first], stops[np.concatenate([is_first[1:], [True]])]], axis=1)


@dataclass(frozen=True, eq=False)
class _Part:
    """Events of one unit: what they add, where and when."""

    label: int
    rows: NDArray[np.int64]
    model: EventModel
    columns: NDArray[np.int64]
    samples: NDArray[np.int64]
    phases: NDArray[np.int64]
    weights: NDArray[np.float32]

    @property
    def num_waveforms(self) -> int:
        """The mean and the components."""
        return 1 + len(self.model.components)


def write_script(plan: InjectionPlan, models: Mapping[int, EventModel]) -> InjectionScript:
    """Turn a plan and the event models it refers to into the arrays that rendering works from."""
    parts = [_taken_out(removal, models[removal.donor_label]) for removal in plan.removals]
    parts += [_injected(unit, models[unit.donor_label]) for unit in plan.injected_units]
    parts.sort(key=lambda part: part.label)
    num_waveforms = np.array([part.num_waveforms for part in parts], dtype=np.int64)
    waveforms, waveform_starts = _waveforms(parts)
    owners = np.repeat(np.arange(len(parts)), [part.samples.size for part in parts])
    samples = np.concatenate([part.samples for part in parts])
    order = np.lexsort((owners, samples))
    lengths = num_waveforms[owners]
    return InjectionScript(
        samples=samples[order],
        units=owners[order].astype(np.int32),
        phases=np.concatenate([part.phases for part in parts])[order].astype(np.int8),
        weights=np.concatenate([part.weights.ravel() for part in parts]),
        weight_starts=(np.cumsum(lengths) - lengths)[order],
        labels=np.array([part.label for part in parts], dtype=np.int64),
        num_waveforms=num_waveforms,
        num_columns=np.array([part.rows.size for part in parts], dtype=np.int64),
        waveforms=waveforms,
        waveform_starts=waveform_starts,
        filters=phase_filters().ravel(),
        rows=np.concatenate([part.rows for part in parts]),
        row_starts=_starts([part.rows.size for part in parts]),
        window=np.array([plan.samples_before, plan.samples_after], dtype=np.int64),
    )


def _injected(unit: PlannedUnit, model: EventModel) -> _Part:
    factors = unit.amplitude_factors[:, None]
    return _Part(
        label=cast(int, unit.injected_label),
        rows=unit.rows,
        model=model,
        columns=unit.footprint,
        samples=unit.samples + unit.window_shift,
        phases=model.phases[unit.donor_events] + NUM_PHASES // 2,
        weights=np.concatenate([factors, factors * model.coefficients[unit.donor_events]], axis=1),
    )


def _taken_out(removal: Removal, model: EventModel) -> _Part:
    return _Part(
        label=-1 - removal.donor_label,
        rows=removal.rows,
        model=model,
        columns=np.arange(removal.rows.size),
        samples=removal.samples,
        phases=model.phases[removal.spikes] + NUM_PHASES // 2,
        weights=-np.insert(model.coefficients[removal.shares], 0, 1, axis=1),
    )


def _waveforms(parts: Sequence[_Part]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """All waveforms, flat, and where each part's start: those of one donor on the same rows are kept once."""
    keys = [(part.model.label, part.columns.tobytes()) for part in parts]
    flat = {key: part.model.waveforms(part.columns).ravel() for key, part in zip(keys, parts, strict=True)}
    starts = dict(zip(flat, _starts([values.size for values in flat.values()]).tolist(), strict=True))
    return np.concatenate(list(flat.values())), np.array([starts[key] for key in keys], dtype=np.int64)


def _starts(sizes: list[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *sizes[:-1]]).astype(np.int64)


def save_script(script: InjectionScript, path: Path) -> None:
    """Store a script as an uncompressed .npz archive, one array per field."""
    write_npz(path, {item.name: getattr(script, item.name) for item in fields(script)})


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
