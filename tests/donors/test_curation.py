"""Labels in phy's tables."""

from pathlib import Path

from hybridfactory.donors.curation import read_phy_curation


def test_people_come_before_the_sorter(tmp_path: Path) -> None:
    (tmp_path / "cluster_KSLabel.tsv").write_bytes(b"cluster_id\tKSLabel\r\n0\tgood\r\n1\tmua\r\n2\tgood\r\n")
    (tmp_path / "cluster_group.tsv").write_text("cluster_id\tgroup\n1\tgood\n2\tnoise\n3\tunsorted\n")
    assert read_phy_curation(tmp_path) == {0: "good", 1: "good", 2: "noise"}


def test_oldest_and_strangest_tables(tmp_path: Path) -> None:
    (tmp_path / "cluster_groups.csv").write_text("cluster_id\tgroup\n4\tmua\n")
    (tmp_path / "cluster_info.tsv").write_text("id\tamp\tgroup\n5\t3.1\tgood\nx\t1\tgood\n6\n")
    assert read_phy_curation(tmp_path) == {4: "mua", 5: "good"}
    assert read_phy_curation(tmp_path / "nothing") == {}
