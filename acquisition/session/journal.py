"""The procedure's record: a database to which entries are added, and from which none is ever taken.

SQLite with a write-ahead log. An entry is in the system's hands before `Journal.add` returns, so that it outlives
a killed process; `Journal.settle` returns once it is on the disk, so that it outlives a power cut. Readers follow
it by sequence number: that line loses nothing, however late somebody joins it.
"""

import asyncio
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

VERSION = 1

SERVICE = ""
"""Who did what no person did."""

acting: ContextVar[str] = ContextVar("acting", default=SERVICE)
"""The person who is acting now: entries made on her behalf bear her name."""


@contextmanager
def acting_as(person: str) -> Iterator[None]:
    """Let every entry that is made in this block, by this task, bear a person's name."""
    token = acting.set(person)
    try:
        yield
    finally:
        acting.reset(token)


SCHEMA = """
CREATE TABLE entry (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at_utc TEXT NOT NULL, person TEXT NOT NULL, kind TEXT NOT NULL,
  told TEXT NOT NULL
) STRICT;
CREATE TABLE picture (seq INTEGER PRIMARY KEY REFERENCES entry (seq), png BLOB NOT NULL) STRICT;
CREATE INDEX entry_kind ON entry (kind, seq);
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the record is only added to'); END;
CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the record is only added to'); END;
"""

MOST_AT_ONCE = 500

FULL = "the procedure is not recorded any more ({}): make room on the disk and start again"
DAMAGED = "the procedure is not recorded any more ({}): move its file away and start again"

GREATEST_SEQ = 2**63 - 1
"""What SQLite can count to; who names a greater number asks for what is not there."""

log = structlog.get_logger()


class JournalUnusable(Exception):
    """Raised when the record cannot be opened, or read any more; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was done, counted or noticed.

    Attributes
    ----------
    seq
        From 1, growing; never given twice.
    at
        When, UTC.
    person
        Who did it; empty for what the service did or noticed by itself.
    kind, told
        What it was, and its particulars as JSON has them.

    """

    seq: int
    at: datetime
    person: str
    kind: str
    told: Mapping[str, Any]


class Journal:
    """The open record; entries are written by one event loop, pictures by threads, and threads read it too.

    SQLite lets in one at a time; a transaction is whoever's who began it, so that only one writes at a time.
    A disk that is full, or damages it, ends the record and never the room: ``failure`` says so from then on.
    Whoever reads then what cannot be read gets `JournalUnusable`, with the same sentence.
    """

    def __init__(self, database: sqlite3.Connection, path: Path, *, now: Callable[[], datetime]) -> None:
        self.failure = ""
        self._database = database
        self._log = path.with_name(path.name + "-wal")
        self._writing = threading.Lock()
        self._now = now
        self._grown = asyncio.Event()

    def add(self, kind: str, told: Mapping[str, Any], *, at: datetime | None = None) -> int:
        """Add an entry of the person who is acting; its number, 0 where it could not be written."""
        at = at or self._now()
        row = (at.isoformat(), acting.get(), kind, json.dumps(told, allow_nan=False))
        seq = self._write("INSERT INTO entry (at_utc, person, kind, told) VALUES (?, ?, ?, ?)", row)
        if seq:
            grown, self._grown = self._grown, asyncio.Event()
            grown.set()
        return seq

    async def add_picture(self, seq: int, png: bytes) -> str | None:
        """Keep a picture of what a display showed with an entry, on the disk; returns why not, or None.

        Megabytes take a disk its time: a thread writes them.
        """
        try:
            kept = await asyncio.to_thread(self._write, "INSERT INTO picture (seq, png) VALUES (?, ?)", (seq, png))
        except sqlite3.IntegrityError:
            return f"entry {seq} has its picture already"
        if not kept:
            return self.failure
        await self.settle()
        return self.failure or None

    async def settle(self) -> None:
        """Wait until everything that was added is on the disk; where it cannot be, ``failure`` says so."""
        try:
            await asyncio.to_thread(_sync, self._log)
        except OSError as exc:  # the system has given up what it could not write: nobody gets it there later
            self._fail(FULL.format(exc.strerror))

    def after(self, seq: int, *, most: int = MOST_AT_ONCE) -> list[Entry]:
        """Give the entries after a number, oldest first, at most so many."""
        if seq >= GREATEST_SEQ:
            return []
        rows = self._read(
            "SELECT seq, at_utc, person, kind, told FROM entry WHERE seq > ? ORDER BY seq LIMIT ?",
            (max(0, seq), most),
        )
        return [_entry(row) for row in rows]

    def find(self, seq: int) -> Entry | None:
        """Find an entry by its number."""
        found = self.after(seq - 1, most=1)
        return found[0] if found and found[0].seq == seq else None

    def all_after(self, seq: int) -> Iterator[Entry]:
        """Give every entry after a number, oldest first."""
        while found := self.after(seq):
            yield from found
            seq = found[-1].seq

    def of(self, *kinds: str, study_uid: str | None = None, after: int = 0) -> list[Entry]:
        """Give the entries of some kinds after a number, oldest first; of one study, where each tells of one."""
        rows = self._read(
            "SELECT seq, at_utc, person, kind, told FROM entry WHERE kind IN (SELECT value FROM json_each(?1)) "
            "AND seq > ?3 AND (?2 IS NULL OR json_extract(told, '$.study_uid') = ?2) ORDER BY seq",
            (json.dumps(kinds), study_uid, after),
        )
        return [_entry(row) for row in rows]

    def picture(self, seq: int) -> bytes | None:
        """Find the picture that belongs to an entry, None where there is none."""
        rows = self._read("SELECT png FROM picture WHERE seq = ?", (seq,))
        return bytes(rows[0][0]) if rows else None

    def newest_of(self, kind: str) -> int:
        """Give the number of the newest entry of a kind; 0 where there is none."""
        ((seq,),) = self._read("SELECT max(seq) FROM entry WHERE kind = ?", (kind,))
        return int(seq or 0)

    @property
    def newest_seq(self) -> int:
        """Number of the newest entry; 0 before the first."""
        ((seq,),) = self._read("SELECT max(seq) FROM entry")
        return int(seq or 0)

    async def grown_beyond(self, seq: int) -> None:
        """Wait for an entry after a number."""
        while self.newest_seq <= seq:
            await self._grown.wait()

    def close(self) -> None:
        """Close it, once nothing is being written."""
        with self._writing:
            self._database.close()

    def _read(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Give all rows that a statement finds.

        Raises
        ------
        JournalUnusable
            Where the file is damaged; nothing is entered into such a record any more.

        """
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError as exc:
            self._fail(DAMAGED.format(exc))
            raise JournalUnusable(self.failure) from exc

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        """Add a row; its number, 0 where it could not be written."""
        try:
            with self._writing, self._database:
                return self._database.execute(statement, values).lastrowid or 0
        except sqlite3.IntegrityError:
            raise
        except sqlite3.OperationalError as exc:
            self._fail(FULL.format(exc))
        except sqlite3.DatabaseError as exc:
            self._fail(DAMAGED.format(exc))
        return 0

    def _fail(self, failure: str) -> None:
        if failure != self.failure:
            self.failure = failure
            log.error("journal failed", reason=failure)


def _entry(row: tuple[int, str, str, str, str]) -> Entry:
    seq, at_utc, person, kind, told = row
    return Entry(seq=seq, at=datetime.fromisoformat(at_utc), person=person, kind=kind, told=json.loads(told))


def _sync(path: Path) -> None:
    try:
        number = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return  # moved into the database meanwhile, which SQLite has synchronised
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def open_journal(path: Path, *, now: Callable[[], datetime]) -> Iterator[Journal]:
    """Open the record in a file, made where there is none.

    Raises
    ------
    JournalUnusable
        Where it cannot be opened, is no such record, or is another service's at this moment.

    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, timeout=0, check_same_thread=False)
    except (OSError, sqlite3.Error) as exc:
        raise JournalUnusable(f"{path}: the procedure's record cannot be opened: {exc}") from exc
    journal = Journal(database, path, now=now)
    try:
        _prepare(database, path)
        yield journal
    finally:
        journal.close()


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    try:
        # one service at a time: two would each hold a procedure that the other does not know
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version not in {0, VERSION}:
            raise JournalUnusable(
                f"{path}: a record of version {version}, wanted {VERSION}: name another file in procedure.database"
            )
        if version == 0:
            database.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        else:
            database.executescript("BEGIN IMMEDIATE; COMMIT;")
    except sqlite3.OperationalError as exc:
        raise JournalUnusable(
            f"{path}: the procedure's record cannot be used ({exc}): another radionav may have it"
        ) from exc
    except sqlite3.DatabaseError as exc:
        raise JournalUnusable(f"{path}: is no record of procedures ({exc}): move it away") from exc
