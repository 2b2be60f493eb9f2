"""What a person, or the sorter, called the units of a phy folder."""

import csv
from pathlib import Path

__all__ = ["read_phy_curation"]

# What a person has said comes before what the sorter thinks.
TABLES = ("cluster_group.tsv", "cluster_groups.csv", "cluster_info.tsv", "cluster_KSLabel.tsv")
HEADINGS = ("group", "KSLabel")
UNDECIDED = ("", "unsorted", "nan", "none")


def read_phy_curation(folder: Path) -> dict[int, str]:
    """Read the labels of a phy folder's units.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    dict of int to str
        phy's id → label; without the units that nobody has decided on. A table that cannot be understood is as good
        as absent: labels are no reason to stop.
    """
    found: dict[int, str] = {}
    for name in TABLES:
        path = folder / name
        if path.is_file():
            found = _read_table(path) | found
    return found


def _read_table(path: Path) -> dict[int, str]:
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError:
        return {}
    # phy's oldest tables are called .csv and separated by tabs.
    delimiter = "\t" if lines and "\t" in lines[0] else ","
    labels: dict[int, str] = {}
    for row in csv.DictReader(lines, delimiter=delimiter):
        unit = (row.get("cluster_id") or row.get("id") or "").strip()
        label = next((row[heading].strip() for heading in HEADINGS if row.get(heading)), "")
        if unit.isdecimal() and label.lower() not in UNDECIDED:
            labels[int(unit)] = label
    return labels
