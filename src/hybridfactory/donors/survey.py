"""Measure every unit of a sorting on a bounded number of its spikes, spread over the recording."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hybridfactory.donors.candidate import Candidate, Measures
from hybridfactory.donors.judgement import judged, ranked
from hybridfactory.donors.spike_metrics import amplitude_cutoff, isolation, range_of_drift, train_metrics
from hybridfactory.errors import PlacementError
from hybridfactory.events.learn import learn_event_models
from hybridfactory.events.locate import spread_sample
from hybridfactory.events.model import EventModel, RefusedUnit
from hybridfactory.events.settings import ModelSettings, Sites
from hybridfactory.events.snippets import SnippetRequest, read_snippets, remove_baseline
from hybridfactory.plan.placement import ProbeSites, valid_moves
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording
from hybridfactory.recording.side_by_side import side_by_side

__all__ = ["survey_candidates"]

NUM_SPIKES = 300
NUM_SPIKES_OF_NEIGHBOUR = 100
NUM_NEIGHBOURS = 5
NUM_ROWS = 10
NEIGHBOUR_RADIUS_UM = 100.0
BEFORE_S, AFTER_S = 0.0007, 0.0011
GROUP_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class _Look:
    """What is read for one unit: its own spikes and its neighbours', on the rows around it."""

    model: EventModel
    request: SnippetRequest
    owners: NDArray[np.int64]
    depths_um: NDArray[np.float64]


def survey_candidates(
    recording: FlatRecording,
    trains: Mapping[int, NDArray[np.int64]],
    sites: ProbeSites,
    settings: ModelSettings,
    *,
    curation: Mapping[int, str],
    gains_uV: NDArray[np.float64] | None = None,
    progress: ProgressCallback = no_progress,
) -> list[Candidate]:
    """Measure and judge every unit as a donor.

    Of each unit up to 300 spikes are looked at, evenly spread over the recording and read in file order, so that the
    time it takes does not grow with the recording. From them the program's own event model is made: it tells
    footprint, main row, SNR, and whether there would be a model at all.

    Parameters
    ----------
    recording : FlatRecording
    trains : mapping of int to numpy.ndarray of int64
        Label → spike times on the timeline, ascending.
    sites : ProbeSites
    settings : ModelSettings
    curation : mapping of int to str
        Label → what somebody called the unit.
    gains_uV : numpy.ndarray of float64, shape (num_rows,), optional
        µV per count of every raw row; without it amplitudes are in counts.
    progress : callable, optional

    Returns
    -------
    list of Candidate
        The best first.
    """
    is_connected = sites.connected
    connected = Sites(sites.rows[is_connected], sites.positions_um[is_connected], sites.shanks[is_connected])
    sampled = {label: train[spread_sample(train.size, NUM_SPIKES)] for label, train in trains.items()}
    outcomes = learn_event_models(recording, sampled, connected, settings, progress=progress)
    models = {label: model for label, model in outcomes.items() if isinstance(model, EventModel)}
    closer = dict(_closer_looks(recording, models, connected, progress))
    candidates = []
    for label, outcome in outcomes.items():
        from_times = train_metrics(trains[label], recording) if trains[label].size else None
        measures = Measures(
            num_spikes=int(trains[label].size),
            firing_rate_hz=from_times.firing_rate_hz if from_times else 0.0,
            isi_violations_ratio=from_times.isi_violations_ratio if from_times else float("nan"),
            num_isi_violations=from_times.num_isi_violations if from_times else 0,
            presence_ratio=from_times.presence_ratio if from_times else 0.0,
            **_measures_of_model(outcome, settings, recording, gains_uV),
            **closer.get(label, {}),
        )
        candidates.append(judged(_candidate(outcome, measures, curation.get(label, ""), sites)))
    return ranked(candidates)


def _candidate(outcome: EventModel | RefusedUnit, measures: Measures, curation: str, sites: ProbeSites) -> Candidate:
    if isinstance(outcome, RefusedUnit):
        return Candidate(outcome.label, curation, measures, model_refusal=outcome.reason)
    try:
        num_moves = len(valid_moves(sites, outcome.rows, outcome.mean))
    except PlacementError:
        num_moves = 0
    return Candidate(
        label=outcome.label,
        curation=curation,
        measures=measures,
        main_row=int(outcome.rows[outcome.main_column]),
        rows=outcome.rows,
        mean=outcome.mean,
        num_moves=num_moves,
    )


def _measures_of_model(
    outcome: EventModel | RefusedUnit,
    settings: ModelSettings,
    recording: FlatRecording,
    gains_uV: NDArray[np.float64] | None,
) -> dict[str, float]:
    if isinstance(outcome, RefusedUnit):
        return {}
    height = np.abs(outcome.mean)
    peak = float(height.max())
    gain = 1.0 if gains_uV is None else float(gains_uV[outcome.rows[outcome.main_column]])
    # The last sample before the fade, which would hide what is left.
    last = len(height) - 1 - settings.fade_samples(recording.sampling_frequency)
    return {
        "snr": outcome.snr,
        "amplitude": peak * gain,
        "clean_share": float(outcome.is_clean.mean()),
        "end_share": float(height[last].max() / peak) if peak > 0 else float("nan"),
    }


def _closer_looks(
    recording: FlatRecording, models: Mapping[int, EventModel], sites: Sites, progress: ProgressCallback
) -> Iterator[tuple[int, dict[str, float]]]:
    """Measure isolation, drift and missing spikes of every unit with a model, in groups that fit into memory."""
    before, after = (max(round(span * recording.sampling_frequency), 4) for span in (BEFORE_S, AFTER_S))
    looks = [_look(model, models, sites, recording, before, after) for model in models.values()]
    looks.sort(key=lambda look: int(look.request.rows.min()))
    done = 0
    for group in _groups(looks, (before + 1 + after) * recording.dtype.itemsize):
        requests = [look.request for look in group]
        pieces = read_snippets(recording, requests, before=before, after=after, step="reading neighbours' spikes")
        # One BLAS thread each, so that sums are made in one order whatever the machine.
        with threadpool_limits(1), side_by_side(_measure_closely, zip(group, pieces, strict=True)) as outcomes:
            for look, outcome in zip(group, outcomes, strict=True):
                yield look.model.label, outcome
                done += 1
                progress("measuring isolation", done, len(looks))


def _groups(looks: Sequence[_Look], bytes_per_row: int) -> Iterator[list[_Look]]:
    group: list[_Look] = []
    used = 0
    for look in looks:
        size = look.request.samples.size * look.request.rows.size * bytes_per_row
        if group and used + size > GROUP_BYTES:
            yield group
            group, used = [], 0
        group.append(look)
        used += size
    if group:
        yield group


def _look(
    model: EventModel,
    models: Mapping[int, EventModel],
    sites: Sites,
    recording: FlatRecording,
    before: int,
    after: int,
) -> _Look:
    place = {int(row): index for index, row in enumerate(sites.rows)}
    main = place[int(model.rows[model.main_column])]
    distance = np.linalg.norm(sites.positions_um - sites.positions_um[main], axis=1)
    distance[sites.shanks != sites.shanks[main]] = np.inf
    near = np.argsort(distance, kind="stable")[: min(NUM_ROWS, int(np.isfinite(distance).sum()))]
    away = {
        label: float(distance[place[int(other.rows[other.main_column])]])
        for label, other in models.items()
        if label != model.label
    }
    nearest = sorted((far, label) for label, far in away.items() if far <= NEIGHBOUR_RADIUS_UM)[:NUM_NEIGHBOURS]
    parts = [model.donor_samples]
    for _, label in nearest:
        train = models[label].donor_samples
        parts.append(train[spread_sample(train.size, NUM_SPIKES_OF_NEIGHBOUR)])
    owners = np.repeat([model.label, *(label for _, label in nearest)], [part.size for part in parts])
    samples = np.concatenate(parts)
    order = np.argsort(samples, kind="stable")
    order = order[recording.holds_window(samples[order], before, after)]
    return _Look(
        model=model,
        request=SnippetRequest(samples[order], sites.rows[near]),
        owners=owners[order].astype(np.int64),
        depths_um=sites.positions_um[near, 1],
    )


def _measure_closely(task: tuple[_Look, NDArray[np.generic]]) -> dict[str, float]:
    look, spikes = task[0], remove_baseline(task[1])
    is_finite = np.isfinite(spikes).all(axis=(1, 2))
    spikes, owners = spikes[is_finite], look.owners[is_finite]
    own = spikes[owners == look.model.label]
    if len(own) < 2:
        return {}
    mean = own.mean(axis=0, dtype=np.float64)
    power = float((mean**2).sum())
    if power == 0:
        return {}
    # The share of the mean in each spike: of all rows, so that noise counts less than at a single trough.
    amplitudes = np.tensordot(own.astype(np.float64), mean, axes=2) / power
    return {
        "amplitude_cutoff": amplitude_cutoff(amplitudes),
        "drift_um": range_of_drift(own, look.depths_um),
        "isolation": isolation(spikes, owners, look.model.label),
    }
