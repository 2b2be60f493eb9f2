"""One function per format: bytes in; a sound result, or one clear line, or the input has found a fault.

The hypothesis tests and the runs in ``fuzz/`` share them.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fuzz_seeds import PRM, Seeds, make_seeds
from layouts import jrclust4, phy_kilosort4, phy_spikeinterface
from matlab_files import write_v7

from hybridfactory.errors import HybridFactoryError
from hybridfactory.ground_truth.run import load
from hybridfactory.injection.journal import load_journal
from hybridfactory.parameters import load_parameters
from hybridfactory.probes import Probe, read_probeinterface_json
from hybridfactory.recording.spikeglx import get_start_times, read_meta, read_probe_from_meta, write_hybrid_meta
from hybridfactory.report.measure import measure_run
from hybridfactory.sorting import Sorting, read_sorting
from hybridfactory.sorting.found import read_found_sorting
from hybridfactory.sorting.jrclust_prm import read_prm
from hybridfactory.sorting.stored_templates import read_stored_templates
from hybridfactory.validation.foreign_truth import read_firings
from hybridfactory.validation.hybrid import open_hybrid
from hybridfactory.validation.truth import Truth

__all__ = ["MAX_SECONDS", "TARGET_NAMES", "Target", "make_targets"]

TARGET_NAMES = (
    "npy spike_times",
    "npy spike_clusters",
    "npy spike_templates",
    "npy templates",
    "npy templates_ind",
    "npy channel_map",
    "npy template_ind",
    "npy firings_true",
    "meta",
    "toml",
    "phy params",
    "tsv",
    "prm",
    "probe json",
    "mat v7 rez",
    "mat v7.3 rez",
    "mat v7 jrclust 3",
    "mat v7.3 jrclust 3",
    "mat v7 jrclust 4",
    "mat v7.3 jrclust 4",
    "run manifest.json",
    "run artificial_units-e2e.csv",
    "run units-e2e.csv",
    "run annotations-e2e.csv",
    "run plan-e2e.csv",
    "run probe-e2e.npz",
    "run injection-e2e.npz",
    "run journal-e2e.npz",
)
"""First the format, then which of its files."""

MAX_SECONDS = 10.0


@dataclass(frozen=True)
class Target:
    """A format.

    Parameters
    ----------
    name : str
    seeds : list of bytes
        Valid files.
    folder : pathlib.Path
        What belongs to the file lies there.
    file : str
        Name of the file in the folder.
    read : callable
        Reads the folder, and fails if what comes out is not sound.
    """

    name: str
    seeds: Seeds
    folder: Path
    file: str
    read: Callable[[Path], None]

    def check(self, data: bytes) -> str | None:
        """Put `data` in the file's place and read it; the message, if it is refused.

        Raises
        ------
        AssertionError
            The result is not sound, the message no clear line, or it took too long.
        Exception
            Anything but a user error.
        """
        path = self.folder / self.file
        path.write_bytes(data)
        start = time.perf_counter()
        try:
            self.read(self.folder)
        except HybridFactoryError as error:
            message = str(error)
            assert message.strip(), "no message"
            assert len(message.splitlines()) == 1, f"several lines: {message!r}"
            assert len(message) < 2000, f"a long message: {message[:300]!r}"
            return message
        finally:
            assert time.perf_counter() - start < MAX_SECONDS, "it took too long"
        return None


def make_targets(folder: Path) -> dict[str, Target]:
    """Write the files that go with the fuzzed ones, and give a target for each format."""
    seeds = make_seeds(folder)
    targets = {}
    for name, given in seeds.items():
        kind, _, what = name.partition(" ")
        place = folder / "targets" / name.replace(" ", "-")
        place.mkdir(parents=True)
        file, read = _prepare(kind, what, place, folder)
        targets[name] = Target(name, given, place, file, read)
    return targets


def _prepare(kind: str, what: str, place: Path, folder: Path) -> tuple[str, Callable[[Path], None]]:
    if kind == "npy" and what == "firings_true":
        return "firings_true.npy", _read_firings
    if kind == "npy":
        (phy_spikeinterface if what == "template_ind" else phy_kilosort4)(place)
        return f"{what}.npy", _read_phy
    if kind == "mat":
        file = {"rez": "rez.mat", "3": "a_jrc.mat", "4": "a_res.mat"}[what.rsplit(maxsplit=1)[-1]]
        (place / "a.prm").write_text(PRM)
        return file, lambda folder: _read_mat(folder / file)
    if kind == "run":
        shutil.copytree(folder / "run", place, dirs_exist_ok=True)
        return what, _read_run
    if kind in ("phy", "tsv"):
        phy_kilosort4(place)
    if kind == "prm":
        write_v7(place / "a_res.mat", jrclust4())
    return {
        "meta": ("t.imec0.ap.meta", _read_meta),
        "phy": ("params.py", _read_phy),
        "prm": ("a.prm", _read_prm),
        "probe": ("probe.json", _read_probe),
        "toml": ("params.toml", _read_toml),
        "tsv": ("cluster_group.tsv", _read_phy),
    }[kind]


# --- what is sound ---------------------------------------------------------------------------------------


def _check_sorting(sorting: Sorting) -> None:
    times, labels = sorting.spike_times, sorting.spike_labels
    assert times.dtype == labels.dtype == np.int64
    assert times.size == labels.size > 0
    assert times[0] >= 0
    assert np.all(np.diff(times) >= 0)
    assert sorting.labels.size
    assert sorting.sampling_frequency is None or 0 < sorting.sampling_frequency < np.inf
    assert sorting.num_rows is None or sorting.num_rows > 0
    assert set(sorting.unit_main_rows) <= set(sorting.labels.tolist())
    assert all(row >= 0 for row in sorting.unit_main_rows.values())
    for column in (sorting.spike_templates, sorting.spike_channel_index):
        assert column is None or column.shape == times.shape
    assert all(len(note.splitlines()) == 1 for note in sorting.warnings)


def _check_probe(probe: Probe) -> None:
    assert len(set(probe.channel_map.tolist())) == probe.num_channels > 0
    assert probe.channel_map.min() >= 0
    assert np.isfinite(probe.connected_positions).all()
    assert probe.connected.any()


def _check_truth(truth: Truth) -> None:
    assert truth.labels.size == truth.center_rows.size == truth.spikes.num_units
    assert np.all(np.diff(truth.spikes.places) >= 0)
    assert truth.spikes.places[0] >= 0
    assert truth.amplitudes.shape == truth.spikes.places.shape


# --- what is read ----------------------------------------------------------------------------------------


def _read_phy(folder: Path) -> None:
    _check_sorting(read_sorting(folder, source_paths=[folder / "raw.bin"]))
    _read_found(folder, "phy")


def _read_mat(path: Path) -> None:
    _check_sorting(read_sorting(path.parent, source_paths=[path.parent / "raw.bin"], label_base=0))
    _read_found(path, "kilosort" if path.name == "rez.mat" else "jrc")


def _read_found(path: Path, source_format: str) -> None:
    found = read_found_sorting(path)
    assert found.num_spikes > 0
    assert found.segments[0].units.max() < found.unit_ids.size
    templates = read_stored_templates(path, source_format)
    if templates is not None:
        assert templates.waveforms.ndim == 3
        assert np.isfinite(templates.waveforms).all()


def _read_prm(folder: Path) -> None:
    prm = read_prm(folder / "a.prm")
    assert prm.site_map is None or all(isinstance(site, int) for site in prm.site_map)
    assert prm.num_rows is None or prm.num_rows > 0
    _check_sorting(read_sorting(folder))


def _read_firings(folder: Path) -> None:
    _check_truth(read_firings(folder / "firings_true.npy", [], 30_000.0))


def _read_meta(folder: Path) -> None:
    path = folder / "t.imec0.ap.meta"
    write_hybrid_meta(path, folder / "t.GT.meta", folder / "t.GT.bin")
    meta = read_meta(path)
    assert len(meta.saved_channels) == meta.num_rows > 0
    assert 0 <= meta.num_ap_rows <= meta.num_rows
    assert 0 < meta.sampling_frequency < np.inf
    assert all(0 <= row < meta.num_rows for row in meta.sync_rows)
    assert get_start_times(path).tolist() == [0]
    probe = read_probe_from_meta(path)
    _check_probe(probe)
    assert probe.num_channels == meta.num_rows


def _read_toml(folder: Path) -> None:
    parameters = load_parameters(folder / "params.toml")
    assert parameters.ground_truth_units
    assert parameters.data_type.kind in "iuf"
    assert parameters.output_directory.is_absolute()
    if parameters.probe is not None:
        _check_probe(parameters.probe)


def _read_probe(folder: Path) -> None:
    _check_probe(read_probeinterface_json(folder / "probe.json"))


def _read_run(folder: Path) -> None:
    run = load(folder)
    _check_probe(run.probe)
    assert all(path.parent == run.output_directory for path in run.manifest.all_paths)
    assert run.sorting.get_num_units() == len(run.units[run.units["status"] == "injected"])
    load_journal(run.manifest.paths.journal, run.source_recording)
    run.recording.get_traces(segment_index=0, start_frame=0, end_frame=30_000)
    _check_truth(open_hybrid(run, []).truth)
    measure_run(run)
