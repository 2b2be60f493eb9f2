"""A first parameter file as text: everything that was found, with where it was found and what else there is."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import numpy as np

from hybridfactory._version import __version__
from hybridfactory.donors.candidate import Candidate
from hybridfactory.parameters import Parameters
from hybridfactory.pipeline.inputs import Inputs
from hybridfactory.probes import Probe

__all__ = ["Starter", "python_text", "toml_text"]

WIDTH = 110
VALUE_WIDTH = 46
MAX_UPWARDS = 2
SET_ABOVE = (
    *("data_type", "sample_rate", "start_time", "raw_source_rows", "label_base", "probe"),
    *("session_name", "output_directory", "random_seed"),
    *("target_snr", "target_amplitude_uV", "units_per_donor", "remove_original"),
)
ABOUT_NAME = "file names stay the same from run to run"
ABOUT_SEED = "the same seed gives the same hybrid"
SEED = 42
REFUSED_SHOWN = 20


@dataclass(frozen=True, eq=False)
class Starter:
    """What a first parameter file says.

    Parameters
    ----------
    path : pathlib.Path
        Where the file will lie; absolute.
    inputs : Inputs
    chosen : tuple of Candidate
        The donors, the best first.
    others : tuple of Candidate
        Units that are recommended as well.
    refused : tuple of Candidate
    unit_of_amplitude : str
    session_name : str
    output_directory : pathlib.Path
    """

    path: Path
    inputs: Inputs
    chosen: tuple[Candidate, ...]
    others: tuple[Candidate, ...]
    refused: tuple[Candidate, ...]
    unit_of_amplitude: str
    session_name: str
    output_directory: Path

    @property
    def label_base(self) -> int:
        """Labels are counted from here."""
        return self.inputs.sorting.label_base

    def describe(self, unit: Candidate) -> str:
        """Say in a few words what speaks for a unit."""
        measures = unit.measures
        return (
            f"{measures.num_spikes} spikes, SNR {measures.snr:.1f}, {measures.amplitude:.0f} "
            f"{self.unit_of_amplitude}, isolation {measures.isolation:.2f}, {unit.num_moves} places to go to, "
            f"expected realism {unit.expected_realism}"
        )


def toml_text(starter: Starter) -> str:
    """Write a parameter file in TOML."""
    found, inputs = starter.inputs.found_in, starter.inputs
    recording = inputs.source.recording
    lines = [
        *_heading(starter),
        _line(f"data_directory = {_path(inputs.data_directory, starter)}", found["data_directory"]),
        _line(f"raw_source_file = {_path(inputs.raw_source_file, starter)}", found["raw_source_file"]),
        _line(f"data_type = {json.dumps(_type_name(recording.dtype))}", found["data_type"]),
        _line(f"sample_rate = {_rate(recording.sampling_frequency)}", f"Hz; {found['sample_rate']}"),
    ]
    if inputs.start_time is None:
        lines.append(f"# start_time is left out: {found['start_time']}")
    else:
        starts = inputs.start_time
        value = starts if isinstance(starts, int) else list(starts)
        lines.append(_line(f"start_time = {value}", f"samples; {found['start_time']}"))
    if not inputs.has_metas:
        lines.append(_line(f"raw_source_rows = {recording.num_rows}", found["raw_source_rows"]))
    lines.append(_line(f"label_base = {starter.label_base}", _about_labels(starter.label_base)))
    lines += [*_donors(starter), *_about_injected("true")]
    name = json.dumps(starter.session_name, ensure_ascii=False)
    lines += [
        "",
        f"output_directory = {_path(starter.output_directory, starter)}",
        _line(f"session_name = {name}", ABOUT_NAME),
        _line(f"random_seed = {SEED}", ABOUT_SEED),
        "",
        *_other_parameters("toml"),
        "",
    ]
    if inputs.probe_is_from_meta:
        lines.append("# probe is left out: the .meta file describes it.")
    elif inputs.probe_name.endswith(".json"):
        lines.append(f"probe = {{file = {_path(Path(inputs.probe_name).absolute(), starter)}}}")
    elif inputs.probe_name:
        lines.append(f"probe = {json.dumps(inputs.probe_name)}")
    else:
        lines += _probe_table(inputs.source.probe, found["probe"])
    return "\n".join(lines) + "\n"


def python_text(starter: Starter) -> str:
    """Write a parameter file as a Python module, in the layout of 2018."""
    found, inputs = starter.inputs.found_in, starter.inputs
    recording = inputs.source.recording
    probe_import, probe_lines = _python_probe(inputs)
    starts = inputs.start_time
    start_lines = [_line(f"start_time = {starts if isinstance(starts, int) else list(starts or ())}", "samples")]
    imports = ["import numpy as np", ""]
    if starts is None:
        metas = str(inputs.raw_source_file.with_suffix(".meta"))
        imports.append("from hybridfactory.io.spikegl import get_start_times")
        start_lines = [f"start_time = get_start_times({metas!r})"]
    imports += probe_import
    dtype = recording.dtype
    type_name = f"np.{dtype.name}" if dtype.isnative else f"np.dtype({dtype.str!r})"
    rows = [] if inputs.has_metas else [_line(f"raw_source_rows = {recording.num_rows}", found["raw_source_rows"])]
    lines = [
        *_heading(starter),
        *imports,
        *[""] * (imports[-1] != ""),
        "# required",
        _line(f"data_directory = {str(inputs.data_directory)!r}", found["data_directory"]),
        _line(f"raw_source_file = {str(inputs.raw_source_file)!r}", found["raw_source_file"]),
        _line(f"data_type = {type_name}", found["data_type"]),
        _line(f"sample_rate = {_rate(recording.sampling_frequency)}", f"Hz; {found['sample_rate']}"),
        *start_lines,
        *rows,
        *_donors(starter),
        *_about_injected("True"),
        "",
        f"# probe: {found['probe']}",
        *probe_lines,
        "",
        "# optional",
        f"output_directory = {str(starter.output_directory)!r}",
        _line(f"session_name = {starter.session_name!r}", ABOUT_NAME),
        _line(f"random_seed = {SEED}", ABOUT_SEED),
        *([f"label_base = {starter.label_base}"] if starter.label_base != 1 else []),
        *_other_parameters("py"),
    ]
    return "\n".join(lines) + "\n"


def _heading(starter: Starter) -> list[str]:
    return [
        f"# Parameters of a hybrid, written by `hybridfactory init` ({__version__}). To make it:",
        f"#   hybridfactory generate {starter.path.name}",
        "",
    ]


def _line(code: str, remark: str) -> str:
    return f"{code.ljust(VALUE_WIDTH)}  # {remark}"


def _path(path: Path, starter: Starter) -> str:
    """Write a path as TOML: from the parameter file's folder where that is near, so that both can move together."""
    relative = os.path.relpath(path, starter.path.parent)
    is_near = Path(relative).parts.count("..") <= MAX_UPWARDS
    return json.dumps(relative if is_near else str(path), ensure_ascii=False)


def _type_name(dtype: np.dtype[np.generic]) -> str:
    return dtype.name if dtype.isnative else dtype.str


def _rate(sampling_frequency: float) -> str:
    return str(int(sampling_frequency)) if sampling_frequency.is_integer() else repr(sampling_frequency)


def _about_labels(label_base: int) -> str:
    return "units as phy shows them" if label_base == 0 else "units are counted from 1"


def _donors(starter: Starter) -> list[str]:
    """List the chosen units, one per line with a remark, and the others for whoever wants to choose anew."""
    num_units = len(starter.chosen) + len(starter.others) + len(starter.refused)
    num_good = len(starter.chosen) + len(starter.others)
    lines = [
        "",
        f"# {num_good} of {num_units} units are recommended as donors, the best first; see `hybridfactory units`.",
        "ground_truth_units = [",
        *(_entry(unit, starter, "") for unit in starter.chosen),
        *(_entry(unit, starter, "# ") for unit in starter.others),
        "]",
    ]
    if starter.refused:
        shown = starter.refused[:REFUSED_SHOWN]
        lines.append("# Not recommended:")
        lines += [f"#   {unit.label}: {'; '.join(unit.refusals)}" for unit in shown]
        hidden = len(starter.refused) - len(shown)
        lines += [f"#   and {hidden} more"] * bool(hidden)
    return lines


def _about_injected(yes: str) -> list[str]:
    """What the injected units can be beside copies of their donors, with values that work once uncommented."""
    return [
        "",
        "# What may become of them; by default one unit of the donor's size from each, and the donor stays:",
        _line("# target_snr = [4, 15]", "SNR of each injected unit: one number, or drawn from a range"),
        _line("# target_amplitude_uV = [60, 200]", "or its peak in µV, likewise; needs a .meta file"),
        _line("# units_per_donor = 2", "several from each donor, each at a place and at times of its own"),
        _line(f"# remove_original = {yes}", "take the donors' own spikes out at their old place"),
    ]


def _entry(unit: Candidate, starter: Starter, mark: str) -> str:
    return f"    {mark}{unit.label},".ljust(12) + f"# {starter.describe(unit)}"


def _other_parameters(suffix: str) -> list[str]:
    """Every parameter that keeps its default, as a remark with its meaning."""
    lines = ["# Everything else, with its default:"]
    for item in fields(Parameters):
        if item.default is MISSING or item.name in SET_ABOVE:
            continue
        value = item.default
        text = "…" if value in (None, ()) else repr(value)
        if isinstance(value, str) or (isinstance(value, bool) and suffix == "toml"):
            text = json.dumps(value)
        lines += [f"# {item.name} = {text}", *(f"#     {part}" for part in _wrapped(item.metadata["doc"]))]
    return lines


def _wrapped(text: str) -> Sequence[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > WIDTH - 8:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _probe_table(probe: Probe, found_in: str) -> list[str]:
    lines = [
        f"[probe]  # {found_in}",
        f"name = {json.dumps(probe.name)}",
        f"channel_map = {probe.channel_map.tolist()}",
        f"connected = {json.dumps(probe.connected.tolist())}",
        "channel_positions = [  # x, y in µm",
        *(f"    [{_number(x)}, {_number(y)}]," for x, y in probe.channel_positions.tolist()),
        "]",
    ]
    return lines + ([] if probe.shank_ids is None else [f"shank_ids = {json.dumps(list(probe.shank_ids))}"])


def _python_probe(inputs: Inputs) -> tuple[list[str], list[str]]:
    """Return imports, and the lines that make the probe."""
    if inputs.probe_is_from_meta:
        return [], ["# left out: the .meta file describes it"]
    if inputs.probe_name.endswith(".json"):
        path = str(Path(inputs.probe_name).absolute())
        call = f"probe = read_probeinterface_json({path!r}, {inputs.source.recording.num_rows})"
        return ["from hybridfactory.probes import read_probeinterface_json"], [call]
    if inputs.probe_name:
        return [f"from hybridfactory.probes import {inputs.probe_name}"], [f"probe = {inputs.probe_name}()"]
    probe = inputs.source.probe
    shanks = "" if probe.shank_ids is None else f", shank_ids={list(probe.shank_ids)!r}"
    return ["from hybridfactory.probes import custom_probe"], [
        f"channel_map = np.array({probe.channel_map.tolist()})",
        f"connected = np.array({probe.connected.tolist()})",
        "channel_positions = np.array([  # x, y in µm",
        *(f"    [{_number(x, 'np.nan')}, {_number(y, 'np.nan')}]," for x, y in probe.channel_positions.tolist()),
        "])",
        f"probe = custom_probe(channel_map, connected, channel_positions, {probe.name!r}{shanks})",
    ]


def _number(value: float, not_a_number: str = "nan") -> str:
    # A nanometre is far below what placement tells apart.
    return not_a_number if math.isnan(value) else f"{round(value, 3) + 0.0:.9g}"
