"""Who takes part in realism.py: each makes events from donor spikes, one for each spike, in raw counts."""

import os
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.alignment import NUM_PHASES, shift
from hybridfactory.events.learn import learn_event_models
from hybridfactory.events.model import RefusedUnit
from hybridfactory.events.settings import ModelSettings, Sites
from hybridfactory.parameters.parameters import Parameters, default_window
from hybridfactory.recording.flat import FlatRecording
from realism_worlds import ONSET, Unit, World

DEFAULTS = {field.name: field.default for field in fields(Parameters)}
ORIGINAL_BEFORE = 40  # samples, the default of the tool of 2018
TEMPLATE_S = (0.001, 0.002)  # SpikeInterface's default window
AMPLITUDE_DEVIATION = 0.05


@dataclass(frozen=True, eq=False)
class Events:
    """Events to add, num_events × num_samples × num_rows; `before` samples precede the spike's stated time."""

    waveforms: NDArray[np.float32]
    before: int


@dataclass(frozen=True, eq=False)
class Task:
    """One unit of a recording, and the donor spikes that a contestant may look at."""

    world: World
    recording: FlatRecording
    unit: Unit
    spikes: NDArray[np.int64]
    seed: int


Contestant = Callable[[Task], Events | str]
"""Events for `Task.spikes`, or why there are none."""


def fresh_true_events(task: Task) -> Events | str:
    """The floor: the simulated waveforms of those very spikes."""
    if task.unit.events is None:
        return "the truth is not known"
    return Events(task.unit.events[np.searchsorted(task.unit.spikes, task.spikes)], ONSET)


def ours(construction: str, rank: int | None = DEFAULTS["num_singular_values"]) -> Contestant:
    """One of our event models with default settings (rank None: "auto"), as `generate` learns and injects it."""

    def make(task: Task) -> Events | str:
        rows = np.arange(len(task.world.positions))
        sites = Sites(rows, task.world.positions, np.zeros(rows.size, dtype=np.int64))
        before, after = default_window(task.world.frequency)
        settings = ModelSettings(
            samples_before=before,
            samples_after=after,
            max_rank=rank,
            construction=construction,
            seed=task.seed,
        )
        model = learn_event_models(task.recording, {1: task.spikes}, sites, settings)[1]
        if isinstance(model, RefusedUnit):
            return model.reason
        clean = np.flatnonzero(model.is_clean)
        nearest = clean[np.abs(clean[:, None] - np.arange(task.spikes.size)).argmin(axis=0)]
        waveforms = model.mean + np.tensordot(model.coefficients[nearest], model.components, axes=1)
        for phase in np.unique(model.phases[nearest]):
            which = model.phases[nearest] == phase
            waveforms[which] = shift(waveforms[which], phase / NUM_PHASES)
        # A spike's trough may lie off its stated time.
        lag = model.donor_samples - task.spikes
        before = model.samples_before + max(0, -int(lag.min()))
        width = before - model.samples_before + waveforms.shape[1] + max(0, int(lag.max()))
        events = np.zeros((lag.size, width, rows.size), dtype=np.float32)
        for event, late, waveform in zip(events, lag, waveforms, strict=True):
            start = before - model.samples_before + late
            event[start : start + len(waveform), model.rows] = waveform
        return Events(events, before)

    return make


def mean_template(task: Task) -> Events | str:
    """SpikeInterface's average of the raw snippets, injected by it with a random factor for each spike.

    Its default window. The offset of the first samples, which it would add as well, is taken off.
    """
    import spikeinterface.core as si  # noqa: PLC0415
    from spikeinterface.core.generate import InjectTemplatesRecording  # noqa: PLC0415

    traces, frequency = task.world.traces, task.world.frequency
    spikes = np.zeros(task.spikes.size, dtype=si.base.minimum_spike_dtype)
    spikes["sample_index"] = task.spikes
    host = si.NumpyRecording([traces], frequency)
    before, after = (round(part * frequency) for part in TEMPLATE_S)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        template = si.estimate_templates(
            host, spikes, [0], before, after, return_in_uV=False, n_jobs=1, progress_bar=False
        )
    template = (template - template[:, :8].mean(axis=1, keepdims=True)).astype(np.float32)
    width = before + after
    times = np.arange(task.spikes.size) * width + before
    sorting = si.NumpySorting.from_samples_and_labels([times], [np.zeros(times.size, dtype=int)], frequency)
    factors = np.random.default_rng(task.seed).normal(1, AMPLITUDE_DEVIATION, times.size)
    injected = InjectTemplatesRecording(sorting, template, before, factors, num_samples=[times.size * width])
    return Events(injected.get_traces().reshape(times.size, width, -1).astype(np.float32), before)


def tool_of_2018(python: Path) -> Contestant:
    """The events of hybridfactory 0.1.0b1, made by its own code in its own environment."""

    def make(task: Task) -> Events | str:
        script = Path(__file__).parent / "realism_original.py"
        with TemporaryDirectory() as name:
            folder = Path(name)
            np.save(folder / "positions.npy", task.world.positions)
            np.save(folder / "spikes.npy", task.spikes)
            source = [str(task.recording.files[0].path), str(task.world.frequency), str(folder / "positions.npy")]
            command = [str(python), "-E", str(script), *source, str(folder / "spikes.npy"), str(task.seed)]
            command.append(str(folder / "events.npy"))
            one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            run = subprocess.run(command, capture_output=True, text=True, check=False, env=one_thread)
            if run.returncode:
                return (run.stderr.strip().splitlines() or ["it failed"])[-1]
            return Events(np.load(folder / "events.npy").astype(np.float32), ORIGINAL_BEFORE)

    return make
