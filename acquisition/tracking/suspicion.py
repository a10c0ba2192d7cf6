"""What the counts say against the registration: in the procedure's record, for a restart checks nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from acquisition.session.journal import Journal
from acquisition.tracking.registration_file import Registration

SLIPPED, TURNED = "slip suspected", "turn suspected"
"""Kinds of the record's entries on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """What is suspected, and since when.

    Attributes
    ----------
    length_mm
        How far all lies elsewhere by the counts, as where the reference slipped; None where all lies turned by
        half.
    at
        UTC.

    """

    length_mm: float | None
    at: datetime

    @property
    def is_turn(self) -> bool:
        """Whether it is half a turn, and no slip."""
        return self.length_mm is None

    @property
    def kind(self) -> str:
        """Of its entry in the record."""
        return TURNED if self.is_turn else SLIPPED

    @property
    def told(self) -> Mapping[str, Any]:
        """Content of its entry."""
        return {} if self.is_turn else {"length_mm": self.length_mm}

    def doubt(self, registration: Registration | None) -> str:
        """Say what speaks against a registration, None for one that was typed in; empty once it is settled.

        A landmark that is hit settles a slip. Half a turn it does not: each landmark that was turned is hit.
        """
        if registration is not None:
            hits = [check.verified_at for check in registration.verifications if check.passed and not self.is_turn]
            if max((registration.registered_at, *hits)) > self.at:
                return ""
        if self.length_mm is None:
            return (
                "registration doubtful: the counts fit the study turned by half; were the landmarks saved as RAS "
                "where LPS is said? Save them anew, register again"
                if registration is not None
                else "registration doubtful: the counts fit the study turned by half; is the site file's matrix "
                "of RAS? Mend it, restart radionav, then choose the study again"
            )
        return (
            f"registration doubtful: by the counts all lies {self.length_mm:.0f} mm elsewhere, as where the "
            "reference slipped; touch a landmark with acquire verify, register again if it is missed"
            if registration is not None
            else f"registration doubtful: by the counts all lies {self.length_mm:.0f} mm elsewhere, as where "
            "the reference slipped; register again, then choose the study again"
        )


def last_suspicion(journal: Journal) -> Suspicion | None:
    """Find the last one of the record, whatever was checked since; None where there is none.

    Raises
    ------
    JournalUnusable
        Where the record cannot be read.

    """
    entries = journal.of(SLIPPED, TURNED)
    return Suspicion(length_mm=entries[-1].told.get("length_mm"), at=entries[-1].at) if entries else None
