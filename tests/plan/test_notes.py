"""What holds for several units is said once."""

from hybridfactory.plan.notes import gather_notes


def test_a_note_is_said_once_with_the_units_it_holds_for():
    notes = [("3", ["small", "turned"]), ("5", ["turned"]), ("8", ["turned", "wide"]), ("8", ["wide"])]
    assert gather_notes(notes, num_units=4) == ["unit 3: small", "units 3, 5, 8: turned", "unit 8: wide"]
    assert gather_notes(notes, num_units=3)[1] == "all 3 units: turned"
    assert gather_notes([], num_units=0) == []


def test_a_long_list_of_units_is_cut_short():
    notes = [(str(label), ["turned"]) for label in range(40)]
    assert gather_notes(notes, num_units=50) == ["units 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 28 more: turned"]
