"""One figure per injected unit: as a file, and in parts that fit on a page of any width."""

from matplotlib.figure import Figure

from hybridfactory.report.measure import UnitView, ViewOfRun
from hybridfactory.report.panels import draw_amplitudes, draw_intervals, draw_single_spikes, draw_waveforms
from hybridfactory.report.style import panel_figure

__all__ = ["page_figures", "unit_figure"]

LAYOUT = [
    ["donor", "injected", "donor spikes", "injected spikes"],
    ["donor", "injected", "amplitudes", "amplitudes"],
    ["donor", "injected", "intervals", "intervals"],
]
PAGE_WIDTH_IN = 4.4


def unit_figure(view: ViewOfRun, unit: UnitView) -> Figure:
    """Draw all panels of a unit in one figure."""
    figure, panels = panel_figure(11.0, 6.2, LAYOUT, [1.0, 1.0, 1.25, 1.25])
    draw_waveforms(panels["donor"], panels["injected"], view, unit)
    draw_single_spikes(panels["donor spikes"], panels["injected spikes"], view, unit)
    draw_amplitudes(panels["amplitudes"], view, unit)
    draw_intervals(panels["intervals"], view, unit)
    return figure


def page_figures(view: ViewOfRun, unit: UnitView) -> dict[str, Figure]:
    """Draw the same panels, each group in a narrow figure of its own, by what they show."""
    waveforms, places = panel_figure(PAGE_WIDTH_IN, 6.4, [["donor", "injected"]])
    singles, pair = panel_figure(PAGE_WIDTH_IN, 2.2, [["donor", "injected"]])
    amplitudes, over_time = panel_figure(PAGE_WIDTH_IN, 2.1, [["amplitudes"]])
    intervals, histogram = panel_figure(PAGE_WIDTH_IN, 2.1, [["intervals"]])
    draw_waveforms(places["donor"], places["injected"], view, unit)
    draw_single_spikes(pair["donor"], pair["injected"], view, unit)
    draw_amplitudes(over_time["amplitudes"], view, unit)
    draw_intervals(histogram["intervals"], view, unit)
    return {
        "mean waveforms of donor and injected unit at the sites of the probe": waveforms,
        "single spikes of donor and injected unit on their main channels": singles,
        "amplitudes of donor and injected spikes over the recording": amplitudes,
        "histogram of the intervals between spikes of donor and injected unit": intervals,
    }
