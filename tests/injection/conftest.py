"""Hand-made event models and plans: rendering needs nothing that was learned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings

from hybridfactory.events.model import EventModel
from hybridfactory.injection.script import write_script
from hybridfactory.plan.plan import InjectionPlan, PlannedUnit, RefusedEvents
from hybridfactory.recording.flat import open_flat_recording

# Machines under load are slow; what takes long is seen by --durations.
hypothesis_settings.register_profile("patient", deadline=None, max_examples=40)
hypothesis_settings.load_profile("patient")

BEFORE, AFTER = 12, 18
NUM_ROWS = 10


def make_model(label, rows, rank, num_spikes, random, amplitude=300.0):
    """A smooth random model with zero ends and all phases."""
    window = np.hanning(BEFORE + 1 + AFTER)[:, None]
    smooth = np.cumsum(random.standard_normal((1 + rank, BEFORE + 1 + AFTER, len(rows))), axis=1)
    waveforms = (smooth * window * amplitude / np.abs(smooth).max()).astype(np.float32)
    return EventModel(
        label=label,
        rows=np.array(rows, dtype=np.int64),
        mean=waveforms[0],
        components=waveforms[1:],
        samples_before=BEFORE,
        donor_samples=np.sort(random.integers(0, 10_000, num_spikes)),
        phases=random.integers(-4, 5, num_spikes),
        coefficients=random.standard_normal((num_spikes, rank)).astype(np.float32),
        is_clean=np.ones(num_spikes, dtype=bool),
        num_training_spikes=num_spikes,
        noise_level=10.0,
    )


def make_unit(model, samples, rows, footprint, random, factors=(0.5, 1.5)):
    """Plan events of a model at `samples`, its columns `footprint` landing on `rows`."""
    samples = np.sort(np.asarray(samples, dtype=np.int64))
    donor_events = random.integers(0, model.donor_samples.size, samples.size)
    nothing = np.zeros(0, dtype=np.int64)
    return PlannedUnit(
        donor_label=model.label,
        injected_label=model.label + 100,
        reason="",
        notes=(),
        num_donor_spikes=model.donor_samples.size,
        num_training_spikes=model.num_training_spikes,
        rank=len(model.components),
        snr=model.snr,
        donor_row=int(model.rows[0]),
        center_row=int(rows[0]),
        displacement_um=(0.0, 20.0),
        move="translation",
        rows=np.array(rows, dtype=np.int64),
        footprint=np.array(footprint, dtype=np.int64),
        samples=samples,
        donor_events=donor_events,
        donor_samples=model.donor_samples[donor_events],
        amplitude_factors=random.uniform(*factors, samples.size).astype(np.float32),
        refused=RefusedEvents(nothing, ()),
    )


def naive_patch(plan, models, start, stop):
    """What the plan adds to timeline samples [start, stop), float64, from the models' documented fields alone.

    An event is mean + coefficients @ components, a Kaiser-windowed sinc later by its phase, times its factor.
    """
    patch = np.zeros((stop - start, NUM_ROWS))
    width = plan.samples_before + 1 + plan.samples_after
    grid = np.arange(width)
    for unit in plan.injected_units:
        model = models[unit.donor_label]
        for sample, donor, factor in zip(unit.samples, unit.donor_events, unit.amplitude_factors, strict=True):
            event = model.mean.astype(float)
            for share, component in zip(model.coefficients[donor], model.components, strict=True):
                event = event + float(share) * component
            distance = grid[:, None] - grid - model.phases[donor] / 8
            inside = np.abs(distance) <= 9
            kaiser = np.i0(6 * np.sqrt(np.where(inside, 1 - (distance / 9) ** 2, 0).clip(0))) / np.i0(6.0)
            shifted = (np.where(inside, np.sinc(distance), 0) * kaiser) @ event
            for t in range(width):
                where = sample - plan.samples_before + t - start
                if 0 <= where < stop - start:
                    for row, column in zip(unit.rows, unit.footprint, strict=True):
                        patch[where, row] += float(factor) * shifted[t, column]
    return patch


class Scene:
    """Models, plan and script, and the naive rendering of them."""

    def __init__(self, plan, models):
        self.plan, self.models = plan, models
        self.script = write_script(plan, models)

    def patch(self, start, stop):
        return naive_patch(self.plan, self.models, start, stop)

    def scaled(self, factor):
        """The same scene with all amplitudes multiplied."""
        units = [replace(unit, amplitude_factors=unit.amplitude_factors * np.float32(factor)) for unit in self.plan]
        return Scene(replace(self.plan, units=tuple(units)), self.models)


def build_scene(times_of, seed=1):
    """Three units of rank 3, 0 and 6 on overlapping rows; the refused fourth has no events."""
    random = np.random.default_rng(seed)
    models = {
        2: make_model(2, [0, 1, 2, 3], 3, 50, random),
        5: make_model(5, [4, 6, 7], 0, 40, random),
        9: make_model(9, [1, 2, 3, 4, 5], 6, 60, random, amplitude=100.0),
    }
    landing = {2: ([3, 1, 4, 5], [0, 1, 2, 3]), 5: ([5, 0], [2, 0]), 9: ([4, 5, 6, 7], [0, 1, 3, 4])}
    units = [make_unit(models[label], times_of(label), *landing[label], random) for label in models]
    refused = replace(units[0], donor_label=12, injected_label=None, samples=units[0].samples[:0], reason="no place")
    return Scene(InjectionPlan((*units, refused), BEFORE, AFTER), models)


@pytest.fixture(scope="session")
def scene():
    """About ninety events within samples 0 to 3000, many of them overlapping; rows 2, 8 and 9 stay free."""
    random = np.random.default_rng(5)
    crowded = {label: np.concatenate([[BEFORE, 2999 - AFTER], random.integers(400, 2200, 30)]) for label in (2, 5, 9)}
    return build_scene(crowded.__getitem__)


@pytest.fixture(scope="session")
def scene_of():
    """Build a scene from a function of label to times."""
    return build_scene


@pytest.fixture
def recording_of(tmp_path):
    """Write arrays as files that start at given samples, and open them."""

    def write(parts, starts, trailing=b""):
        paths = []
        for number, part in enumerate(parts):
            paths.append(Path(tmp_path / f"part{number}.bin"))
            paths[-1].write_bytes(part.tobytes() + trailing)
        return open_flat_recording(
            paths,
            start_samples=starts,
            dtype=parts[0].dtype,
            num_rows=parts[0].shape[1],
            sampling_frequency=30_000.0,
            allow_trailing_bytes=True,
        )

    return write
