"""Two identifiers: what is the same patient, however a node spells her."""

import pytest

from acquisition.patient import Patient

ANNA = Patient(patient_id="A-1", name="Sokolova^Anna")


@pytest.mark.parametrize(
    "name",
    [
        "Sokolova^Anna",
        "SOKOLOVA^ANNA^^^",
        " Sokolova ^Anna",
        "Sokolova^Anna=\u0421\u043e\u043a\u043e\u043b\u043e\u0432\u0430",
    ],
)
def test_a_name_is_the_same_however_it_is_spelt(name: str) -> None:
    """Case, spaces, empty parts and other ways of writing do not make another person."""
    assert ANNA.is_named("A-1", name)


@pytest.mark.parametrize(
    ("patient_id", "name"),
    [("A-2", "Sokolova^Anna"), ("a-1", "Sokolova^Anna"), ("A-1", "Sokolov^Anna"), ("A-1", ""), ("A-1", "Anna")],
)
def test_one_identifier_is_not_enough(patient_id: str, name: str) -> None:
    """Another ID, another name, or no name: another patient."""
    assert not ANNA.is_named(patient_id, name)


def test_where_only_the_id_is_known_it_decides() -> None:
    """As the site file names a patient; nobody is a patient without an ID."""
    assert Patient(patient_id="A-1").is_named("A-1", "Sokolova^Anna")
    assert not Patient(patient_id="").is_named("", "")
