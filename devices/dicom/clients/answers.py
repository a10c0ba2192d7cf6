"""What a destination answers to an object that is sent there, and what that means for the object."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final


class Fate(StrEnum):
    """What became of an object that was to be sent."""

    STORED = "stored"
    """The destination has it, perhaps with a warning."""
    REFUSED = "refused"
    """It will not be taken as it is: asking again does not help."""
    POSTPONED = "postponed"
    """It was not taken this time."""


_LATER: Final = frozenset({0x0110, 0x0210, 0x0213})
"""Processing failure, duplicate invocation, resource limitation (PS3.7 annex C)."""

_WARNINGS: Final = frozenset({0x0001, 0x0107, 0x0116})
"""Warnings outside Bxxx (PS3.7 annex C.4)."""

_MEANINGS: Final = {
    0x0110: "processing failure",
    0x0111: "it has other bytes under this UID",
    0x0117: "it takes the object's UID for none",
    0x0122: "it does not take this class of objects",
    0x0124: "not authorised: our AE title may not store there",
    0x0210: "duplicate invocation",
    0x0213: "resource limitation",
    0xB000: "some elements were coerced",
    0xB006: "some elements were discarded",
    0xB007: "the data set does not match its class",
}

_RANGES: Final = {
    0xA7: "out of resources: make room there",
    0xA9: "the data set does not match its class",
    **dict.fromkeys(range(0xC0, 0xD0), "it cannot understand the object"),
}
"""Statuses by their upper byte (PS3.4 table B.2-1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a destination said of one object.

    ``status`` is that of its C-STORE response, None where there was none to be had; ``reason`` says it in words,
    empty for plain Success.
    """

    path: Path
    fate: Fate
    status: int | None
    reason: str


def judge(status: int) -> tuple[Fate, str]:
    """Say what a status of C-STORE means for the object (PS3.4 table B.2-1, PS3.7 annex C)."""
    if status == 0x0000:
        return Fate.STORED, ""
    meaning = _MEANINGS.get(status) or _RANGES.get(status >> 8, "its log tells")
    if status >> 12 == 0xB or status in _WARNINGS:
        return Fate.STORED, f"stored with warning {status:04X}: {meaning}"
    is_passing = status >> 8 == 0xA7 or status in _LATER
    return Fate.POSTPONED if is_passing else Fate.REFUSED, f"{status:04X}: {meaning}"
