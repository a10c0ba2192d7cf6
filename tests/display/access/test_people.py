"""The file of persons: secrets as argon2 hashes, and nothing that others may read."""

from pathlib import Path

import pytest

from display.access.people import PeopleUnusable, Role, change_person, read_people


def test_a_person_is_added_changed_and_taken_out(tmp_path: Path) -> None:
    """Her secret stands nowhere in the file; a name of any letters comes back as it was."""
    path, name = tmp_path / "people.toml", 'Соколова "Anna" \\ O\'Neill'
    change_person(path, name, role=Role.ACT, secret="correct horse")
    change_person(path, "Engineer", role=Role.ENGINEER, secret="battery staple")
    people = read_people(path)
    assert set(people) == {name, "Engineer"}
    assert people[name].knows("correct horse")
    assert not people[name].knows("correct horse ")
    written = path.read_text(encoding="utf-8")
    assert "correct horse" not in written
    assert "$argon2id$" in written
    assert path.stat().st_mode & 0o777 == 0o600
    change_person(path, name, role=Role.ACT, secret="another secret")
    assert not read_people(path)[name].knows("correct horse")
    change_person(path, name, role=None, secret="")
    assert set(read_people(path)) == {"Engineer"}
    with pytest.raises(PeopleUnusable, match="nobody is called"):
        change_person(path, name, role=None, secret="")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[[person]]\nname = 'A'\nrole = 'act'\n", "no person with name, role"),
        ("[[person]]\nname = 'A'\nrole = 'surgeon'\nsecret = 'x'\n", "no person with name, role"),
        ("[[person]]\nname = 'A'\nrole = 'act'\nsecret = 'written out'\n", "no person with name, role"),
        ("person = 3", "no person|is no TOML"),
        ("[[person]\n", "is no TOML"),
    ],
)
def test_what_is_no_file_of_persons_says_why(tmp_path: Path, content: str, said: str) -> None:
    """A secret that somebody wrote out is refused too: only a hash of it may stand there."""
    path = tmp_path / "people.toml"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(PeopleUnusable, match=said):
        read_people(path)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """With the command that mends it; a short secret is refused too."""
    path = tmp_path / "people.toml"
    with pytest.raises(PeopleUnusable, match="8 characters"):
        change_person(path, "A", role=Role.ACT, secret="short")
    change_person(path, "A", role=Role.ACT, secret="long enough")
    path.chmod(0o644)
    with pytest.raises(PeopleUnusable, match="chmod 600"):
        read_people(path)
    with pytest.raises(PeopleUnusable, match="radionav person"):
        read_people(tmp_path / "nobody.toml")
