"""The procedure's record: only added to, followed by number, and not lost by a process that is killed."""

import asyncio
import errno
import os
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from acquisition.session.journal import Journal, JournalUnusable, acting_as, open_journal
from tests.acquisition.session.damaged import damage

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def now() -> datetime:
    return NOW


WRITER = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from acquisition.session.journal import open_journal
with open_journal(Path(sys.argv[1]), now=lambda: datetime.now(tz=UTC)) as journal:
    for number in range(100):
        journal.add("marked", {"number": number})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_added_outlives_a_killed_process(tmp_path: Path) -> None:
    """Killed right after the last entry, without closing anything: all are there, in their order."""
    path = tmp_path / "procedures.sqlite"
    ended = subprocess.run([sys.executable, "-c", WRITER, path], check=False)  # noqa: S603 - our own words
    assert ended.returncode == -9
    with open_journal(path, now=now) as journal:
        entries = list(journal.all_after(0))
    assert [entry.told["number"] for entry in entries] == list(range(100))
    assert [entry.seq for entry in entries] == list(range(1, 101))


def test_an_entry_bears_who_acted_and_when(tmp_path: Path) -> None:
    """A person's name within her act, nobody's outside of it."""
    with open_journal(tmp_path / "a" / "record.sqlite", now=now) as journal:
        with acting_as("Dr. Sokolova"):
            journal.add("marked", {"rate_cps": 12.5})
        journal.add("alert", {"device": "gamma"})
        first, second = journal.after(0)
        assert (first.person, first.at, first.kind, first.told) == (
            "Dr. Sokolova",
            NOW,
            "marked",
            {"rate_cps": 12.5},
        )
        assert second.person == ""
        assert journal.after(1) == [second]
        assert journal.find(2) == second
        assert journal.find(3) is None
        assert (journal.newest_seq, journal.newest_of("marked"), journal.newest_of("begun")) == (2, 1, 0)


def test_nothing_can_be_changed_or_taken_out(tmp_path: Path) -> None:
    """Not even by another program: the database itself refuses."""
    path = tmp_path / "record.sqlite"
    with open_journal(path, now=now) as journal:
        journal.add("marked", {})
    database = sqlite3.connect(path)
    for statement in ("DELETE FROM entry", "UPDATE entry SET person = 'somebody else'"):
        with pytest.raises(sqlite3.DatabaseError, match="only added to"):
            database.execute(statement)
    database.close()


def test_two_services_never_share_a_record(tmp_path: Path) -> None:
    """The second is told so: each would hold a procedure that the other does not know."""
    path = tmp_path / "record.sqlite"
    with (
        open_journal(path, now=now),
        pytest.raises(JournalUnusable, match="another radionav may have it"),
        open_journal(path, now=now),
    ):
        pass


def test_a_file_that_is_no_record_is_left_alone(tmp_path: Path) -> None:
    """Text, or a record of a later version: refused with the file's name, and unchanged."""
    path = tmp_path / "notes.txt"
    path.write_text("nothing of ours, but long enough to be taken for a database" * 20, encoding="utf-8")
    former = path.read_bytes()
    with pytest.raises(JournalUnusable, match="is no record"), open_journal(path, now=now):
        pass
    assert path.read_bytes() == former
    later = tmp_path / "later.sqlite"
    database = sqlite3.connect(later)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(JournalUnusable, match="version 99"), open_journal(later, now=now):
        pass


async def test_whoever_waits_is_told_of_the_next_entry(tmp_path: Path) -> None:
    """Also of one that was made before he asked."""
    with open_journal(tmp_path / "record.sqlite", now=now) as journal:
        waiting = asyncio.create_task(journal.grown_beyond(0))
        await asyncio.sleep(0)
        assert not waiting.done()
        journal.add("marked", {})
        async with asyncio.timeout(10):
            await waiting
            await journal.grown_beyond(0)
        await journal.settle()


def test_a_full_disk_is_said_and_ends_nothing(tmp_path: Path) -> None:
    """What cannot be written is not entered; the room is told, and goes on."""
    with open_journal(tmp_path / "record.sqlite", now=now) as journal:
        journal._database.execute("PRAGMA max_page_count = 9")
        for _ in range(50):
            journal.add("marked", {"words": "x" * 1000})
        assert "make room on the disk" in journal.failure
        assert journal.add("marked", {"words": "x" * 9000}) == 0
        assert 0 < len(list(journal.all_after(0))) < 50


async def test_what_a_disk_does_not_take_in_the_end_is_said_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system learns late that a disk is full, or broken: as it is told to bring there what it holds."""

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with open_journal(tmp_path / "record.sqlite", now=now) as journal:
        monkeypatch.setattr(os, "fsync", refuse)
        seq = journal.add("marked", {})
        await journal.settle()
        assert "No space left on device" in journal.failure
        assert "make room on the disk" in journal.failure
        assert await journal.add_picture(seq, b"\x89PNG") == journal.failure


def test_a_record_that_a_disk_damaged_is_said_and_ends_nothing(tmp_path: Path) -> None:
    """As with a full disk: what happens next in the room is not entered, and the room goes on."""
    path = tmp_path / "record.sqlite"
    with open_journal(path, now=now) as journal:
        for _ in range(50):
            journal.add("marked", {"words": "x" * 1000})
    with open_journal(path, now=now) as journal:
        damage(path)
        assert journal.add("marked", {}) == 0
        assert "move its file away" in journal.failure
        for read in (lambda: journal.after(0), lambda: journal.of("marked"), lambda: journal.newest_seq):
            with pytest.raises(JournalUnusable, match="move its file away"):
                read()


def test_no_number_is_too_great_to_ask_for(tmp_path: Path) -> None:
    """One that SQLite cannot count to is of no entry, as any that was not given."""
    with open_journal(tmp_path / "record.sqlite", now=now) as journal:
        seq = journal.add("marked", {})
        for greater in (2**63 - 1, 2**63, 10**30):
            assert journal.after(greater) == []
            assert journal.find(greater) is None
        assert [entry.seq for entry in journal.after(-(10**30))] == [seq]


def test_entries_are_found_by_their_study(tmp_path: Path) -> None:
    """Years of other patients' entries are not read for one study's; those of another kind are none of them."""
    with open_journal(tmp_path / "record.sqlite", now=now) as journal:
        for study_uid in ("1.2", "1.23", "1.2"):
            journal.add("map in use", {"study_uid": study_uid})
        journal.add("study", {"study_uid": "1.2"})
        journal.add("map in use", {})
        assert [entry.seq for entry in journal.of("map in use", study_uid="1.2")] == [1, 3]
        assert [entry.seq for entry in journal.of("map in use", "study", study_uid="1.2")] == [1, 3, 4]
        assert [entry.seq for entry in journal.of("map in use", study_uid="")] == []
        assert [entry.seq for entry in journal.of("map in use")] == [1, 2, 3, 5]


async def test_a_picture_belongs_to_an_entry(tmp_path: Path) -> None:
    """It is found by that number, and there is none of other entries; a second one is refused in words."""
    with open_journal(tmp_path / "record.sqlite", now=now) as journal:
        seq = journal.add("marked", {})
        assert await journal.add_picture(seq, b"\x89PNG") is None
        assert journal.picture(seq) == b"\x89PNG"
        assert journal.picture(seq + 1) is None
        assert await journal.add_picture(seq, b"another") == f"entry {seq} has its picture already"
        assert journal.picture(seq) == b"\x89PNG"
        assert not journal.failure


async def test_a_disk_that_is_slow_with_a_picture_delays_nobody(tmp_path: Path) -> None:
    """While it is being written the loop goes on with frames and readings."""
    started, may_go_on = threading.Event(), threading.Event()

    def write_slowly() -> None:
        started.set()
        assert may_go_on.wait(60.0), "the loop waits for the picture"

    with open_journal(tmp_path / "record.sqlite", now=now) as journal:
        seq = journal.add("marked", {})
        journal._database.create_function("write_slowly", 0, write_slowly)
        journal._database.execute(
            "CREATE TEMP TRIGGER slow BEFORE INSERT ON picture BEGIN SELECT write_slowly(); END"
        )
        keeping = asyncio.ensure_future(journal.add_picture(seq, b"\x89PNG"))
        assert await asyncio.to_thread(started.wait, 60.0)
        assert not keeping.done()
        may_go_on.set()
        assert await keeping is None
        assert journal.picture(seq) == b"\x89PNG"


class Paused(sqlite3.Connection):
    """Stops between an entry's row and its commit."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, check_same_thread=False)
        self.has_row, self.may_go_on = threading.Event(), threading.Event()

    def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        """Stop behind an entry's row."""
        found = super().execute(statement, values)
        if statement.startswith("INSERT INTO entry"):
            self.has_row.set()
            assert self.may_go_on.wait(60.0)
        return found


async def test_a_picture_that_is_refused_takes_no_entry_with_it(tmp_path: Path) -> None:
    """What is rolled back is the picture, never an entry that was acknowledged."""
    path = tmp_path / "record.sqlite"
    with open_journal(path, now=now) as journal:
        seq = journal.add("marked", {})
        assert await journal.add_picture(seq, b"\x89PNG") is None
    paused = Paused(path)
    journal = Journal(paused, path, now=now)
    try:
        adding = asyncio.ensure_future(asyncio.to_thread(journal.add, "alert", {"device": "gamma"}))
        assert await asyncio.to_thread(paused.has_row.wait, 60.0)
        refused = asyncio.ensure_future(journal.add_picture(seq, b"another"))
        await asyncio.wait({refused}, timeout=0.5)  # to its end where nothing keeps it waiting
        paused.may_go_on.set()
        entry = journal.find(await adding)
        assert await refused == f"entry {seq} has its picture already"
        assert entry is not None
        assert entry.told == {"device": "gamma"}
        assert [found.kind for found in journal.of("alert")] == ["alert"]
    finally:
        journal.close()


async def test_a_picture_that_a_full_disk_does_not_take_is_not_said_to_be_kept(tmp_path: Path) -> None:
    """Whoever sent it is told why."""
    with open_journal(tmp_path / "record.sqlite", now=now) as journal:
        seq = journal.add("marked", {})
        journal._database.execute("PRAGMA max_page_count = 9")
        assert "make room on the disk" in (await journal.add_picture(seq, bytes(200_000)) or "")
        assert journal.picture(seq) is None
