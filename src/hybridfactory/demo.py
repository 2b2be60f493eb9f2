"""A small simulated recording with its sorting, as SpikeGLX and phy write them, to try hybridfactory on.

The waveforms come from SpikeInterface's generator; the firing, the changes of amplitude and the background
noise are made here, so that they resemble what an electrode in a brain gives.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter
from spikeinterface.core import BaseRecording, NumpySorting
from spikeinterface.generation import InjectTemplatesRecording, generate_templates

from hybridfactory.errors import OutputError
from hybridfactory.progress import ProgressCallback, no_progress

__all__ = ["make_demo"]

SAMPLING_FREQUENCY = 30000
NUM_CHANNELS = 48
NUM_UNITS = 14
NUM_DONORS = 4
NUM_SITES_ACQUIRED = 384
FIRST_SAMPLE = 373138  # a SpikeGLX file rarely begins with the run's first sample
UV_PER_COUNT = 0.6 / 512 / 500 * 1e6  # Neuropixels 1.0 at a gain of 500
NOISE_UV = 10.0
NUM_PHASES = 4
MARGIN_SAMPLES = 300
REFRACTORY_S = 0.0025
MARKER = "README.txt"
RECORDING = Path("recording", "demo_g0_t0.imec0.ap.bin")
SORTING = Path("sorting")

README = """\
Made by: hybridfactory demo

recording/   a simulated Neuropixels 1.0 recording, as SpikeGLX writes it
sorting/     its sorting, in phy's format
params.py    parameters for: hybridfactory generate params.py
hybrid/      what generate made: the hybrid recording and its ground truth
sorted-*/    with --sort: what a sorter made of the hybrid; hybrid/validation-demo/report.html tells
             how well it did

Another run of the demo on this folder writes all of these anew (sorted-* with --sort only).
"""

PARAMS = '''\
"""Parameters of the hybridfactory demo. Run them with: hybridfactory generate params.py"""

import os

import numpy as np

home = os.path.dirname(os.path.abspath(__file__))

# The sorter's output (here a phy folder), and the raw recording that was sorted.
data_directory = os.path.join(home, "sorting")
raw_source_file = os.path.join(home, "recording", "{recording}")

data_type = np.int16
sample_rate = {sampling_frequency}  # Hz
start_time = 0  # sample of the sorting's timeline at which the file begins

# The units to copy: labels count from 1, so phy's cluster 0 is unit 1. These are the best isolated ones.
ground_truth_units = [{donors}]

# The probe is read from the .meta file beside the recording. Elsewhere, describe it row by row of the file:
#
#     from hybridfactory.probes import custom_probe
#     probe = custom_probe(channel_map, connected, channel_positions)  # rows, True/False, (x, y) in um

# Everything below is optional.
session_name = "demo"
random_seed = {seed}
output_directory = os.path.join(home, "hybrid")
time_jitter = 100  # samples: how far, typically, an injected spike lies from the spike it was copied from
amplitude_scale_min = 1.0
amplitude_scale_max = 1.0
copy = True  # always begin with a fresh copy of the recording
'''

META = """\
acqApLfSy=384,384,1
appVersion=20230411
fileCreateTime=2024-01-01T12:00:00
fileName={name}
fileSizeBytes={size}
fileTimeSecs={duration}
firstSample={first_sample}
gateMode=Immediate
imAiRangeMax=0.6
imAiRangeMin=-0.6
imCalibrated=true
imChan0apGain=500
imDatPrb_pn=PRB_1_4_0480_1_C
imDatPrb_port=1
imDatPrb_slot=2
imDatPrb_sn=1000000000
imDatPrb_type=0
imMaxInt=512
imSampRate={sampling_frequency}
imStdby=
nDataDirs=1
nSavedChans={num_rows}
snsApLfSy={num_channels},0,1
snsSaveChanSubset=0:{last_channel},768
syncSourceIdx=0
syncSourcePeriod=1
trigMode=Immediate
typeImEnabled=1
typeNiEnabled=0
typeObEnabled=0
typeThis=imec
userNotes=simulated
~imroTbl=(0,384){imro}
~snsChanMap=(384,384,1){channels}(SY0;768:768)
~snsGeomMap=(PRB_1_4_0480_1_C,1,0,70){sites}
"""

PHY_PARAMS = """\
dat_path = r'{path}'
n_channels_dat = {num_rows}
dtype = 'int16'
offset = 0
sample_rate = {sampling_frequency}.
hp_filtered = False
"""


@dataclass(frozen=True, eq=False)
class _Spikes:
    """All spikes of the recording, by time."""

    samples: NDArray[np.int64]
    units: NDArray[np.int64]
    phases: NDArray[np.int64]
    amplitudes: NDArray[np.float32]


def make_demo(
    folder: Path, *, seed: int = 0, duration_s: float = 25.0, progress: ProgressCallback = no_progress
) -> Path:
    """Simulate a recording and its sorting, and write a parameter file for them.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it does not exist; an earlier demo in it is replaced.
    seed : int
        Same seed, same bytes (with the same version of SpikeInterface).
    duration_s : float
        Length of the recording. A second takes 2.9 MB.
    progress : ProgressCallback

    Returns
    -------
    pathlib.Path
        The parameter file.

    Raises
    ------
    OutputError
        If the folder holds something else than an earlier demo.
    """
    folder = folder.absolute()
    _claim(folder)
    rng = np.random.default_rng(seed)
    num_samples = round(duration_s * SAMPLING_FREQUENCY)
    positions = _site_positions()
    templates = _make_templates(positions, rng)
    main_channels = np.ptp(templates[:, :, :, 0], axis=1).argmax(axis=1)
    spikes = _fire(duration_s, rng)
    clean, troughs = _render(spikes, templates, main_channels, num_samples)

    path = folder / RECORDING
    path.parent.mkdir(exist_ok=True)
    try:
        with path.open("wb") as stream:
            for start, noise in _noise_chunks(num_samples, positions, rng):
                stop = start + len(noise)
                traces = clean.get_traces(start_frame=start, end_frame=stop) + noise
                stream.write(_as_rows(traces, start).tobytes())
                progress("simulating a recording", stop, num_samples)
    except OSError as error:
        error.filename = error.filename or str(path)  # a failed write does not know it
        raise
    _write_meta(path, num_samples, positions)
    _write_sorting(folder / SORTING, troughs, spikes, templates[:, :, :, 0], positions)

    # Units are numbered by depth: the first and the last have room to move in one direction only.
    inner = _isolation(templates, main_channels)[1:-1]
    donors = np.sort(inner.argsort()[::-1][:NUM_DONORS]) + 2
    params = folder / "params.py"
    params.write_text(
        PARAMS.format(
            recording=path.name,
            sampling_frequency=SAMPLING_FREQUENCY,
            donors=", ".join(map(str, donors)),
            seed=seed,
        ),
        encoding="utf-8",
    )
    return params


def _claim(folder: Path) -> None:
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file: give the demo a folder of its own")
    if folder.exists() and any(folder.iterdir()):
        first_line = README.splitlines()[0]
        if not marker.is_file() or first_line not in marker.read_text(encoding="utf-8", errors="replace"):
            raise OutputError(f"{folder} is not empty and holds no earlier demo: give the demo a folder of its own")
    folder.mkdir(parents=True, exist_ok=True)
    # First of all, so that a demo that is stopped half-way is known as one.
    marker.write_text(README, encoding="utf-8")


def _site_positions() -> NDArray[np.float64]:
    """Sites of a Neuropixels 1.0 probe, from the tip: four columns, in pairs that are staggered."""
    site = np.arange(NUM_CHANNELS)
    return np.column_stack([np.array([27.0, 59.0, 11.0, 43.0])[site % 4], 20.0 * (site // 2)])


def _make_templates(positions: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """Waveforms in µV, units × samples × channels × phases of the sampling clock."""
    depth = np.linspace(20.0, positions[:, 1].max() - 20.0, NUM_UNITS) + rng.uniform(-8, 8, NUM_UNITS)
    locations = np.column_stack([rng.uniform(5, 65, NUM_UNITS), depth, rng.uniform(8, 20, NUM_UNITS)])
    templates: NDArray[np.float32] = generate_templates(
        positions,
        locations,
        sampling_frequency=float(SAMPLING_FREQUENCY),
        ms_before=1.0,
        ms_after=3.0,
        seed=int(rng.integers(2**31)),
        upsample_factor=NUM_PHASES,
        unit_params={"spatial_decay": (18.0, 30.0)},
    )
    # Large units beside small ones, in no order, as along a real probe.
    peaks_uv = rng.permutation(np.geomspace(60.0, 200.0, NUM_UNITS))
    ends = np.hanning(20)[:10, np.newaxis, np.newaxis]
    templates[:, :10] *= ends
    templates[:, -10:] *= ends[::-1]
    scale = peaks_uv / -templates.min(axis=(1, 2, 3))
    templates *= scale[:, np.newaxis, np.newaxis, np.newaxis]
    return templates


def _isolation(templates: NDArray[np.float32], main_channels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Deflection of each unit above the largest that another unit makes on the same channel, in µV."""
    troughs = -templates[:, :, main_channels, 0].min(axis=1)  # other unit × unit
    own = np.diag(troughs).copy()
    np.fill_diagonal(troughs, 0)
    margin: NDArray[np.float32] = own - troughs.max(axis=0)
    return margin


def _fire(duration_s: float, rng: np.random.Generator) -> _Spikes:
    """Spike trains with a refractory period, slow changes of rate, and smaller spikes in quick succession."""
    times, units, amplitudes = [], [], []
    for unit in range(NUM_UNITS):
        rate, irregularity = rng.uniform(7, 20), rng.uniform(0.7, 1.5)
        shape = 1 / irregularity**2
        # Intervals in units of the mean, then the slow change of rate, which stretches time.
        count = int(3 * rate * duration_s) + 50
        steps = np.cumsum(rng.gamma(shape, 1 / shape, count))
        grid = np.linspace(0, duration_s, 500)
        swing = 1 + 0.5 * np.sin(2 * np.pi * (grid / rng.uniform(8, 20) + rng.random()))
        train = np.interp(steps, np.cumsum(swing) * rate * (grid[1] - grid[0]), grid, right=np.inf)
        train = _keep_refractory(train[np.isfinite(train)])
        intervals = np.diff(train, prepend=-1.0)
        drift = 1 + 0.05 * np.sin(2 * np.pi * (train / duration_s + rng.random()))
        amplitude = drift * (1 - 0.25 * np.exp(-intervals / 0.03)) * rng.normal(1, 0.06, train.size)
        times.append(train)
        units.append(np.full(train.size, unit))
        amplitudes.append(amplitude)
    samples = np.rint(np.concatenate(times) * SAMPLING_FREQUENCY).astype(np.int64)
    label, size = np.concatenate(units), np.concatenate(amplitudes).astype(np.float32)
    last = round(duration_s * SAMPLING_FREQUENCY) - MARGIN_SAMPLES
    keep = np.flatnonzero((samples >= MARGIN_SAMPLES) & (samples < last))
    order = keep[np.lexsort((label[keep], samples[keep]))]
    phases = rng.integers(0, NUM_PHASES, order.size)
    return _Spikes(samples[order], label[order], phases, size[order])


def _keep_refractory(train: NDArray[np.float64]) -> NDArray[np.float64]:
    kept: list[float] = []
    for time in train:
        if not kept or time - kept[-1] >= REFRACTORY_S:
            kept.append(time)
    return np.array(kept)


def _render(
    spikes: _Spikes, templates: NDArray[np.float32], main_channels: NDArray[np.int64], num_samples: int
) -> tuple[BaseRecording, NDArray[np.int64]]:
    """Return the recording without noise, and the sample of each spike's trough on its main channel."""
    sorting = NumpySorting.from_samples_and_labels(
        [spikes.samples], [spikes.units], SAMPLING_FREQUENCY, unit_ids=np.arange(NUM_UNITS)
    )
    clean = InjectTemplatesRecording(
        sorting,
        templates,
        nbefore=0,
        amplitude_factor=spikes.amplitudes,
        num_samples=num_samples,
        upsample_vector=spikes.phases,
    )
    on_main = templates[np.arange(NUM_UNITS), :, main_channels]  # unit × sample × phase
    return clean, spikes.samples + on_main.argmin(axis=1)[spikes.units, spikes.phases]


def _noise_chunks(
    num_samples: int, positions: NDArray[np.float64], rng: np.random.Generator
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Noise in µV, second by second: distant neurons (coloured, shared by neighbours) and the amplifiers."""
    distance = np.linalg.norm(positions[:, np.newaxis] - positions, axis=2)
    mixing = np.linalg.cholesky(np.exp(-distance / 60.0)).T.astype(np.float32)
    numerator, denominator = butter(1, (300.0, 3000.0), "bandpass", fs=SAMPLING_FREQUENCY)
    # The filter's output for white noise of unit size, so that the level is the one asked for.
    impulse = lfilter(numerator, denominator, np.eye(1, 3000)[0])
    distant = np.float32(NOISE_UV * np.sqrt(0.7 / np.sum(impulse**2)))
    own = np.float32(NOISE_UV * np.sqrt(0.3))
    state = np.zeros((len(denominator) - 1, NUM_CHANNELS), dtype=np.float32)
    for start in range(0, num_samples, SAMPLING_FREQUENCY):
        shape = (min(SAMPLING_FREQUENCY, num_samples - start), NUM_CHANNELS)
        white = rng.standard_normal(shape, dtype=np.float32) @ mixing
        coloured, state = lfilter(
            numerator.astype(np.float32), denominator.astype(np.float32), white, axis=0, zi=state
        )
        yield start, distant * coloured + own * rng.standard_normal(shape, dtype=np.float32)


def _as_rows(traces_uv: NDArray[np.float32], start: int) -> NDArray[np.int16]:
    # The sync line goes up and down once a second, as SpikeGLX's own pulser does.
    clock = np.arange(start, start + len(traces_uv)) // (SAMPLING_FREQUENCY // 2)
    return np.column_stack([np.rint(traces_uv / UV_PER_COUNT), 64 * (clock % 2)]).astype("<i2")


def _write_meta(path: Path, num_samples: int, positions: NDArray[np.float64]) -> None:
    num_rows = NUM_CHANNELS + 1
    text = META.format(
        name=path.name,
        size=2 * num_rows * num_samples,
        duration=num_samples / SAMPLING_FREQUENCY,
        first_sample=FIRST_SAMPLE,
        sampling_frequency=SAMPLING_FREQUENCY,
        num_rows=num_rows,
        num_channels=NUM_CHANNELS,
        last_channel=NUM_CHANNELS - 1,
        imro="".join(f"({site} 0 0 500 250 1)" for site in range(NUM_SITES_ACQUIRED)),
        channels="".join(f"(AP{site};{site}:{site})" for site in range(NUM_CHANNELS)),
        sites="".join(f"(0:{x:.0f}:{y:.0f}:1)" for x, y in positions),
    )
    path.with_suffix(".meta").write_text(text, encoding="utf-8")


def _write_sorting(
    folder: Path,
    troughs: NDArray[np.int64],
    spikes: _Spikes,
    templates: NDArray[np.float32],
    positions: NDArray[np.float64],
) -> None:
    folder.mkdir(exist_ok=True)
    order = np.lexsort((spikes.units, troughs))
    units = spikes.units[order].astype(np.int32)
    flat = templates.reshape(NUM_UNITS, -1)
    arrays: dict[str, NDArray[np.generic]] = {
        "spike_times": troughs[order],
        "spike_clusters": units,
        "spike_templates": units,
        "amplitudes": spikes.amplitudes[order],
        "templates": templates,
        "templates_ind": np.tile(np.arange(NUM_CHANNELS), (NUM_UNITS, 1)),
        "similar_templates": np.asarray(np.corrcoef(flat), dtype=np.float32),
        "channel_map": np.arange(NUM_CHANNELS, dtype=np.int32),
        "channel_positions": positions,
        "channel_shanks": np.zeros(NUM_CHANNELS),
        "whitening_mat": np.eye(NUM_CHANNELS, dtype=np.float32),
        "whitening_mat_inv": np.eye(NUM_CHANNELS, dtype=np.float32),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    rows = "".join(f"{unit}\tgood\n" for unit in range(NUM_UNITS))
    (folder / "cluster_group.tsv").write_text(f"cluster_id\tgroup\n{rows}", encoding="utf-8")
    (folder / "params.py").write_text(
        PHY_PARAMS.format(
            path=os.path.join("..", *RECORDING.parts),  # noqa: PTH118 - phy wants a text relative to its folder
            num_rows=NUM_CHANNELS + 1,
            sampling_frequency=SAMPLING_FREQUENCY,
        ),
        encoding="utf-8",
    )
