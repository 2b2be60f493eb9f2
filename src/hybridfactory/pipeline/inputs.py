"""What lies in a folder of data: the sorting, its raw files, and all that has to be known about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.errors import ParameterError, ProbeError, RecordingError
from hybridfactory.pipeline.input_files import find_output, find_raw, one_pattern, options_for_parameters
from hybridfactory.probes import Probe, eMouse, load_probe, neuropixels3a, read_probeinterface_json
from hybridfactory.recording.source import Source, open_source
from hybridfactory.recording.spikeglx import get_start_times, read_probe_from_meta
from hybridfactory.recording.spikeglx_meta import SpikeGLXMeta, meta_path_of, read_meta
from hybridfactory.sorting import Sorting, read_sorting
from hybridfactory.sorting.detection import SorterOutput
from hybridfactory.sorting.statement import RecordingStatement, read_statement

__all__ = ["Ask", "Inputs", "Known", "ask_for_missing", "find_inputs"]

PRESETS = {"neuropixels3a": neuropixels3a, "eMouse": eMouse}

Ask = Callable[[str, str], str]
"""Called with the name of an option and a question; returns what the user answers."""


@dataclass(frozen=True)
class Known:
    """What the user says; None or empty: to be found.

    Parameters
    ----------
    raw : tuple of pathlib.Path
    sample_rate : float, optional
        Hz.
    data_type : str, optional
        NumPy's name.
    probe : str, optional
        Name of a preset, or path of a probeinterface .json or a .npz file.
    num_rows : int, optional
    """

    raw: tuple[Path, ...] = ()
    sample_rate: float | None = None
    data_type: str | None = None
    probe: str | None = None
    num_rows: int | None = None


@dataclass(frozen=True, eq=False)
class Inputs:
    """A recording and its sorting, opened, and where each fact was found.

    Parameters
    ----------
    data_directory : pathlib.Path
    raw_source_file : pathlib.Path
        The raw file, or a glob that matches exactly the raw files.
    start_time : int, tuple of int, or None
        None: as the .meta files say.
    probe_name : str
        What a parameter file may say in the place of the arrays: a preset or a .json file; empty where neither is.
    probe_is_from_meta : bool
        Whether `generate` finds the same probe by itself.
    found_in : mapping of str to str
        Parameter → where its value comes from.
    """

    data_directory: Path
    raw_source_file: Path
    source: Source
    sorting: Sorting
    start_time: int | tuple[int, ...] | None
    probe_name: str
    probe_is_from_meta: bool
    found_in: dict[str, str]

    @property
    def has_metas(self) -> bool:
        """Whether every raw file has a .meta."""
        return all(meta is not None for meta in self.source.metas)


def find_inputs(place: Path, known: Known, *, label_base: int = 1, ask: Ask | None = None) -> Inputs:
    """Find out all that is needed to work on a sorting's units.

    What the user says comes first, then SpikeGLX's .meta files, then what the sorter's output says.

    Parameters
    ----------
    place : pathlib.Path
        The sorter's output folder or a file in it, or a folder that holds one such folder.
    known : Known
    label_base : {1, 0}
    ask : callable, optional
        Asked for what cannot be found; without it that is an error.

    Returns
    -------
    Inputs

    Raises
    ------
    HybridFactoryError
        If something is missing, and named by its option, or does not fit.
    """
    output = find_output(place)
    facts = _find_facts(output, known, ask)
    paths, said_by = facts.raw_files
    sample_rate, rate_from = facts.sample_rate
    dtype, type_from = facts.data_type
    num_rows, rows_from = facts.num_rows
    probe, probe_name, probe_from = facts.probe
    _refuse_rows_that_are_not_there(facts)
    folder = output.path if output.source_format == "phy" else output.path.parent
    # A sorting that lies beside another format's is named by its folder alone: the folder's own order decides.
    sorting = read_sorting(folder, label_base=label_base, source_paths=paths)
    starts, start_from = _start_time(
        paths, facts.metas, facts.statement, sorting, dtype, num_rows or probe.num_channels
    )
    with options_for_parameters():
        source = open_source(
            paths,
            start_time=starts,
            dtype=dtype,
            sampling_frequency=sample_rate,
            probe=probe,
            # What a .meta file says is not to be taken for what somebody has said.
            num_rows=known.num_rows if facts.metas[0] is not None else num_rows,
            num_rows_of_sorting=sorting.num_rows,
        )
    return Inputs(
        data_directory=folder,
        raw_source_file=one_pattern(paths),
        source=source,
        sorting=sorting,
        start_time=starts,
        probe_name=probe_name,
        probe_is_from_meta=probe_from == "the .meta file",
        found_in={
            "data_directory": f"a {output.source_format} sorting",
            "raw_source_file": said_by,
            "sample_rate": rate_from,
            "data_type": type_from,
            "raw_source_rows": rows_from,
            "probe": probe_from,
            "start_time": start_from,
        },
    )


def ask_for_missing(place: Path, known: Known, ask: Ask) -> Known:
    """Ask for what cannot be found, before any work begins; the same as `known` where nothing is missing.

    Parameters
    ----------
    place, known, ask : see `find_inputs`
    """
    answers: dict[str, str] = {}

    def remember(option: str, question: str) -> str:
        answers[option] = ask(option, question)
        return answers[option]

    _find_facts(find_output(place), known, remember)
    rate = answers.get("--sample-rate")
    return Known(
        raw=(Path(answers["--raw"].strip()),) if "--raw" in answers else known.raw,
        sample_rate=known.sample_rate if rate is None else _number(rate, "--sample-rate"),
        data_type=answers.get("--data-type", known.data_type),
        probe=answers.get("--probe", known.probe),
        num_rows=known.num_rows,
    )


@dataclass(frozen=True, eq=False)
class _Facts:
    """What is known of the raw files, each with where it was found."""

    raw_files: tuple[list[Path], str]
    statement: RecordingStatement
    metas: list[SpikeGLXMeta | None]
    sample_rate: tuple[float, str]
    data_type: tuple[np.dtype[Any], str]
    num_rows: tuple[int | None, str]
    probe: tuple[Probe, str, str]


def _refuse_rows_that_are_not_there(facts: _Facts) -> None:
    """See that the probe's rows are in the file, and say which option was wrong if not."""
    probe, name, probe_from = facts.probe
    rows, rows_from = facts.num_rows
    highest = int(probe.channel_map.max())
    if rows is None or highest < rows:
        return
    if probe_from == "given":
        raise ProbeError(
            f"--probe: {name or probe.name} has row {highest}, but the raw file has {rows} rows (0 to {rows - 1}; "
            f"{rows_from}): give the probe of this recording, or correct the number of rows with --rows"
        )
    raise ParameterError(f"--rows: {rows} rows, but {probe_from} names row {highest} (from 0): correct --rows")


def _find_facts(output: SorterOutput, known: Known, ask: Ask | None) -> _Facts:
    finder = _Finder(output, known, ask)
    raw_files = finder.raw_files()
    statement = read_statement(output, raw_files[0])
    metas = [read_meta(meta_path_of(path)) if meta_path_of(path).is_file() else None for path in raw_files[0]]
    sample_rate, data_type = finder.sample_rate(metas[0], statement), finder.data_type(metas[0], statement)
    num_rows = finder.num_rows(metas[0], statement)
    probe = finder.probe(metas[0], statement, num_rows[0])
    return _Facts(raw_files, statement, metas, sample_rate, data_type, num_rows, probe)


@dataclass(frozen=True)
class _Finder:
    """Looks for one fact after the other; each with where it was found."""

    output: SorterOutput
    known: Known
    ask: Ask | None

    def raw_files(self) -> tuple[list[Path], str]:
        if self.known.raw:
            return find_raw(self.known.raw), "given"
        statement = read_statement(self.output)
        if statement.raw_files and not statement.is_filtered:
            return find_raw(statement.raw_files), statement.stated_in
        beside = _spikeglx_beside(self.output.path)
        if beside:
            return beside, "lies beside the sorting"
        what = "names no file that is there"
        if statement.is_filtered and statement.raw_files:
            named = ", ".join(map(str, statement.raw_files))
            what = f"calls {named} filtered: a filtered copy will not do, but if it is the recording, name it"
        answer = self._missing("--raw", f"the raw recording ({statement.stated_in} {what})", "Raw recording (path)")
        return find_raw([Path(answer).expanduser()]), "given"

    def sample_rate(self, meta: SpikeGLXMeta | None, statement: RecordingStatement) -> tuple[float, str]:
        if self.known.sample_rate is not None:
            return self.known.sample_rate, "given"
        if meta is not None:
            return meta.sampling_frequency, "the .meta file"
        if statement.sampling_frequency is not None:
            return statement.sampling_frequency, statement.stated_in
        answer = self._missing("--sample-rate", "the sampling rate", "Sampling rate in Hz")
        return _number(answer, "--sample-rate"), "given"

    def data_type(self, meta: SpikeGLXMeta | None, statement: RecordingStatement) -> tuple[np.dtype[Any], str]:
        if self.known.data_type is not None:
            return _dtype(self.known.data_type), "given"
        if meta is not None:
            return np.dtype("int16"), "SpikeGLX"
        if statement.data_type is not None:
            return _dtype(statement.data_type), statement.stated_in
        answer = self._missing("--data-type", "the type of the samples", "Type of the samples, such as int16")
        return _dtype(answer), "given"

    def num_rows(self, meta: SpikeGLXMeta | None, statement: RecordingStatement) -> tuple[int | None, str]:
        if self.known.num_rows is not None:
            return self.known.num_rows, "given"
        if meta is not None:
            return meta.num_rows, "the .meta file"
        if statement.num_rows is not None:
            return statement.num_rows, statement.stated_in
        return None, "the probe"

    def probe(
        self, meta: SpikeGLXMeta | None, statement: RecordingStatement, num_rows: int | None
    ) -> tuple[Probe, str, str]:
        if self.known.probe is not None:
            return (*_named_probe(self.known.probe, num_rows), "given")
        reason = ""
        if meta is not None:
            try:
                probe = read_probe_from_meta(meta.path)
            except RecordingError as error:
                reason = f" ({error})"
            else:
                sorted_probe = _without_unsorted(probe, statement)
                where = "the .meta file" if sorted_probe is probe else f"the .meta file and {statement.stated_in}"
                return sorted_probe, "", where
        stated = statement.probe(num_rows)
        if stated is not None:
            return stated, "", statement.channels_stated_in or statement.stated_in
        answer = self._missing(
            "--probe", f"the probe{reason}", "Probe: neuropixels3a, eMouse, or a probeinterface .json or .npz file"
        )
        return (*_named_probe(answer, num_rows), "given")

    def _missing(self, option: str, what: str, question: str) -> str:
        """Ask for what cannot be found, or refuse to go on."""
        if self.ask is None:
            choices = question.partition(": ")[2]
            such_as = f" ({choices})" * bool(choices)
            raise ParameterError(f"{self.output.path}: cannot tell {what}: give {option}{such_as}")
        return self.ask(option, question).strip()


def _spikeglx_beside(place: Path) -> list[Path]:
    """Files of the only SpikeGLX recording that lies in a sorting's folder, or in one of the two above it."""
    for folder in [place, *place.parents][: 3 if place.is_dir() else 4]:
        found = sorted(path for path in folder.glob("*.ap.bin") if meta_path_of(path).is_file())
        own = [path for path in found if not path.name.endswith(".GT.bin")]
        if own:
            return own if len(own) == 1 else []
    return []


def _without_unsorted(probe: Probe, statement: RecordingStatement) -> Probe:
    """Mark rows as unconnected that the sorter left out: the same probe where there are none."""
    if statement.channels is None:
        return probe
    was_sorted = np.isin(probe.channel_map, statement.channels[0])
    connected = probe.connected & was_sorted
    is_same = np.array_equal(connected, probe.connected)
    return probe if is_same or not connected.any() else replace(probe, connected=connected)


def _named_probe(name: str, num_rows: int | None) -> tuple[Probe, str]:
    if name in PRESETS:
        return PRESETS[name](), name
    path = Path(name).expanduser()
    if path.suffix == ".json":
        return read_probeinterface_json(path, num_rows), str(path)
    if path.suffix == ".npz":
        return load_probe(path), ""
    raise ProbeError(f"--probe: {name!r} is none of {', '.join(PRESETS)}, and no .json or .npz file")


def _start_time(
    paths: Sequence[Path],
    metas: Sequence[SpikeGLXMeta | None],
    statement: RecordingStatement,
    sorting: Sorting,
    dtype: np.dtype[Any],
    num_rows: int,
) -> tuple[int | tuple[int, ...] | None, str]:
    """Where the files begin on the sorting's timeline: one after the other, or as SpikeGLX counted."""
    if len(paths) == 1:
        return 0, "the sorting began with the file"
    lengths = [path.stat().st_size // (dtype.itemsize * num_rows) for path in paths]
    joined = tuple(int(start) for start in np.cumsum([0, *lengths[:-1]]))
    joins = sorting.source_format == "jrc" or len(statement.raw_files) == len(paths)
    if joins or any(meta is None for meta in metas):
        return joined, "the sorter ran over the files without gaps"
    starts = tuple(int(start) for start in get_start_times([meta.path for meta in metas if meta is not None]))
    last = int(sorting.spike_times[-1])
    return (None, "firstSample of the .meta files") if last < starts[-1] + lengths[-1] else (joined, "the sorter")


def _dtype(text: str) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(text)
    except TypeError as error:
        raise ParameterError(f"--data-type: {text!r} is no type of NumPy; give one such as int16") from error
    if dtype.kind not in "iuf":
        raise ParameterError(f"--data-type: {text!r} holds no numbers; give one such as int16")
    return dtype


def _number(text: str, option: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ParameterError(f"{option}: {text!r} is no number above 0")
    return value
