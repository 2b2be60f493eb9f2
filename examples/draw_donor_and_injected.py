"""Draw one injected unit beside its donor, from the folder of a finished run.

    python examples/draw_donor_and_injected.py hybridfactory-demo/hybrid donor-and-injected.png
    python examples/draw_donor_and_injected.py hybridfactory-demo/hybrid unit-5.svg --unit 5

It is the figure that ``hybridfactory plot`` draws for every unit. Needs pip install 'hybridfactory[report]'.
"""

import argparse
from pathlib import Path

import hybridfactory
from hybridfactory.report.measure import measure_run
from hybridfactory.report.style import drawing
from hybridfactory.report.unit_figure import unit_figure


def main() -> None:
    """Read the command line, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="output folder of a finished run")
    parser.add_argument("picture", type=Path, help="image file to write")
    parser.add_argument("--unit", type=int, help="label of the donor (default: the largest)")
    asked = parser.parse_args()
    run = hybridfactory.load(asked.run)
    injected = run.units[run.units["status"] == "injected"].set_index("true_unit")
    label = injected["snr"].idxmax() if asked.unit is None else asked.unit
    view = measure_run(run)
    unit = next((unit for unit in view.units if unit.donor.label == label), None)
    if unit is None:
        parser.error(f"unit {label} was not injected; choose from {', '.join(map(str, injected.index))}")
    with drawing():
        unit_figure(view, unit).savefig(asked.picture, dpi=150, facecolor="white")


if __name__ == "__main__":
    main()
