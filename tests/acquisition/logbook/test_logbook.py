"""The logbook keeps what was written, and says so when that was changed, in SQLite and in PostgreSQL."""

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Connection, RowMapping, delete, insert, select, text, update
from sqlalchemy.exc import DatabaseError

from acquisition.logbook.logbook import CHANGED, FOREIGN, Findings, Wanted, open_logbook
from acquisition.logbook.records import Kind, Record
from acquisition.logbook.seal import LogbookUnusable, SealKey
from acquisition.logbook.settings import LogbookSettings
from acquisition.logbook.tables import about, records
from devices.databases import make_engine, postgresql_url, sqlite_url

NOON = datetime(2026, 11, 28, 12, 30, 15, 123456, tzinfo=UTC)


def record(number: int = 0, **changed: Any) -> Record:
    """A morning, a day after the one before it."""
    fields: dict[str, Any] = {
        "kind": Kind.MORNING,
        "at": NOON + timedelta(days=number),
        "probe": "gamma",
        "identity": "DP5 12345",
        "person": "Ø. Berg",
        "is_simulated": False,
        "passed": True,
        "told": {"steps": [{"name": "background", "value": 4.75 + number}], "note": "«ясно»"},
    }
    return Record(**fields | changed)


def written(settings: LogbookSettings, count: int = 4) -> None:
    """Write so many mornings."""
    with open_logbook(settings) as logbook:
        for number in range(count):
            logbook.add(record(number))


def read(settings: LogbookSettings, **wanted: Any) -> Findings:
    """Open it again and read."""
    with open_logbook(settings) as logbook:
        return logbook.read(Wanted(**wanted))


def meddle(settings: LogbookSettings, change: Callable[[Connection], object]) -> None:
    """Change the database past the logbook, as who owns the database can: its guard is taken away first."""
    is_file = settings.url is None
    engine = make_engine(postgresql_url(settings.url) if settings.url else sqlite_url(str(settings.database)))
    try:
        with engine.begin() as connection:
            if is_file:
                connection.execute(text("DROP TRIGGER IF EXISTS quality_records_update"))
                connection.execute(text("DROP TRIGGER IF EXISTS quality_records_delete"))
            else:
                connection.execute(text("DROP TRIGGER IF EXISTS quality_records_stay ON quality_records"))
            change(connection)
    finally:
        engine.dispose()


def test_what_was_written_is_found_again(settings: LogbookSettings) -> None:
    """To the microsecond and the letter, oldest first, numbered from 1, and nothing is wrong."""
    written(settings)
    found = read(settings)
    assert [each.record for each in found.records] == [record(number) for number in range(4)]
    assert [each.number for each in found.records] == [1, 2, 3, 4]
    assert found.faults == ()
    assert {each.doubt for each in found.records} == {""}
    assert json.loads(json.dumps(found.records[1].to_dict()))["told"]["note"] == "«ясно»"


def test_records_are_asked_for_by_what_they_are(settings: LogbookSettings) -> None:
    """Kind, probe, person, time and simulated each leave out what is not wanted."""
    others = {
        "kind": Kind.COUNT,
        "probe": "monitor",
        "person": "N. Sato",
        "is_simulated": True,
        "passed": None,
    }
    with open_logbook(settings) as logbook:
        logbook.add(record(0))
        for number, (name, value) in enumerate(others.items(), start=1):
            logbook.add(record(number, **{name: value}))
    assert [each.number for each in read(settings, kinds=(Kind.COUNT,)).records] == [2]
    assert [each.number for each in read(settings, probe="monitor").records] == [3]
    assert [each.number for each in read(settings, person="N. Sato").records] == [4]
    assert [each.number for each in read(settings, is_simulated=True).records] == [5]
    assert [each.number for each in read(settings, since=NOON + timedelta(days=5)).records] == [6]
    assert [each.number for each in read(settings, until=NOON + timedelta(days=1)).records] == [1]
    assert read(settings).records[5].record.passed is None
    with open_logbook(settings) as logbook:
        newest = logbook.find(wanted=Wanted(probe="gamma", is_simulated=False))
        assert newest is not None
        assert newest.kept.number == 6
        assert [each.number for each in newest.beside.records] == [1, 2, 4, 6]
        third, none = logbook.find(3), logbook.find(30)
        assert logbook.find(3, Wanted(probe="gamma")) is None
    assert third is not None
    assert third.kept.record.probe == "monitor"
    assert none is None


@pytest.mark.parametrize("change", ["UPDATE quality_records SET person = 'X'", "DELETE FROM quality_records"])
def test_the_database_itself_refuses_a_change(settings: LogbookSettings, change: str) -> None:
    """Whoever opens the database by another program and means no harm is stopped by it."""
    written(settings, 1)
    engine = make_engine(postgresql_url(settings.url) if settings.url else sqlite_url(str(settings.database)))
    try:
        with pytest.raises(DatabaseError, match="only added to"), engine.begin() as connection:
            connection.execute(text(change))
    finally:
        engine.dispose()
    assert read(settings).records[0].record == record(0)


@pytest.mark.parametrize(
    "changed",
    [
        {"person": "somebody else"},
        {"passed": False},
        {"simulated": True},
        {"at": NOON - timedelta(days=1)},
        {"told": '{"steps": []}'},
        {"seal": "0" * 64},
        {"before": "0" * 64},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_record_is_said(settings: LogbookSettings, changed: dict[str, Any]) -> None:
    """Whatever is changed of one record, that record is doubted, and the others are not; asked for or not."""
    written(settings)
    meddle(settings, lambda at: at.execute(update(records).where(records.c.number == 2).values(**changed)))
    found = read(settings)
    assert {each.number: each.doubt for each in found.records} == {1: "", 2: CHANGED, 3: "", 4: ""}
    assert any(fault.startswith("record 2 of") and "changed" in fault for fault in found.faults)
    assert all("record 2" in fault for fault in found.faults)
    assert read(settings, person="nobody") == Findings(records=(), faults=found.faults)


def test_a_removed_record_is_said(settings: LogbookSettings) -> None:
    """In the middle and at the end, where no later seal would miss it; what is added afterwards is whole."""
    written(settings)
    meddle(settings, lambda at: at.execute(delete(records).where(records.c.number == 2)))
    assert read(settings).faults == ("record 2 is missing",)
    meddle(settings, lambda at: at.execute(delete(records).where(records.c.number >= 3)))
    assert read(settings).faults == ("records 2 to 4 are missing",)
    with open_logbook(settings) as logbook:
        assert logbook.add(record(9)).number == 5
    found = read(settings)
    assert found.faults == ("records 2 to 4 are missing",)
    assert found.records[-1].doubt == ""


def test_an_older_logbook_put_in_place_is_said(settings: LogbookSettings) -> None:
    """Every row gone, as where an empty database takes the place of the one that was full."""
    written(settings)
    meddle(settings, lambda at: at.execute(delete(records)))
    assert read(settings).faults == ("records 1 to 4 are missing",)


def test_a_record_that_was_exchanged_is_said(settings: LogbookSettings) -> None:
    """The row of another day under a number is none of that number."""
    written(settings)

    def exchange(at: Connection) -> None:
        row = dict(at.execute(select(records).where(records.c.number == 1)).mappings().one())
        at.execute(delete(records).where(records.c.number == 3))
        at.execute(insert(records).values(**row | {"number": 3}))

    meddle(settings, exchange)
    found = read(settings)
    assert {each.number: each.doubt for each in found.records}[3] == CHANGED


@pytest.mark.parametrize("told", ["{", "[1]", "7", "null"])
def test_what_we_never_write_costs_its_record_alone(settings: LogbookSettings, told: str) -> None:
    """A row that is no JSON, or no object, is told of, and all others are read."""
    written(settings)
    meddle(settings, lambda at: at.execute(update(records).where(records.c.number == 2).values(told=told)))
    found = read(settings)
    assert [each.number for each in found.records] == [1, 3, 4]
    assert "record 2 cannot be read any more" in found.faults


def test_a_time_that_is_none_is_named(tmp_path: Path) -> None:
    """SQLite takes any text for a time: the database is named, and that it cannot be read."""
    settings = LogbookSettings().beside(tmp_path)
    written(settings)
    meddle(settings, lambda at: at.execute(text("UPDATE quality_records SET at = 'yesterday' WHERE number = 2")))
    with pytest.raises(LogbookUnusable, match=r"quality\.sqlite: .*yesterday"):
        read(settings)


def test_two_machines_share_a_database(settings: LogbookSettings, tmp_path: Path) -> None:
    """Each numbers and seals its own; of the other's it says that it cannot tell."""
    written(settings, 2)
    other = settings.model_copy(update={"key": tmp_path / "other" / "quality.key"})
    SealKey.open(other.key)
    written(other, 1)
    found = read(other)
    assert [(each.number, each.doubt) for each in found.records] == [(1, ""), (1, FOREIGN), (2, FOREIGN)] or [
        (each.number, each.doubt) for each in found.records
    ] == [(1, FOREIGN), (1, ""), (2, FOREIGN)]
    assert found.faults == ()


def test_a_power_cut_between_record_and_note_loses_nothing(settings: LogbookSettings) -> None:
    """The newest number stands beside the key a moment after the record: one behind is no fault."""
    written(settings, 2)
    head = settings.key.with_name("quality.key.head")
    before = head.read_bytes()
    with open_logbook(settings) as logbook:
        logbook.add(record(2))
    head.write_bytes(before)
    with open_logbook(settings) as logbook:
        assert logbook.read().faults == ()
        assert logbook.add(record(3)).number == 4
    assert read(settings).faults == ()


def test_a_note_that_cannot_be_written_leaves_the_record(settings: LogbookSettings) -> None:
    """What is sealed in the database is recorded: said to be refused, it would be added a second time."""
    written(settings, 1)
    settings.key.with_name(".quality.key.head.new").mkdir()  # where the note is written before it is put in place
    with open_logbook(settings) as logbook:
        assert [logbook.add(record(number)).number for number in (1, 2)] == [2, 3]
    found = read(settings)
    assert [each.record for each in found.records] == [record(number) for number in range(3)]
    assert found.faults == ()


def test_a_record_that_is_added_meanwhile_is_not_called_missing(settings: LogbookSettings) -> None:
    """Rows and the note of the newest are read as one: between them nobody adds."""
    written(settings, 2)

    def add() -> None:
        with open_logbook(settings) as logbook:
            logbook.add(record(2))

    adding = Thread(target=add)

    class Meanwhile(Wanted):
        def holds(self, _row: RowMapping) -> bool:
            if adding.ident is None:
                adding.start()
                adding.join(2.0)  # to its end where nothing keeps it waiting
            return True

    with open_logbook(settings) as logbook:
        found = logbook.read(Meanwhile())
    adding.join()
    assert found.faults == ()
    assert [each.number for each in read(settings).records] == [1, 2, 3]


def test_the_key_is_for_its_owner(tmp_path: Path) -> None:
    """It is made readable by its owner alone, and refused where others may read it or it is none."""
    settings = LogbookSettings().beside(tmp_path)
    written(settings, 1)
    assert stat.S_IMODE(settings.key.stat().st_mode) == 0o600
    settings.key.chmod(0o644)
    with pytest.raises(LogbookUnusable, match="chmod 600"), open_logbook(settings):
        pass
    settings.key.chmod(0o600)
    settings.key.write_text("abcd\n")
    with pytest.raises(LogbookUnusable, match="bring back its copy"), open_logbook(settings):
        pass


def test_a_database_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """No database, a logbook of another version, a server that is not there: each says which and what."""
    settings = LogbookSettings().beside(tmp_path)
    settings.key.parent.mkdir(parents=True)
    settings.database.write_bytes(b"no database at all, and long enough to be looked at" * 40)
    with pytest.raises(LogbookUnusable, match=r"quality\.sqlite"), open_logbook(settings):
        pass
    settings.database.unlink()
    written(settings, 1)
    meddle(settings, lambda at: at.execute(update(about).values(version=9)))
    with pytest.raises(LogbookUnusable, match="of version 9, wanted 1"), open_logbook(settings):
        pass
    away = settings.model_copy(update={"url": f"postgresql://radionav@/none?host={tmp_path}"})
    with pytest.raises(LogbookUnusable, match="cannot be opened"), open_logbook(away):
        pass


def test_a_key_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """With another one every record would be another machine's, and a change of it be no fault."""
    settings = LogbookSettings().beside(tmp_path)
    written(settings)
    kept = settings.key.rename(tmp_path / "kept.key")
    with (
        pytest.raises(LogbookUnusable, match=r"quality\.key: the key is gone .*quality\.sqlite"),
        open_logbook(settings),
    ):
        pass
    assert not settings.key.exists()
    kept.rename(settings.key)
    assert read(settings).faults == ()


def test_a_note_that_is_gone_is_said(settings: LogbookSettings) -> None:
    """Without it rows could be cut off at the end; the first record alone may be there before its note."""
    head = settings.key.with_name("quality.key.head")
    written(settings, 1)
    head.unlink()
    assert read(settings).faults == ()
    written(settings, 2)
    head.unlink()
    meddle(settings, lambda at: at.execute(delete(records).where(records.c.number == 3)))
    assert read(settings).faults == ("the note beside the key is gone: whether 2 is the last, nobody can tell",)


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    """What JSON cannot hold is a fault of the program, and nothing is added."""
    settings = LogbookSettings().beside(tmp_path)
    with open_logbook(settings) as logbook:
        with pytest.raises(ValueError, match="JSON"):
            logbook.add(record(told={"rate": float("nan")}))
        assert logbook.read().records == ()
