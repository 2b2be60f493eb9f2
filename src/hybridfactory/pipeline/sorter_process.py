"""The process in which a sorter runs, so that whatever it prints, draws or breaks is kept apart.

Called with the folder of a run, the name of a sorter, and the folder that the sorting goes to.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from threadpoolctl import threadpool_limits

from hybridfactory.ground_truth.run import load

__all__: list[str] = []

PARAMETERS: Mapping[str, Mapping[str, object]] = {
    "mountainsort5": {"scheme": "1", "whitening_seed": 0},
    "spykingcircus2": {"apply_motion_correction": False, "seed": 0},
    "tridesclous2": {"save_array": False, "seed": 0},
}


def _main(arguments: Sequence[str]) -> str | None:
    """Sort, and return what went wrong, if anything did."""
    from spikeinterface.sorters import get_default_sorter_params, run_sorter  # noqa: PLC0415

    run_folder, sorter, target = arguments
    known = get_default_sorter_params(sorter)  # whitening_seed came with SpikeInterface 0.105
    parameters = {name: value for name, value in PARAMETERS[sorter].items() if name in known}
    # On a busy machine, threads of linear algebra waited for each other and took ten times as long as one.
    with threadpool_limits(1):
        run_sorter(
            sorter,
            load(run_folder).written_recording,
            folder=target,
            verbose=True,
            raise_error=False,
            with_output=False,
            **parameters,
        )
    log = json.loads((Path(target) / "spikeinterface_log.json").read_bytes())
    return "\n".join(log["error_trace"]) if log["error"] else None


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
