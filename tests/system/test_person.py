"""``radionav person``: somebody is let in, changed, taken out by command; what cannot be is one sentence."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import config
from display.access.people import Role, read_people
from service import radionav

SURGEON, SECRET = "Dr. Соколова", "correct horse battery"
ACCESS = '\n[display.access]\nview_token = "view.token"\npeople = "people.toml"\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The shipped site file, with a file of persons beside it."""
    written = (Path(config.__file__).parent / "site.toml").read_text(encoding="utf-8")
    path = tmp_path / "site.toml"
    path.write_text(written + ACCESS, encoding="utf-8")
    return path


def person(site: Path, *arguments: str, secret: str = "") -> Result:
    """Run the command; the secret comes on standard input, as from a script."""
    return CliRunner().invoke(radionav, ["person", *arguments, "--config", str(site)], input=f"{secret}\n")


def test_a_person_is_let_in_changed_and_taken_out(site: Path) -> None:
    """Her secret stands nowhere, not on the screen either; the file is nobody else's to read."""
    people = site.parent / "people.toml"
    for name, role in ((SURGEON, "act"), ("Ingenieur", "engineer")):
        done = person(site, name, "--role", role, secret=SECRET)
        assert (done.exit_code, SECRET in done.output) == (0, False), done.output
    assert people.stat().st_mode & 0o077 == 0
    assert SECRET not in people.read_text(encoding="utf-8")
    known = read_people(people)
    assert {name: each.role for name, each in known.items()} == {SURGEON: Role.ACT, "Ingenieur": Role.ENGINEER}
    assert known[SURGEON].knows(SECRET)
    assert person(site, SURGEON, secret="another secret").exit_code == 0
    assert read_people(people)[SURGEON].knows("another secret")
    assert person(site, SURGEON, "--remove").exit_code == 0
    assert set(read_people(people)) == {"Ingenieur"}


@pytest.mark.parametrize(
    ("arguments", "secret", "said"),
    [
        ((SURGEON,), "short", "8 characters"),
        ((SURGEON,), "", "8 characters"),
        ((SURGEON, "--remove"), "", SURGEON),
        ((SURGEON, "--role", "king"), SECRET, "king"),
        ((SURGEON, "--role", "view"), SECRET, "displays look by their token"),
        ((" ",), SECRET, "a person has a name"),
    ],
)
def test_what_cannot_be_is_said(site: Path, arguments: tuple[str, ...], secret: str, said: str) -> None:
    """A short secret, nobody of that name, a role that is none: exit status 2, why, and no file is made."""
    refused = person(site, *arguments, secret=secret)
    assert (refused.exit_code, said in refused.output) == (2, True), refused.output
    assert not (site.parent / "people.toml").exists()


def test_a_room_where_nobody_signs_in_says_so(site: Path) -> None:
    """Without [display.access] there is nowhere to write to."""
    site.write_text(site.read_text(encoding="utf-8").replace(ACCESS, ""), encoding="utf-8")
    refused = person(site, SURGEON, secret=SECRET)
    assert (refused.exit_code, "nobody signs in" in refused.output) == (2, True)
