"""Sorter output in: phy folders, Kilosort's rez files and JRCLUST results, all as one `Sorting`."""

from hybridfactory.sorting.detection import detect_format
from hybridfactory.sorting.reading import read_sorting
from hybridfactory.sorting.sorting import Sorting

__all__ = ["Sorting", "detect_format", "read_sorting"]
