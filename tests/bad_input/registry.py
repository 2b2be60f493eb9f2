"""Every way in which each input can be wrong. ``docs/errors.md`` is made from it, and tested against it."""

from bench import Case
from cases_of_parameters import METAS, PARAMETER_FILES, PARAMETERS, PROBES, RECORDINGS
from cases_of_runs import OUTPUTS, RUNS, SORTINGS, TRUTHS
from cases_of_sortings import FOLDERS, JRCLUST, PHY, REZ

__all__ = ["SECTIONS"]

SECTIONS: dict[str, list[Case]] = {
    "Parameter files": PARAMETER_FILES,
    "Parameters": PARAMETERS,
    "Recordings": RECORDINGS,
    "SpikeGLX .meta files": METAS,
    "Probes": PROBES,
    "The sorting's folder": FOLDERS,
    "phy folders": PHY,
    "Kilosort's rez.mat": REZ,
    "JRCLUST results": JRCLUST,
    "The output folder of generate": OUTPUTS,
    "The folder of a run": RUNS,
    "Sortings to be validated": SORTINGS,
    "Truth made elsewhere": TRUTHS,
}
