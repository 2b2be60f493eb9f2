"""From a recording and donor spike trains to one event model per donor, in bounded memory."""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hybridfactory.events.alignment import MAX_OFFSET, NUM_PHASES, PAD
from hybridfactory.events.background import random_samples
from hybridfactory.events.derivative import FittedDerivative, fit_derivative
from hybridfactory.events.encoding import encode_spikes
from hybridfactory.events.find_donors import Donor, find_donors, too_few
from hybridfactory.events.fit import Encoded, FittedUnit, fit_unit
from hybridfactory.events.locate import spread_sample
from hybridfactory.events.model import EventModel, RefusedUnit
from hybridfactory.events.settings import ModelSettings, Sites
from hybridfactory.events.snippets import SnippetRequest, read_snippets
from hybridfactory.events.training import MIN_TRAINING_SPIKES, TooFewSpikes
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording
from hybridfactory.recording.side_by_side import NUM_WORKERS, side_by_side

__all__ = ["learn_event_models"]

NUM_BACKGROUND_WINDOWS = 400
FITS_BYTES = 320 << 20
"""For fits side by side, with the snippets that they learn from."""

ARRAYS_PER_FIT = 4
"""How many times its training snippets, in single precision on all rows looked at, a fit needs at most."""

LEARNED_BYTES = 64 << 20
"""Fitted models that wait for their other spikes to be read, all in one pass."""

LAG_WORTH_A_NOTE_S = 1e-4
END_SHARE_WORTH_A_NOTE = 0.05
MIN_PEAK_STANDARD_ERRORS = 8.0

Fitted = FittedUnit | FittedDerivative


@dataclass(frozen=True, eq=False)
class _Learned:
    """A donor whose model is fitted, with what its training spikes were encoded to."""

    donor: Donor
    fitted: Fitted
    training: Encoded


def learn_event_models(
    recording: FlatRecording,
    trains: Mapping[int, NDArray[np.int64]],
    sites: Sites,
    settings: ModelSettings,
    *,
    progress: ProgressCallback = no_progress,
) -> dict[int, EventModel | RefusedUnit]:
    """Learn what the donors' spikes look like, from the untouched source.

    Parameters
    ----------
    recording : FlatRecording
    trains : mapping of int to numpy.ndarray of int64
        Label → spike times on the timeline, ascending.
    sites : Sites
    settings : ModelSettings

    Returns
    -------
    dict of int to EventModel or RefusedUnit
        In ascending order of label. The result for one unit does not depend on which others there are.
    """
    donors, refused = find_donors(recording, trains, sites, settings, progress)
    results: dict[int, EventModel | RefusedUnit] = {unit.label: unit for unit in refused}
    waiting = deque(donors)
    arenas = _make_arenas(donors, recording, settings)
    # One BLAS thread each: the sums are then made in the same order on every machine, whatever its cores.
    with threadpool_limits(1):
        while waiting:
            finished = _learn_some(recording, waiting, len(donors), settings, arenas, progress)
            results |= {unit.label: unit for unit in finished}
    return dict(sorted(results.items()))


def _learn_some(
    recording: FlatRecording,
    waiting: deque[Donor],
    num_donors: int,
    settings: ModelSettings,
    arenas: SimpleQueue[NDArray[np.uint8]],
    progress: ProgressCallback,
) -> list[EventModel | RefusedUnit]:
    """Fit models side by side, for as many of those that wait as may be encoded in one pass; then make that pass."""
    learned: list[_Learned] = []
    finished: list[EventModel | RefusedUnit] = []
    num_before = num_donors - len(waiting)

    def next_donors() -> Iterator[Donor]:
        while waiting and sum(unit.fitted.num_bytes for unit in learned) <= LEARNED_BYTES:
            yield waiting.popleft()

    def fit(donor: Donor) -> tuple[Donor, tuple[Fitted, Encoded] | TooFewSpikes]:
        arena = arenas.get()
        try:
            return donor, _fit_one(recording, donor, settings, arena)
        finally:
            # Also after an error: the next fit would wait for it forever.
            arenas.put(arena)

    progress("learning units", num_before, num_donors)
    with side_by_side(fit, next_donors(), num_workers=arenas.qsize()) as outcomes:
        for donor, outcome in outcomes:
            if isinstance(outcome, TooFewSpikes):
                finished.append(too_few(donor.label, outcome.count, outcome.what))
            elif donor.remaining.size:
                learned.append(_Learned(donor, *outcome))
            else:
                finished += _encode_all(recording, [_Learned(donor, *outcome)], settings, no_progress)
            progress("learning units", num_before + len(learned) + len(finished), num_donors)
    return finished + _encode_all(recording, learned, settings, progress)


def _make_arenas(
    donors: Sequence[Donor], recording: FlatRecording, settings: ModelSettings
) -> SimpleQueue[NDArray[np.uint8]]:
    """Memory for the snippets of as many fits as go on at a time, used again: holes would stay where it was.

    Every processor is given a fit, as far as there is memory; what comes out does not depend on it.
    """
    width, itemsize = settings.samples_before + 1 + settings.samples_after + 2 * PAD, recording.dtype.itemsize
    sizes = [(donor.training.size, donor.rows.size * width) for donor in donors]
    arena_bytes = max((itemsize * (count + NUM_BACKGROUND_WINDOWS) * size for count, size in sizes), default=0)
    fit_bytes = max((4 * ARRAYS_PER_FIT * count * size for count, size in sizes), default=1)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    arenas: SimpleQueue[NDArray[np.uint8]] = SimpleQueue()
    for _ in range(max(NUM_WORKERS, min(processors, FITS_BYTES // (arena_bytes + fit_bytes)))):
        arenas.put(np.empty(arena_bytes, dtype=np.uint8))
    return arenas


def _fit_one(
    recording: FlatRecording, donor: Donor, settings: ModelSettings, arena: NDArray[np.uint8]
) -> tuple[Fitted, Encoded] | TooFewSpikes:
    """Read a donor's training spikes and its background in one pass, and fit its model."""
    before, after = settings.samples_before + PAD, settings.samples_after + PAD
    times = donor.samples[donor.training], _background_samples(recording, donor, settings, before, after)
    requests = [SnippetRequest(samples, donor.rows) for samples in times]
    spikes, background = read_snippets(recording, requests, before=before, after=after, arena=arena)
    fit = fit_unit if settings.construction == "shrunk_svd" else fit_derivative
    return fit(
        spikes,
        background,
        samples_before=settings.samples_before,
        fade_samples=settings.fade_samples(recording.sampling_frequency),
        max_rank=settings.max_rank,
        random=np.random.default_rng([settings.seed, (donor.label - settings.label_base) % 2**64]),
    )


def _background_samples(
    recording: FlatRecording, donor: Donor, settings: ModelSettings, before: int, after: int
) -> NDArray[np.int64]:
    """Random times whose windows hold none of the donor's spikes; any times where it leaves no room."""
    random = np.random.default_rng([settings.seed, 0])
    samples = random_samples(recording, 2 * NUM_BACKGROUND_WINDOWS, before, after, random)
    position = np.searchsorted(donor.samples, samples)
    padded = np.concatenate([[samples[0] - 10**9], donor.samples, [samples[-1] + 10**9]])
    distance = np.minimum(samples - padded[position], padded[position + 1] - samples)
    free = samples[distance > before + after]
    chosen = free if free.size >= MIN_TRAINING_SPIKES else samples
    return np.asarray(chosen[spread_sample(chosen.size, NUM_BACKGROUND_WINDOWS)], dtype=np.int64)


def _encode_all(
    recording: FlatRecording,
    learned: Sequence[_Learned],
    settings: ModelSettings,
    progress: ProgressCallback,
) -> list[EventModel | RefusedUnit]:
    """Give every spike of the donors its own share of the model, those outside the training sample too."""
    rest = encode_spikes(
        recording,
        [SnippetRequest(unit.donor.samples[unit.donor.remaining], unit.donor.rows) for unit in learned],
        [unit.fitted.encode for unit in learned],
        before=settings.samples_before + PAD,
        after=settings.samples_after + PAD,
        progress=progress,
    )
    models = []
    for unit, batches in zip(learned, rest, strict=True):
        num_spikes = unit.donor.samples.size
        is_known = np.concatenate([unit.donor.training, unit.donor.remaining])
        phases = np.zeros(num_spikes, dtype=np.int64)
        coefficients = np.zeros((num_spikes, unit.training[1].shape[1]), dtype=np.float32)
        clean = np.zeros(num_spikes, dtype=np.bool_)
        known = (np.concatenate(parts) for parts in zip(unit.training, *batches, strict=True))
        phases[is_known], coefficients[is_known], clean[is_known] = known
        averaged, moved = unit.fitted.averaged(coefficients, np.isin(np.arange(num_spikes), unit.donor.training))
        models.append(_finish(recording, unit.donor, averaged, (phases, moved, clean), settings))
    return models


def _finish(
    recording: FlatRecording,
    donor: Donor,
    fitted: Fitted,
    table: Encoded,
    settings: ModelSettings,
) -> EventModel | RefusedUnit:
    """Put the model together, or say why there is none."""
    standard_error = fitted.noise_deviation / np.sqrt(fitted.is_training.sum())
    if (np.abs(fitted.mean).max(axis=0) < MIN_PEAK_STANDARD_ERRORS * standard_error).all():
        return RefusedUnit(
            donor.label, "its mean waveform does not stand out from the background at the times the sorting states"
        )
    phases, coefficients, clean = table
    whole_samples = (phases + NUM_PHASES // 2) // NUM_PHASES
    samples = donor.samples + whole_samples
    order = np.argsort(samples, kind="stable")
    notes = []
    if abs(donor.lag) > LAG_WORTH_A_NOTE_S * recording.sampling_frequency:
        notes.append(
            f"the trough lies {donor.lag:+d} samples from the time the sorting states; "
            "truth times are those of the trough"
        )
    far = float((np.abs(whole_samples[clean]) >= np.floor(MAX_OFFSET)).mean()) if clean.any() else 0.0
    if far > 0.1:
        notes.append(f"{far:.0%} of its spikes lie {MAX_OFFSET:g} samples or more off the stated time")
    if fitted.end_share > END_SHARE_WORTH_A_NOTE:
        notes.append(
            f"its waveform is still at {fitted.end_share:.0%} of its peak where the window ends, and is faded out "
            "there: lengthen samples_after"
        )
    main = int(np.abs(fitted.mean).max(axis=0).argmax())
    return EventModel(
        label=donor.label,
        rows=donor.rows[fitted.columns],
        mean=fitted.mean,
        components=fitted.components,
        samples_before=settings.samples_before,
        donor_samples=samples[order],
        phases=(phases - whole_samples * NUM_PHASES)[order],
        coefficients=coefficients[order],
        is_clean=clean[order],
        num_training_spikes=int(fitted.is_training.sum()),
        noise_level=float(fitted.noise_deviation[main]),
        notes=tuple(notes),
    )
