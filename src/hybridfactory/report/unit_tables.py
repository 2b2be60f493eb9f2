"""What a unit's figure shows, as tables."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hybridfactory.report.intervals import INTERVAL_EDGES_MS, count_intervals
from hybridfactory.report.measure import Place, UnitView, ViewOfRun

__all__ = ["unit_tables"]


def unit_tables(view: ViewOfRun, unit: UnitView) -> Mapping[str, pd.DataFrame]:
    """Collect what the figure of a unit shows.

    Parameters
    ----------
    view : ViewOfRun
    unit : UnitView

    Returns
    -------
    mapping of str to pandas.DataFrame
        By panel: ``"waveforms"``, ``"snippets"``, ``"amplitudes"``, ``"intervals"``.
    """
    sides = {"donor": unit.donor, "injected": unit.injected}
    return {
        "waveforms": pd.concat([_waveforms(side, place, view) for side, place in sides.items()]),
        "snippets": pd.concat([_snippets(side, place, view) for side, place in sides.items()]),
        "amplitudes": pd.concat([_amplitudes(side, place, view) for side, place in sides.items()]),
        "intervals": _intervals(unit, view),
    }


def _waveforms(side: str, place: Place, view: ViewOfRun) -> pd.DataFrame:
    num_samples, num_sites = place.mean.shape
    return pd.DataFrame(
        {
            "side": side,
            "unit": place.label,
            "channel": np.repeat(place.rows, num_samples),
            "x_um": np.repeat(place.positions_um[:, 0], num_samples),
            "y_um": np.repeat(place.positions_um[:, 1], num_samples),
            "time_ms": np.tile(view.times_ms, num_sites),
            f"mean_{_suffix(view)}": place.mean.T.ravel(),
        }
    )


def _snippets(side: str, place: Place, view: ViewOfRun) -> pd.DataFrame:
    """One row per snippet and one column per sample, named by its time in ms."""
    values = pd.DataFrame(place.snippets, columns=[f"{time:.4f}" for time in view.times_ms])
    first = {"side": side, "unit": place.label, "channel": place.row, "timestep": place.snippet_samples}
    return pd.concat([pd.DataFrame(first), values], axis=1)


def _amplitudes(side: str, place: Place, view: ViewOfRun) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "side": side,
            "unit": place.label,
            "channel": place.row,
            "timestep": place.drawn_samples,
            "time_s": place.drawn_samples / view.sampling_frequency,
            f"amplitude_{_suffix(view)}": place.amplitudes,
        }
    )


def _intervals(unit: UnitView, view: ViewOfRun) -> pd.DataFrame:
    columns = {"from_ms": INTERVAL_EDGES_MS[:-1], "to_ms": INTERVAL_EDGES_MS[1:]}
    for side, place in (("donor", unit.donor), ("injected", unit.injected)):
        counts, total = count_intervals(place.samples, view.sampling_frequency, view.file_starts)
        columns |= {f"{side}_intervals": counts, f"{side}_percent": 100 * counts / max(total, 1)}
    return pd.DataFrame(columns)


def _suffix(view: ViewOfRun) -> str:
    return "uV" if view.unit_of_value == "µV" else view.unit_of_value
