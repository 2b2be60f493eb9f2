"""What makes a good donor: limits with their reasons, a class of realism to expect, and a rank."""

import math
from collections.abc import Iterable
from dataclasses import replace

from hybridfactory.donors.candidate import Candidate, Measures

__all__ = ["LIMITS", "judged", "ranked"]

MIN_SPIKES = 100
MIN_SNR = 4.0
MAX_ISI_RATIO = 0.1
MIN_COUNTED_VIOLATIONS = 3
MIN_PRESENCE = 0.8
MAX_CUTOFF = 0.2
MAX_DRIFT_UM = 30.0
MIN_ISOLATION = 0.2
MIN_CLEAN = 0.5
UNWANTED = ("noise", "mua", "artifact")

LIMITS = (
    ("spikes", f"at least {MIN_SPIKES}", "the error of the mean, which all events share, falls with their number"),
    ("SNR", f"at least {MIN_SNR:g}", "a sorter that misses a smaller unit tells little"),
    (
        "ISI violations",
        f"ratio at most {MAX_ISI_RATIO:g}",
        f"others' spikes would be injected as its own; up to {MIN_COUNTED_VIOLATIONS - 1} violations may be chance",
    ),
    ("presence", f"at least {MIN_PRESENCE:g}", "its events would test only a part of the recording"),
    ("amplitude cutoff", f"at most {MAX_CUTOFF:g}", "the small spikes are missing, so events would be too alike"),
    ("drift", f"at most {MAX_DRIFT_UM:g} µm", "a few components do not describe a unit that wanders so far"),
    ("isolation", f"at least {MIN_ISOLATION:g}", "it may be a part of a neighbour, or hold some of its spikes"),
    ("clean", f"at least {MIN_CLEAN:g}", "most of its spikes collide with others, or are of others"),
    ("label", "not noise, mua or artifact", "somebody, or the sorter, has looked at it"),
    ("moves", "at least 1", "otherwise there is nowhere to inject it"),
    ("event model", "can be made", "see `generate`: 30 clean spikes, and a mean that stands out"),
)
"""Name, limit and reason of each, for the help and the documentation."""

ENOUGH_SPIKES = 300
ENOUGH_CLEAN = 0.7
LITTLE_LEFT = 0.05
MUCH_LEFT = 0.15
FEW_VIOLATIONS = 0.05
LITTLE_DRIFT_UM = 10.0
HALF_SNR = 5.0

CLASSES = ("good", "fair", "poor", "")


def judged(candidate: Candidate) -> Candidate:
    """Fill in whether a unit is recommended, and if not, why; what realism to expect; and its quality."""
    expected = "" if candidate.model_refusal else _expected_realism(candidate.measures)
    return replace(
        candidate,
        refusals=tuple(_refusals(candidate)),
        expected_realism=expected,
        quality=_quality(candidate.measures),
    )


def ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Sort by recommendation, expected realism and quality; of equals, the smaller label comes first."""
    return sorted(
        candidates,
        key=lambda unit: (
            not unit.is_recommended,
            CLASSES.index(unit.expected_realism),
            -round(unit.quality, 6),
            unit.label,
        ),
    )


def _refusals(candidate: Candidate) -> list[str]:
    """Name what speaks against a unit. NaN, where nothing could be measured, speaks against none."""
    measures = candidate.measures
    found = []
    if candidate.curation.lower() in UNWANTED:
        found.append(f"labelled {candidate.curation}")
    if candidate.model_refusal:
        return [*found, candidate.model_refusal.partition(";")[0]]
    if measures.num_spikes < MIN_SPIKES:
        found.append(f"only {measures.num_spikes} spikes")
    if measures.snr < MIN_SNR:
        found.append(f"SNR only {measures.snr:.1f}")
    if measures.isi_violations_ratio > MAX_ISI_RATIO and measures.num_isi_violations >= MIN_COUNTED_VIOLATIONS:
        found.append(f"ISI violations {measures.isi_violations_ratio:.2f}")
    if measures.presence_ratio < MIN_PRESENCE:
        found.append(f"present only {measures.presence_ratio:.0%} of the time")
    if measures.amplitude_cutoff > MAX_CUTOFF:
        found.append(f"about {measures.amplitude_cutoff:.0%} of its spikes missed")
    if measures.drift_um > MAX_DRIFT_UM:
        found.append(f"drifts {measures.drift_um:.0f} µm")
    if measures.isolation < MIN_ISOLATION:
        found.append(f"isolation only {measures.isolation:.2f}")
    if measures.clean_share < MIN_CLEAN:
        found.append(f"only {measures.clean_share:.0%} clean spikes")
    if candidate.num_moves == 0:
        found.append("no place to move to")
    return found


def _expected_realism(measures: Measures) -> str:
    """Class of realism, from what makes classifiers tell events from real spikes; nothing is measured here."""
    against = [
        measures.num_spikes < ENOUGH_SPIKES,
        measures.clean_share < ENOUGH_CLEAN,
        measures.end_share > LITTLE_LEFT,
        measures.end_share > MUCH_LEFT,
        measures.isi_violations_ratio > FEW_VIOLATIONS and measures.num_isi_violations >= MIN_COUNTED_VIOLATIONS,
        measures.drift_um > LITTLE_DRIFT_UM,
    ]
    return ("good", "fair", "fair", "poor")[min(sum(against), 3)]


def _quality(measures: Measures) -> float:
    """Shares of what is right with a unit, multiplied: clean, present, isolated, its own, and clearly seen."""
    shares = (
        measures.clean_share,
        measures.presence_ratio,
        (1 + measures.isolation) / 2,
        1 - min(measures.isi_violations_ratio, 1),
        measures.snr / (measures.snr + HALF_SNR),
    )
    product = math.prod(0.5 if math.isnan(share) else share for share in shares)
    return float(product) if math.isfinite(measures.snr) else 0.0
