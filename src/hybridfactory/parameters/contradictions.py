"""Parameters that are each what they may be, and do not go together."""

from typing import TYPE_CHECKING

from hybridfactory.errors import ParameterError
from hybridfactory.parameters.automatic_units import AutomaticUnits
from hybridfactory.parameters.paths import new_windows_name

if TYPE_CHECKING:
    from hybridfactory.parameters.parameters import Parameters

__all__ = ["refuse_contradictions"]

MIN_RATE_HZ, MAX_RATE_HZ = 1.0, 1e7


def refuse_contradictions(asked: "Parameters") -> None:
    """See that parameters go together.

    Parameters
    ----------
    asked : Parameters
        Each read by its own rule.

    Raises
    ------
    ParameterError
        If two contradict each other, or a run of them could not be.
    """
    _check_output_directory(asked)
    _check_rate_of_samples(asked)
    _check_labels(asked)
    _check_rates(asked)
    _check_rows(asked)
    _check_amplitudes(asked)
    _check_units_per_donor(asked)


def _check_rate_of_samples(asked: "Parameters") -> None:
    if asked.sample_rate is not None and not MIN_RATE_HZ <= asked.sample_rate <= MAX_RATE_HZ:
        raise ParameterError(
            f"sample_rate is {asked.sample_rate:g} Hz, too low or too high for spikes: give the samples per second"
        )


def _check_output_directory(asked: "Parameters") -> None:
    name = new_windows_name(asked.output_directory)
    if name is not None:
        raise ParameterError(
            f"output_directory: {name} is a path of Windows, and would become a folder of that name here: give a "
            "path of this system, with / between its parts"
        )


def _check_labels(asked: "Parameters") -> None:
    if min(asked.ground_truth_units, default=asked.label_base) < asked.label_base:
        raise ParameterError(
            "ground_truth_units holds the label 0, but labels start at label_base = 1: "
            "for the ids that phy shows, set label_base = 0"
        )


def _check_rates(asked: "Parameters") -> None:
    rates = (asked.synthetic_rate,) if isinstance(asked.synthetic_rate, float) else asked.synthetic_rate
    if isinstance(asked.ground_truth_units, AutomaticUnits):
        if rates is asked.synthetic_rate and rates:
            raise ParameterError(
                f"synthetic_rate has {len(rates)} value(s), but ground_truth_units is {asked.ground_truth_units!r}"
                ": give one number for all units, or name the units"
            )
    elif len(rates) not in (0, len(asked.ground_truth_units)):
        raise ParameterError(
            f"synthetic_rate has {len(asked.synthetic_rate)} value(s) for {len(asked.ground_truth_units)} "
            "ground_truth_units: give one per unit, or an empty list for the units' own times"
        )
    for rate in rates:
        if rate * asked.refractory_ms / 1000 >= 1:
            raise ParameterError(
                f"synthetic_rate holds {rate:g} Hz, which refractory_ms = {asked.refractory_ms:g} does "
                f"not allow: give rates below {1000 / asked.refractory_ms:g} Hz"
            )


def _check_amplitudes(asked: "Parameters") -> None:
    if asked.amplitude_scale_min > asked.amplitude_scale_max:
        raise ParameterError(
            f"amplitude_scale_min ({asked.amplitude_scale_min:g}) must not be above amplitude_scale_max "
            f"({asked.amplitude_scale_max:g})"
        )
    if asked.target_snr is not None and asked.target_amplitude_uV is not None:
        raise ParameterError("target_snr and target_amplitude_uV both say how large units are: give one")


def _check_units_per_donor(asked: "Parameters") -> None:
    if asked.units_per_donor == 1:
        return
    if asked.channel_shift is not None:
        raise ParameterError(
            f"channel_shift = {asked.channel_shift} names one place, but units_per_donor is "
            f"{asked.units_per_donor}: leave one of them out"
        )
    if asked.time_jitter == 0 and not asked.synthetic_rate:
        raise ParameterError(
            f"with time_jitter = 0, the {asked.units_per_donor} units of a donor (units_per_donor) would fire at "
            "the same samples: give a time_jitter, or a synthetic_rate"
        )


def _check_rows(asked: "Parameters") -> None:
    if asked.probe is None or asked.raw_source_rows is None:
        return
    highest = int(asked.probe.channel_map.max())
    if highest >= asked.raw_source_rows:
        raise ParameterError(
            f"probe names row {highest}, but raw_source_rows is {asked.raw_source_rows} "
            f"(rows 0 to {asked.raw_source_rows - 1}): correct one of them"
        )
