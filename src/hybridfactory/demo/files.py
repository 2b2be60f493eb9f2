"""The files of the demo, as SpikeGLX and phy write them, and what says of a folder that it is a demo's."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridfactory.demo.simulation import NUM_CHANNELS, NUM_UNITS, SAMPLING_FREQUENCY, Spikes
from hybridfactory.errors import OutputError

__all__ = ["PARAMS", "RECORDING", "SORTING", "claim", "write_meta", "write_sorting"]

NUM_SITES_ACQUIRED = 384
FIRST_SAMPLE = 373138  # a SpikeGLX file rarely begins with the run's first sample
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


def claim(folder: Path) -> None:
    """Make a folder known as a demo's.

    Raises
    ------
    OutputError
        If it holds something else than an earlier demo.
    """
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


def write_meta(path: Path, num_samples: int, positions: NDArray[np.float64]) -> None:
    """Write SpikeGLX's .meta file beside a recording; sites in µm, shape (num_channels, 2)."""
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


def write_sorting(
    folder: Path,
    troughs: NDArray[np.int64],
    spikes: Spikes,
    templates: NDArray[np.float32],
    positions: NDArray[np.float64],
) -> None:
    """Write a phy folder that states each spike at its trough; mean waveforms in units × samples × channels."""
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
