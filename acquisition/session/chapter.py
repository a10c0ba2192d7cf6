"""The part of the record that is of the procedure as it stands."""

from collections.abc import Callable, Mapping
from typing import Any

from acquisition.session.journal import Entry, Journal, JournalUnusable
from acquisition.session.procedure import Procedure


class Chapter:
    """Where what is kept of a procedure is written, and read back after a restart.

    While no procedure is open nothing of one is kept: it is then of the room's memory alone.

    Parameters
    ----------
    procedure
        Gives the procedure as it stands.
    journal
        The record.
    note
        Enters into it.

    """

    def __init__(
        self,
        procedure: Callable[[], Procedure],
        journal: Journal,
        *,
        note: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._procedure = procedure
        self._journal = journal
        self._enter = note

    @property
    def number(self) -> int:
        """Of the procedure; 0 where none has begun."""
        return self._procedure().number

    @property
    def is_open(self) -> bool:
        """Whether a procedure has begun and not ended."""
        return self._procedure().is_open

    def enter(self, kind: str, told: Mapping[str, Any]) -> None:
        """Enter one thing."""
        self._enter(kind, told)

    def entries(
        self, number: int, *kinds: str, study_uid: str | None = None, newest: int | None = None
    ) -> list[Entry]:
        """Give the entries of some kinds since a procedure began, oldest first; any thread may ask.

        With ``newest`` no others than so many of the record's newest, of whichever kind, are looked at. None where
        the record cannot be read: the room goes on, and the procedure says that nothing is recorded.
        """
        try:
            after = number if newest is None else max(number, self._journal.newest_seq - newest)
            return self._journal.of(*kinds, study_uid=study_uid, after=after)
        except JournalUnusable:
            return []
