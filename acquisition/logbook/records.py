"""What stands in the logbook: a record as it is made, and as it is found again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What was done."""

    MORNING = "morning"
    CALIBRATION = "calibration"
    COUNT = "count"
    BACKGROUND = "background"
    EX_VIVO = "exvivo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something that was checked, calibrated or counted.

    Attributes
    ----------
    kind
        What was done.
    at
        When it ended, with a time zone.
    probe, identity
        The probe's name in the site file, and what it said it is.
    person
        Who did it and answers for it.
    is_simulated
        Whether probe and sources were simulated.
    passed
        The verdict; None where nothing was judged.
    told
        All that came of it, plain JSON types: what ``acquire --json`` prints. ``steps`` holds
        ``StepResult.to_dict`` of each step, ``curves`` what a report draws (``acquisition.quality.curves``).

    """

    kind: Kind
    at: datetime
    probe: str
    identity: str
    person: str
    is_simulated: bool
    passed: bool | None
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A record as it stands in the logbook.

    Attributes
    ----------
    number
        From 1, without gaps, for each key.
    key_id
        Which machine's key sealed it.
    record
        What it says.
    seal
        HMAC-SHA256, hexadecimal.
    doubt
        Why it cannot be believed: it was changed after it was sealed, or another machine's key sealed it; empty
        where its seal fits.

    """

    number: int
    key_id: str
    record: Record
    seal: str
    doubt: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, for ``acquire history --json``."""
        record = self.record
        return {
            "number": self.number,
            "kind": record.kind.value,
            "at": record.at.isoformat(),
            "probe": record.probe,
            "identity": record.identity,
            "person": record.person,
            "simulated": record.is_simulated,
            "passed": record.passed,
            "seal": self.seal,
            "key_id": self.key_id,
            "doubt": self.doubt,
            "told": dict(record.told),
        }
