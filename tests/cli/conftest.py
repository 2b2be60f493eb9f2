"""A stand-in for the pipeline, so that these tests are about the command line alone."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hybridfactory.plan.plan import InjectionPlan, PlannedUnit, RefusedEvents


@dataclass(frozen=True)
class FakeResult:
    plan: InjectionPlan
    output_directory: Path
    session_name: str
    recording_paths: tuple[Path, ...]
    truth_paths: tuple[Path, ...]
    num_clipped_samples: int
    warnings: tuple[str, ...] = ()
    seconds: float = 5.25
    copy_seconds: float | None = 1.5


def planned_unit(label: int, num_events: int, **changes: object) -> PlannedUnit:
    events = np.arange(num_events)
    values: dict[str, object] = {
        "donor_label": label,
        "injected_label": 100 + label,
        "reason": "",
        "notes": (),
        "num_donor_spikes": num_events,
        "num_training_spikes": num_events,
        "rank": 6,
        "snr": 12.34,
        "donor_row": 11,
        "center_row": 31,
        "displacement_um": (0.0, 100.0),
        "move": "translation",
        "rows": np.arange(3),
        "footprint": np.arange(3),
        "samples": events,
        "donor_events": events,
        "donor_samples": events,
        "amplitude_factors": np.ones(num_events, np.float32),
        "refused": RefusedEvents(np.empty(0, np.int64), ()),
    }
    return PlannedUnit(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def result(tmp_path: Path) -> FakeResult:
    edge = "within a window of a file edge"
    units = (
        planned_unit(2, 1234, refused=RefusedEvents(np.array([1, 2, 3]), (edge, edge, "in a gap between files"))),
        planned_unit(15, 88, move="rotation", snr=float("nan"), notes=("only 88 spikes to learn from",)),
        planned_unit(123, 0, injected_label=None, reason="no valid translation on this probe"),
    )
    folder = tmp_path / "hybrid output"
    return FakeResult(
        plan=InjectionPlan(units, 40, 40),
        output_directory=folder,
        session_name="test",
        recording_paths=(folder / "demo.ap.GT.bin",),
        truth_paths=(folder / "firings_true.npy", folder / "annotations-test.csv"),
        num_clipped_samples=7,
    )


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch, result: FakeResult) -> Callable[[Callable[..., object]], None]:
    """Install a function in the place of ``hybridfactory.pipeline.generate.generate``."""

    def install(generate: Callable[..., object] = lambda parameters, *, progress, **options: result) -> None:
        module = ModuleType("hybridfactory.pipeline.generate")
        module.generate = generate  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "hybridfactory.pipeline.generate", module)

    install()
    return install
