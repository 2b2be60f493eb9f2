"""Probes: which row of the raw file is which recording site, and where that site lies.

probeinterface does the work on foreign geometries; it is imported where it is needed, so that a parameter
file that only says ``neuropixels3a()`` starts at once.
"""

from hybridfactory.probes.files import load_probe, read_probeinterface_json, save_probe
from hybridfactory.probes.presets import custom_probe, eMouse, neuropixels3a
from hybridfactory.probes.probe import Probe

__all__ = [
    "Probe",
    "custom_probe",
    "eMouse",
    "load_probe",
    "neuropixels3a",
    "read_probeinterface_json",
    "save_probe",
]
