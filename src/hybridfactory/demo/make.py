"""The demo made: a recording simulated and written, its sorting, and a parameter file for them."""

from pathlib import Path

import numpy as np

from hybridfactory.demo.files import PARAMS, RECORDING, SORTING, claim, write_meta, write_sorting
from hybridfactory.demo.simulation import (
    SAMPLING_FREQUENCY,
    as_rows,
    fire,
    isolation,
    make_templates,
    noise_chunks,
    render,
    site_positions,
)
from hybridfactory.progress import ProgressCallback, no_progress

__all__ = ["make_demo"]

NUM_DONORS = 4


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
    claim(folder)
    rng = np.random.default_rng(seed)
    num_samples = round(duration_s * SAMPLING_FREQUENCY)
    positions = site_positions()
    templates = make_templates(positions, rng)
    main_channels = np.ptp(templates[:, :, :, 0], axis=1).argmax(axis=1)
    spikes = fire(duration_s, rng)
    clean, troughs = render(spikes, templates, main_channels, num_samples)

    path = folder / RECORDING
    path.parent.mkdir(exist_ok=True)
    try:
        with path.open("wb") as stream:
            for start, noise in noise_chunks(num_samples, positions, rng):
                stop = start + len(noise)
                traces = clean.get_traces(start_frame=start, end_frame=stop) + noise
                stream.write(as_rows(traces, start).tobytes())
                progress("simulating a recording", stop, num_samples)
    except OSError as error:
        error.filename = error.filename or str(path)  # a failed write does not know it
        raise
    write_meta(path, num_samples, positions)
    write_sorting(folder / SORTING, troughs, spikes, templates[:, :, :, 0], positions)

    # Units are numbered by depth: the first and the last have room to move in one direction only.
    inner = isolation(templates, main_channels)[1:-1]
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
