"""That the patient's reference seems to have slipped: in the procedure's record, for a restart checks nothing."""

from dataclasses import dataclass
from datetime import datetime

from acquisition.session.journal import Journal

SUSPECTED = "slip suspected"
"""Kind of the record's entries on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """How far all lies elsewhere by the counts, mm, and since when (UTC) that is known."""

    length_mm: float
    at: datetime


def last_suspicion(journal: Journal) -> Suspicion | None:
    """Find the last one of the record, whatever was checked since; None where there is none.

    Raises
    ------
    JournalUnusable
        Where the record cannot be read.

    """
    entries = journal.of(SUSPECTED)
    return Suspicion(length_mm=entries[-1].told["length_mm"], at=entries[-1].at) if entries else None
