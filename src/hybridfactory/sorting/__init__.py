"""Sorter output in: phy folders, Kilosort's rez files, JRCLUST results, and whatever SpikeInterface has saved."""

from hybridfactory.sorting.detection import detect_format
from hybridfactory.sorting.found import FoundSorting, FoundSpikes, read_found_sorting
from hybridfactory.sorting.reading import read_sorting
from hybridfactory.sorting.sorting import Sorting
from hybridfactory.sorting.stored_templates import StoredTemplates, read_stored_templates

__all__ = [
    "FoundSorting",
    "FoundSpikes",
    "Sorting",
    "StoredTemplates",
    "detect_format",
    "read_found_sorting",
    "read_sorting",
    "read_stored_templates",
]
