"""What is known of a unit that may become a donor, and what follows from it."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Candidate", "Measures"]


@dataclass(frozen=True)
class Measures:
    """The figures of one unit; NaN where something could not be measured.

    Parameters
    ----------
    num_spikes : int
    firing_rate_hz : float
    snr : float
        Largest deflection of the mean over the background's standard deviation on that row, as `generate` states it.
    amplitude : float
        Largest deflection of the mean, in the survey's unit of amplitude.
    isi_violations_ratio : float
        Rate of contaminating spikes over the unit's own, from intervals below 1.5 ms.
    num_isi_violations : int
    presence_ratio : float
        Share of the recording's stretches in which it fires.
    amplitude_cutoff : float
        Share of its spikes that are missing since they are too small for the sorter.
    drift_um : float
        Range of its place along the probe.
    isolation : float
        Simplified silhouette against the units nearby, -1 to 1; 1 where there are none.
    clean_share : float
        Share of the spikes looked at that an event model can learn from.
    end_share : float
        How large the mean still is where sorters stop looking, against its peak.
    """

    num_spikes: int
    firing_rate_hz: float
    snr: float = float("nan")
    amplitude: float = float("nan")
    isi_violations_ratio: float = float("nan")
    num_isi_violations: int = 0
    presence_ratio: float = float("nan")
    amplitude_cutoff: float = float("nan")
    drift_um: float = float("nan")
    isolation: float = float("nan")
    clean_share: float = float("nan")
    end_share: float = float("nan")


@dataclass(frozen=True, eq=False)
class Candidate:
    """One unit of the sorting as a donor.

    Parameters
    ----------
    label : int
        As `ground_truth_units` names it.
    curation : str
        What a person, or the sorter, called it: "good", "mua", "noise", ...; empty where nobody did.
    measures : Measures
    main_row : int or None
        Raw row on which it is largest.
    rows : numpy.ndarray of int64, shape (num_rows,)
        Raw rows of its footprint.
    mean : numpy.ndarray of float32, shape (num_samples, num_rows)
        Its mean waveform there, in counts.
    num_moves : int
        Places to which it can go.
    model_refusal : str
        Why the program makes no event model of it; empty where it does.
    refusals : tuple of str
        Why it is not recommended, one short phrase each; empty where it is.
    expected_realism : str
        "good", "fair", "poor", or empty where there is no event model.
    quality : float
        What units are ranked by; 0 to 1.
    realism_auc : float
        Measured, where that was asked for; NaN elsewhere.
    """

    label: int
    curation: str
    measures: Measures
    main_row: int | None = None
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    mean: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    num_moves: int = 0
    model_refusal: str = ""
    refusals: tuple[str, ...] = ()
    expected_realism: str = ""
    quality: float = 0.0
    realism_auc: float = float("nan")

    @property
    def is_recommended(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.refusals

    def as_record(self) -> dict[str, Any]:
        """Everything but the waveform, in plain types by name."""
        values: dict[str, Any] = {"unit": self.label, "recommended": self.is_recommended}
        values |= {"reasons": list(self.refusals), "curation": self.curation}
        values |= {
            name: value if isinstance(value, int) else (round(value, 4) if np.isfinite(value) else None)
            for name, value in asdict(self.measures).items()
        }
        return values | {
            "main_row": self.main_row,
            "footprint_rows": int(self.rows.size),
            "num_moves": self.num_moves,
            "expected_realism": self.expected_realism,
            "realism_auc": round(self.realism_auc, 4) if np.isfinite(self.realism_auc) else None,
            "quality": round(self.quality, 4),
        }
