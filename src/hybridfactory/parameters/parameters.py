"""Everything a user can ask for, in one frozen, typed class: names, defaults, meaning and limits."""

# _parameter is dataclasses.field with a fixed set of metadata, so calling it in a class body is safe.
# ruff: noqa: RUF009

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.errors import ParameterError
from hybridfactory.parameters import rules
from hybridfactory.parameters.automatic_units import AutomaticUnits, automatic_or
from hybridfactory.parameters.contradictions import refuse_contradictions
from hybridfactory.parameters.names import ALIASES, nearest_name
from hybridfactory.parameters.paths import PATH_PARAMETERS, in_folder
from hybridfactory.parameters.rules import Rule
from hybridfactory.probes import Probe

__all__ = ["Parameters", "default_window", "parameter_names"]

DEFAULT_SECONDS_BEFORE, DEFAULT_SECONDS_AFTER = 1.65e-3, 3.5e-3
SAMPLES_OF_2018 = 40
"""Before and after; no default is less."""

TOLD_BY_FORMATS = {"data_type": rules.data_type(), "sample_rate": rules.number("a sampling rate in Hz (> 0)")}
"""What a flat file does not say of itself, and other formats do."""

_SAMPLES = "a whole number of samples ≥ 1"
_LABELS = "a list of unit labels (whole numbers ≥ 0) such as [3, 17], or 'auto' or 'auto:10'"
_START = "the first sample of each file (whole numbers ≥ 0), one number or one per file"
_RATES = "firing rates in Hz (numbers > 0), one per ground-truth unit, or an empty list"
_SESSION = "text that can stand in a file name (not empty, at most 200 bytes, no / or \\ or control characters)"


def _parameter(rule: Rule, doc: str, *, default: Any = MISSING, unit: str = "", choices: tuple[Any, ...] = ()) -> Any:
    metadata = {"rule": rule, "doc": doc, "unit": unit, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What to inject, from which recording, and where to write it.

    Each field carries its meaning, unit and choices as metadata; docs/parameters.md is the reference. Values
    are checked and turned into plain ones on construction: paths absolute, numbers as int or float, lists as
    tuples.

    Raises
    ------
    ParameterError
        If a value is not what its parameter takes, or two parameters contradict each other.
    """

    data_directory: Path = _parameter(
        rules.path("the path of the folder with the sorter's output"),
        "Folder that holds the spike sorter's output, or what SpikeInterface loads: a folder, .zarr, .npz or .json.",
    )
    raw_source_file: Path = _parameter(
        rules.path("the path of the raw recording, or a glob that matches its files"),
        "Raw recording: one file, or a glob that matches several; they are taken in natural order. In other formats "
        "than flat binary, a folder as well; see `raw_source_format`.",
    )
    data_type: np.dtype[Any] = _parameter(
        rules.or_none(TOLD_BY_FORMATS["data_type"]),
        "NumPy type of the samples in the raw recording: any integer or floating-point type. Required, unless "
        "`raw_source_format` is given. Default: what the recording says of itself then.",
        default=None,
    )
    sample_rate: float = _parameter(
        rules.or_none(TOLD_BY_FORMATS["sample_rate"]),
        "Sampling rate of the raw recording. Required, unless `raw_source_format` is given. Default: what the "
        "recording says of itself then.",
        default=None,
        unit="Hz",
    )
    ground_truth_units: tuple[int, ...] = _parameter(
        automatic_or(rules.integers(_LABELS, rules.integer("a label", minimum=0))),
        "Labels of the units whose events are injected, counted from `label_base`; no label twice. `auto`: those "
        "that `hybridfactory units` recommends; `auto:10`: the best ten of them.",
    )
    start_time: int | tuple[int, ...] | None = _parameter(
        rules.or_none(rules.one_or_many(_START, rules.integer("a sample", minimum=0))),
        "First sample of each raw file on the sorting's timeline, 0-based. Default: `firstSample` of the "
        ".meta files; in other formats, one segment after the other from 0.",
        default=None,
        unit="samples",
    )
    probe: Probe | None = _parameter(
        rules.or_none(rules.probe()),
        "Which row of the raw file is which site, and where it lies. Default: the probe that the .meta file, or the "
        "recording in another format, describes. The name `probe_type` is accepted as well.",
        default=None,
    )
    session_name: str | None = _parameter(
        rules.or_none(rules.file_name_part(_SESSION)),
        "Name of the run, part of its file names. Default: a short hash of the time.",
        default=None,
    )
    random_seed: int | None = _parameter(
        rules.or_none(rules.integer("a whole number from 0 to 2147483647", 0, 2**31 - 1)),
        "Seed of everything random, 0 to 2³¹ − 1. Default: drawn, and written to the run's hfparams file.",
        default=None,
    )
    output_directory: Path = _parameter(
        rules.or_none(rules.path("the path of the folder to write to")),
        "Folder to write to. Default: `hybrid_output` inside `data_directory`, or beside it if that is a file or "
        "a .zarr.",
        default=None,
    )
    output_type: str | None = _parameter(
        rules.or_none(rules.choice_or_reader("phy", "kilosort", "jrc", "spikeinterface")),
        "Format of the sorter's output. `spikeinterface`: what SpikeInterface has saved; `spikeinterface:NAME`: what "
        "its reader of that name reads. Default: found out from the files.",
        default=None,
        choices=("phy", "kilosort", "jrc", "spikeinterface"),
    )
    num_singular_values: int | str = _parameter(
        Rule(
            "a whole number ≥ 1, or 'auto'",
            lambda value: value if value == "auto" else rules.integer("", minimum=1).read(value),
        ),
        "Singular vectors that carry a unit's variability from event to event, beside its amplitude, at most; "
        "`auto` keeps all above the noise.",
        default=6,
    )
    channel_shift: int | None = _parameter(
        rules.or_none(rules.integer("a whole number of places in the probe's channel list, or None")),
        "Places in the probe's channel list by which the main channel moves; negative is down. Default: "
        "drawn from the moves that keep the geometry.",
        default=None,
        unit="channels",
    )
    synthetic_rate: tuple[float, ...] = _parameter(
        rules.one_or_many(_RATES, rules.number("a rate")),
        "Firing rate of each injected unit, or one number for all. Default: the unit's own spike times, jittered.",
        default=(),
        unit="Hz",
    )
    time_jitter: float = _parameter(
        rules.number("a number of samples ≥ 0", zero=True),
        "Standard deviation of the shift between a donor spike and its injected event. The name "
        "`jitter_factor` is accepted as well.",
        default=100.0,
        unit="samples",
    )
    amplitude_scale_min: float = _parameter(
        rules.number("a number > 0"), "Smallest factor that an event is multiplied by.", default=1.0
    )
    amplitude_scale_max: float = _parameter(
        rules.number("a number > 0"), "Largest factor that an event is multiplied by.", default=1.0
    )
    target_snr: float | tuple[float, float] | None = _parameter(
        rules.or_none(rules.number_or_range("a number > 0, or a range (smallest, largest)")),
        "Peak of each injected unit's mean over the background's standard deviation on its new main row; of a range, "
        "each unit's own is drawn. Default: as large as the donor.",
        default=None,
    )
    target_amplitude_uV: float | tuple[float, float] | None = _parameter(
        rules.or_none(rules.number_or_range("a number of µV > 0, or a range (smallest, largest)")),
        "Peak of each injected unit's mean on its new main row; of a range, each unit's own is drawn. Needs a .meta "
        "file. Default: as large as the donor.",
        default=None,
        unit="µV",
    )
    units_per_donor: int = _parameter(
        rules.integer("a whole number of units from 1 to 1000", 1, 1000),
        "Injected units made from each donor, each at a place and at times of its own.",
        default=1,
    )
    remove_original: bool = _parameter(
        rules.flag(),
        "True: the donors' spikes are taken out of the hybrid at their old place. False: they stay.",
        default=False,
        choices=(True, False),
    )
    samples_before: int = _parameter(
        rules.or_none(rules.integer(_SAMPLES, minimum=1)),
        "Length of an event before its spike time. Default: 1.65 ms, and at least 40; in 2018 it was 40.",
        default=None,
        unit="samples",
    )
    samples_after: int = _parameter(
        rules.or_none(rules.integer(_SAMPLES, minimum=1)),
        "Length of an event after its spike time. Default: 3.5 ms, and at least 40; in 2018 it was 40. A spike that "
        "is still under way where its event ends is told from a real one at once.",
        default=None,
        unit="samples",
    )
    copy: bool = _parameter(
        rules.flag(),
        "True: start from a fresh copy of the raw recording. False: reuse the target of an earlier run, "
        "whose changes are taken back first.",
        default=False,
        choices=(True, False),
    )
    label_base: int = _parameter(
        rules.choice(0, 1),
        "The first label there is. 1: labels as in 2018; 0: the ids that phy shows.",
        default=1,
        choices=(0, 1),
    )
    refractory_ms: float = _parameter(
        rules.number("a number of milliseconds > 0"),
        "Shortest time between two events of one injected unit.",
        default=2.0,
        unit="ms",
    )
    event_model: str = _parameter(
        rules.choice("shrunk_svd", "derivative_svd"),
        "How events are modelled: noise-whitened, shrunk SVD, or the construction of 2018.",
        default="shrunk_svd",
        choices=("shrunk_svd", "derivative_svd"),
    )
    raw_source_rows: int | None = _parameter(
        rules.or_none(rules.integer("a whole number of rows ≥ 1", minimum=1)),
        "Rows (saved channels) of the raw file. Default: as the .meta file says, else as the sorting says, else as "
        "many as the probe lists.",
        default=None,
        unit="rows",
    )
    raw_source_format: str | None = _parameter(
        rules.or_none(rules.format_name("the name of a format, such as 'openephys', 'intan', 'auto' or 'flat'")),
        "Format of the raw recording, by the name of SpikeInterface's reader, such as `openephys`, `intan`, `nwb`, "
        "`blackrock`, `cbin`, `spikeinterface`; `auto`: to be found out; `flat`: flat binary. Default: found out, "
        "where a file or folder tells without doubt, else flat binary.",
        default=None,
    )
    raw_source_options: dict[str, Any] | None = _parameter(
        rules.or_none(
            rules.options("a table of names and plain values, such as {'stream_name': 'Record Node 101#A'}")
        ),
        "What else the reader of that format should know, by the names of SpikeInterface's reader, such as "
        "`stream_name`. Default: nothing.",
        default=None,
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            value = item.metadata["rule"].apply(item.name, getattr(self, item.name))
            object.__setattr__(self, item.name, value)
        if not _may_be_left_out(self.raw_source_format):
            for name, rule in TOLD_BY_FORMATS.items():
                rule.apply(name, getattr(self, name))
        if self.sample_rate is not None:
            for name, samples in zip(
                ("samples_before", "samples_after"), default_window(self.sample_rate), strict=True
            ):
                if getattr(self, name) is None:
                    object.__setattr__(self, name, samples)
        if self.output_directory is None:
            object.__setattr__(self, "output_directory", _folder_of(self.data_directory) / "hybrid_output")
        # For units that are still to be chosen, one rate waits until their number is known.
        if isinstance(self.synthetic_rate, float) and not isinstance(self.ground_truth_units, AutomaticUnits):
            rates = (self.synthetic_rate,) * len(self.ground_truth_units)
            object.__setattr__(self, "synthetic_rate", rates)
        refuse_contradictions(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], *, source: str, folder: Path | None) -> "Parameters":
        """Read parameters given by name.

        Parameters
        ----------
        mapping : mapping of str to object
            Names as in the reference, the 2018 names `probe_type` and `jitter_factor` among them.
        source : str
            What error messages start with, such as the name of the file.
        folder : pathlib.Path or None
            Relative paths start here; None: the current directory.

        Returns
        -------
        loaded : Parameters

        Raises
        ------
        ParameterError
            If a name is not known, a required parameter is missing, or a value is wrong.
        """
        try:
            given = _by_known_name(mapping)
            told = _may_be_left_out(given.get("raw_source_format"))
            missing = [
                item.name
                for item in fields(cls)
                if item.name not in given and (_is_required(item) or (item.name in TOLD_BY_FORMATS and not told))
            ]
            if missing:
                raise ParameterError(f"required parameter(s) missing: {', '.join(missing)}; set them")
            for name in PATH_PARAMETERS if folder is not None else ():
                value = given.get(name)
                # What is no path, or an empty one, is left for the rule to refuse.
                if folder is not None and isinstance(value, str | PathLike) and str(value).strip():
                    given[name] = _resolve(name, value, folder)
            return cls(**given)
        except ParameterError as error:
            raise ParameterError(f"{source}: {error}") from error


def default_window(sample_rate: float) -> tuple[int, int]:
    """Samples of an event before and after its trough where nothing else is asked for: as long as spikes last."""
    seconds = DEFAULT_SECONDS_BEFORE, DEFAULT_SECONDS_AFTER
    before, after = (max(math.ceil(each * sample_rate), SAMPLES_OF_2018) for each in seconds)
    return before, after


def parameter_names() -> tuple[str, ...]:
    """Names of all parameters, in the order of the reference."""
    return tuple(item.name for item in fields(Parameters))


def _folder_of(data_directory: Path) -> Path:
    """Where results may go: not into a sorting that is one file, or a zarr."""
    is_closed = data_directory.suffix == ".zarr" or data_directory.is_file()
    return data_directory.parent if is_closed else data_directory


def _may_be_left_out(raw_source_format: object) -> bool:
    """Whether the recording will tell its type and rate itself."""
    return raw_source_format not in (None, "flat")


def _is_required(item: "Field[Any]") -> bool:
    return item.default is MISSING


def _resolve(name: str, value: str | PathLike[str], folder: Path) -> Path:
    try:
        return in_folder(value, folder)
    except RuntimeError as error:
        raise ParameterError(f"{name}: no such home folder as in {rules.shown(str(value))}: correct it") from error


def _by_known_name(mapping: Mapping[str, object]) -> dict[str, Any]:
    known = parameter_names()
    given: dict[str, Any] = {}
    for name, value in mapping.items():
        target = ALIASES.get(name, name)
        if target not in known:
            nearest = nearest_name(str(name), (*known, *ALIASES))
            raise ParameterError(f"unknown parameter {name!r}; did you mean {nearest!r}?")
        if target in given and given[target] is not value:
            both = [other for other in (target, *ALIASES) if ALIASES.get(other, other) == target]
            raise ParameterError(f"{' and '.join(both)} are two names of one parameter: give one of them")
        given[target] = value
    return given
