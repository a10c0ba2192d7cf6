"""The query service (PS3.4 annex C): what is asked for, in which model, what is answered; no network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from devices.dicom.services.commands import Status
from devices.dicom.storage.elements import UnreadableObject, encode_element, read_elements

PATIENT_ROOT: Final = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT: Final = "1.2.840.10008.5.1.4.1.2.2.1"

EXPLICIT: Final = "1.2.840.10008.1.2.1"


class QueryLevel(StrEnum):
    """Query/Retrieve Level (0008,0052)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


LEVELS: Final[Mapping[str, tuple[QueryLevel, ...]]] = {
    PATIENT_ROOT: (QueryLevel.PATIENT, QueryLevel.STUDY, QueryLevel.SERIES, QueryLevel.IMAGE),
    STUDY_ROOT: (QueryLevel.STUDY, QueryLevel.SERIES, QueryLevel.IMAGE),
}
"""Levels of each information model, from its root (PS3.4 C.6.1.1 and C.6.2.1)."""

UNIQUE_KEYS: Final[Mapping[QueryLevel, tuple[int, str]]] = {
    QueryLevel.PATIENT: (0x00100020, "Patient ID (0010,0020)"),
    QueryLevel.STUDY: (0x0020000D, "Study Instance UID (0020,000D)"),
    QueryLevel.SERIES: (0x0020000E, "Series Instance UID (0020,000E)"),
    QueryLevel.IMAGE: (0x00080018, "SOP Instance UID (0008,0018)"),
}
"""Of each level: tag, and name in words."""

SPECIFIC_CHARACTER_SET: Final = 0x00080005
QUERY_LEVEL: Final = 0x00080052

ABOUT_THE_QUERY: Final = frozenset({SPECIFIC_CHARACTER_SET, QUERY_LEVEL, 0x00080201})
"""Elements of an identifier that are no keys; (0008,0201) is the time zone."""

LONGEST_IDENTIFIER_BYTES: Final = 65536

MOST_ANSWERS: Final = 500
"""To one query; who has more matches is told so by a failure at the end."""


class QueryRefused(Exception):
    """Raised when a query is not answered: ``status`` says so to programs, the sentence to people."""

    def __init__(self, status: Status, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked for.

    Attributes
    ----------
    level
        Of what.
    keys
        Values to match, as they came, by tag; an empty one matches all, and all are to be given back.
    character_sets
        Specific Character Set (0008,0005) of the values.

    """

    level: QueryLevel
    keys: Mapping[int, bytes]
    character_sets: str


Element: TypeAlias = tuple[bytes, bytes]
"""Value representation and value, of even length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """What matches.

    Attributes
    ----------
    answers
        Elements of each match by tag, what was asked for and is known.
    studies
        How many of the matches each study has.
    are_all
        Whether there are no more than these.
    is_every_key_known
        Whether nothing was asked for that is not known here.

    """

    answers: Sequence[Mapping[int, Element]]
    studies: Mapping[str, int]
    are_all: bool
    is_every_key_known: bool


Lookup: TypeAlias = Callable[[Question], Matches]
"""Finds what matches; raises ``QueryRefused``. Waits for a database."""


def decode_question(content: bytes, *, model: str, transfer_syntax: str) -> Question:
    """Decode the identifier of a C-FIND.

    Raises
    ------
    QueryRefused
        Where it does not hold together, names no level of the model, or not the one above in which to look:
        nothing is looked for everywhere because somebody forgot to say where.

    """
    try:
        elements = read_elements(content, transfer_syntax=transfer_syntax)
    except UnreadableObject as exc:
        raise QueryRefused(Status.DATA_SET_MISMATCH, str(exc)) from exc
    said = elements.get(QUERY_LEVEL, b"").decode("ascii", errors="replace").strip("\0 ")
    levels = LEVELS[model]
    if said not in levels:
        raise QueryRefused(Status.DATA_SET_MISMATCH, f"no level of this model: {said[:16]!r}")
    level = QueryLevel(said)
    for above in levels[: levels.index(level)]:
        tag, name = UNIQUE_KEYS[above]
        value = elements.get(tag, b"").strip(b"\0 ")
        if not value or any(other in value for other in b"*?\\"):
            raise QueryRefused(Status.DATA_SET_MISMATCH, f"{name} of one is wanted at {level}")
    keys = {
        tag: value
        for tag, value in elements.items()
        if tag not in ABOUT_THE_QUERY and tag & 0xFFFF  # group lengths are no keys
    }
    character_sets = elements.get(SPECIFIC_CHARACTER_SET, b"").decode("ascii", errors="replace").strip()
    return Question(level=level, keys=keys, character_sets=character_sets)


def encode_answer(elements: Mapping[int, Element], *, transfer_syntax: str) -> bytes:
    """Encode one match as the identifier of an answer."""
    is_explicit = transfer_syntax == EXPLICIT
    return b"".join(
        encode_element(tag, vr, value, is_explicit=is_explicit) for tag, (vr, value) in sorted(elements.items())
    )
