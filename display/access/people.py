"""The persons who may sign in: a TOML file with a name, a role, and an argon2 hash of a secret for each."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerifyMismatchError

SHORTEST_SECRET = 8
"""Characters of a person's secret: typed with gloves, and tried at most a few times a minute."""

HASHER = PasswordHasher()
"""Argon2id with the parameters of RFC 9106 for little memory (64 MiB, 3 passes)."""


class Role(StrEnum):
    """What somebody may do."""

    VIEW = "view"
    """Look: the page, the feed, volumes; studies, events and the report of the patient on the table alone."""
    ACT = "act"
    """Look, and do what a person does in the procedure."""
    ENGINEER = "engineer"
    """Look, read the room's figures, and calibrate tip and delay."""


MAY = {
    Role.VIEW: frozenset({Role.VIEW}),
    Role.ACT: frozenset({Role.VIEW, Role.ACT}),
    Role.ENGINEER: frozenset({Role.VIEW, Role.ENGINEER}),
}


class PeopleUnusable(Exception):
    """Raised when the file of persons cannot be used; the message says which file, why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may sign in; ``secret`` is the argon2 hash of what she types."""

    name: str
    role: Role
    secret: str

    def knows(self, secret: str) -> bool:
        """Whether this is her secret; takes about a tenth of a second, off the event loop."""
        try:
            return HASHER.verify(self.secret, secret)
        except VerifyMismatchError:
            return False


def read_people(path: Path) -> Mapping[str, Person]:
    """Read the file, by name.

    Raises
    ------
    PeopleUnusable
        Where it cannot be read, others may read it, or an entry is none.

    """
    try:
        mode, content = path.stat().st_mode, tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise PeopleUnusable(f"{path}: cannot be read: {exc.strerror}; add persons with radionav person") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise PeopleUnusable(f"{path}: is no TOML: {exc}") from exc
    if mode & 0o077:
        raise PeopleUnusable(f"{path}: others may read it: chmod 600 {path}")
    people: dict[str, Person] = {}
    entries = content.get("person", [])
    for entry in entries if isinstance(entries, list) else [entries]:
        person = _person(path, entry)
        if person.name in people:
            raise PeopleUnusable(f"{path}: two persons are called {person.name}")
        people[person.name] = person
    return people


def _person(path: Path, entry: Any) -> Person:
    try:
        person = Person(name=str(entry["name"]), role=Role(entry["role"]), secret=str(entry["secret"]))
        extract_parameters(person.secret)
    except (KeyError, TypeError, ValueError, InvalidHashError) as exc:
        raise PeopleUnusable(
            f"{path}: {entry!r} is no person with name, role (act or engineer) and secret: use radionav person"
        ) from exc
    if person.role is Role.VIEW or not person.name.strip():
        raise PeopleUnusable(f"{path}: {person.name!r}: a person has a name, and the role act or engineer")
    return person


def change_person(path: Path, name: str, *, role: Role | None, secret: str) -> None:
    """Add a person or give her another secret and role; with no role, take her out. The file is exchanged whole.

    Raises
    ------
    PeopleUnusable
        As `read_people`; where she is to be taken out and is not there; where she has no name, the role of a
        display, or a secret that is too short.

    """
    people = dict(read_people(path)) if path.exists() else {}
    if role is None:
        if people.pop(name, None) is None:
            raise PeopleUnusable(f"{path}: nobody is called {name}")
    else:
        if role is Role.VIEW or not name.strip():
            raise PeopleUnusable("a person has a name, and the role act or engineer: displays look by their token")
        if len(secret) < SHORTEST_SECRET:
            raise PeopleUnusable(f"a secret has {SHORTEST_SECRET} characters or more")
        people[name] = Person(name=name, role=role, secret=HASHER.hash(secret))
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with part.open("w", encoding="utf-8") as file:
            file.write("# Written by `radionav person`; the secrets are argon2 hashes.\n")
            file.writelines(
                f"\n[[person]]\nname = {_quoted(person.name)}\nrole = {_quoted(person.role)}\n"
                f"secret = {_quoted(person.secret)}\n"
                for person in people.values()
            )
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as exc:
        raise PeopleUnusable(f"{path}: cannot be written: {exc.strerror}") from exc


def _quoted(text: str) -> str:
    """Write a TOML basic string (TOML 1.0, strings)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    safe = (f"\\u{ord(each):04x}" if ord(each) < 0x20 or ord(each) == 0x7F else each for each in escaped)
    return f'"{"".join(safe)}"'
