"""The open logbook: records are added and sealed, found again, and their seals looked at each time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from sqlalchemy import URL, Engine, RowMapping, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from acquisition.logbook.records import Kept, Kind, Record
from acquisition.logbook.seal import FIRST, Head, LogbookUnusable, SealKey
from acquisition.logbook.settings import LogbookSettings
from acquisition.logbook.tables import VERSION, about, metadata, records
from devices.databases import DRIVER_MISSING, make_engine, plain, postgresql_url, say, sqlite_url

log = structlog.get_logger()

CHANGED = "it was changed after it was sealed"
FOREIGN = "another machine's key sealed it, so that nobody can tell here whether it was changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which records are asked for; None: whatever it is.

    Attributes
    ----------
    kinds
        What was done.
    probe, person
        With which probe, by whom.
    since, until
        Time of the record: from, and before.
    is_simulated
        Simulated ones, or real ones.

    """

    kinds: tuple[Kind, ...] = ()
    probe: str | None = None
    person: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_simulated: bool | None = None

    def holds(self, row: RowMapping) -> bool:
        """Whether the record in a row of ``quality_records`` is asked for."""
        return (
            (not self.kinds or row["kind"] in self.kinds)
            and self.probe in {None, row["probe"]}
            and self.person in {None, row["person"]}
            and (self.since is None or row["at"] >= self.since)
            and (self.until is None or row["at"] < self.until)
            and self.is_simulated in {None, row["simulated"]}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found in the logbook.

    Attributes
    ----------
    records
        Those that were asked for, oldest first.
    faults
        What is wrong with the logbook as a whole, a sentence for each: records that were changed or are missing,
        whether they were asked for or not; of those that were asked for, which cannot be read.

    """

    records: tuple[Kept, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A record, and the logbook that it stands in.

    Attributes
    ----------
    kept
        The record.
    beside
        What was found of its probe, real or simulated as it is, itself included.

    """

    kept: Kept
    beside: Findings


@dataclass(slots=True)
class _Chain:
    """What is to come after the records that were read, of this machine's key."""

    number: int = 0
    seals: frozenset[str] = frozenset({FIRST})
    faults: list[str] = field(default_factory=list)


class Logbook:
    """Made by ``open_logbook``."""

    def __init__(self, engine: Engine, place: URL, key: SealKey) -> None:
        self._engine = engine
        self._place = place
        self._key = key

    def add(self, record: Record) -> Kept:
        """Seal a record and add it; it is on the disk when this returns.

        Raises
        ------
        LogbookUnusable
            Where the database or the key's folder refuses; then nothing was added.
        ValueError
            Where ``told`` is not plain JSON, or holds a number that is not finite.

        """
        told = json.dumps(record.told, allow_nan=False)
        with self._key.alone(), self._in_words():
            with self._engine.begin() as connection:
                newest = connection.execute(
                    select(records.c.number, records.c.seal)
                    .where(records.c.key_id == self._key.key_id)
                    .order_by(records.c.number.desc())
                    .limit(1)
                ).one_or_none()
                head = self._key.head()
                if newest is not None and newest.number > head.number:  # the head's note came to a power cut
                    head = Head(newest.number, newest.seal)
                row = {
                    "key_id": self._key.key_id,
                    "number": head.number + 1,
                    "at": record.at.astimezone(UTC),
                    "kind": record.kind.value,
                    "probe": record.probe,
                    "identity": record.identity,
                    "person": record.person,
                    "simulated": record.is_simulated,
                    "passed": record.passed,
                    "told": told,
                    "before": head.seal,
                }
                seal = self._key.seal(_sealed(row))
                connection.execute(insert(records).values(**row, seal=seal))
            try:
                self._key.note_head(Head(head.number + 1, seal))
            except LogbookUnusable as exc:  # the record stands, and the next one goes on after it
                log.warning("logbook.head_not_noted", number=head.number + 1, reason=str(exc))
        return Kept(number=head.number + 1, key_id=self._key.key_id, record=record, seal=seal)

    def read(self, wanted: Wanted | None = None) -> Findings:
        """Find records, and check all of this machine's chain on the way.

        Raises
        ------
        LogbookUnusable
            Where the database cannot be read.

        """
        wanted, chain, found = wanted or Wanted(), _Chain(), list[Kept]()
        with self._key.alone():  # nobody adds a record between the rows and the note of the newest
            with self._in_words(), self._engine.connect() as connection:
                ordered = select(records).order_by(records.c.key_id, records.c.number)
                for row in connection.execution_options(yield_per=100).execute(ordered).mappings():
                    doubt = self._check(row, chain)
                    # what a row tells is read only where it is wanted: that takes longer than its seal
                    if wanted.holds(row) and (kept := _kept(row, doubt, chain)) is not None:
                        found.append(kept)
            head = self._key.head()
        if head.number > chain.number:
            chain.faults.append(_missing(chain.number + 1, head.number))
        elif head.number == chain.number and head.seal not in chain.seals:
            chain.faults.append(f"record {head.number} is another than the one that was added last")
        elif head.number == 0 and chain.number > 1:  # the first record's note may have come to a power cut
            chain.faults.append(
                f"the note beside the key is gone: whether {chain.number} is the last, nobody can tell"
            )
        found.sort(key=lambda each: (each.record.at, each.key_id, each.number))
        return Findings(records=tuple(found), faults=tuple(chain.faults))

    def find(self, number: int | None = None, wanted: Wanted | None = None) -> Found | None:
        """Find a record of this machine by its number, or the newest that is wanted; None where there is none.

        Raises
        ------
        LogbookUnusable
            Where the database cannot be read.

        """
        named = self._name(number, wanted or Wanted())
        if named is None:
            return None
        beside = self.read(Wanted(probe=named["probe"], is_simulated=named["simulated"]))
        own = (each for each in beside.records if each.key_id == self._key.key_id)
        kept = next((each for each in own if each.number == named["number"]), None)
        return Found(kept=kept, beside=beside) if kept else None

    def _name(self, number: int | None, wanted: Wanted) -> RowMapping | None:
        """Look for a record by what stands beside what it tells, its seal not looked at."""
        rows = select(*(each for each in records.columns if each is not records.c.told))
        rows = rows.where(records.c.key_id == self._key.key_id).order_by(records.c.number.desc())
        if number is not None:
            rows = rows.where(records.c.number == number)
        with self._in_words(), self._engine.connect() as connection:
            return next((row for row in connection.execute(rows).mappings() if wanted.holds(row)), None)

    def _check(self, row: RowMapping, chain: _Chain) -> str:
        """Check a row's seal and place in the chain; give what is doubtful about it, or the empty string."""
        number, doubt = row["number"], ""
        if row["key_id"] != self._key.key_id:
            doubt = FOREIGN
        else:
            if number != chain.number + 1:
                chain.faults.append(_missing(chain.number + 1, number - 1))
            elif row["before"] not in chain.seals:
                chain.faults.append(f"record {number} was not added after the record that stands before it")
            computed = self._key.seal(_sealed(row))
            if computed != row["seal"]:
                doubt = CHANGED
                chain.faults.append(
                    f"record {number} of {row['at']:%Y-%m-%d %H:%M} was changed after it was sealed"
                )
            # of a changed record either may be what the next one was added after
            chain.number, chain.seals = number, frozenset({computed, row["seal"]})
        return doubt

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, ValueError) as exc:  # a column may hold what is none of its kind, as a time
            raise LogbookUnusable(f"the logbook cannot be used: {say(self._place, exc)}") from exc


def _sealed(row: Any) -> dict[str, Any]:
    """Give what a seal is made of: every column but the seal itself, as plain JSON."""
    return {
        column.name: row[column.name].isoformat() if column is records.c.at else row[column.name]
        for column in records.columns
        if column is not records.c.seal
    }


def _kept(row: RowMapping, doubt: str, chain: _Chain) -> Kept | None:
    """Read a row; None, and a fault, where somebody wrote what we never write."""
    number, record = row["number"], _record(row)
    if record is None:
        chain.faults.append(f"record {number} cannot be read any more")
        return None
    return Kept(number=number, key_id=row["key_id"], record=record, seal=row["seal"], doubt=doubt)


def _record(row: RowMapping) -> Record | None:
    try:
        told = msgspec.json.decode(row["told"])
        if not isinstance(told, dict):
            return None
        return Record(
            kind=Kind(row["kind"]),
            at=row["at"],
            probe=row["probe"],
            identity=row["identity"],
            person=row["person"],
            is_simulated=row["simulated"],
            passed=row["passed"],
            told=told,
        )
    except ValueError:
        return None


def _missing(first: int, last: int) -> str:
    return f"record {first} is missing" if first == last else f"records {first} to {last} are missing"


@contextmanager
def open_logbook(settings: LogbookSettings) -> Iterator[Logbook]:
    """Open the logbook that the site file names; it is made where there is none.

    Raises
    ------
    LogbookUnusable
        Where key or database cannot be used, it is a logbook of another version, or its key is gone: with a new
        one every record would be another machine's, and no change of it be told.

    """
    if settings.url is None and settings.database.exists() and not settings.key.exists():
        raise LogbookUnusable(
            f"{settings.key}: the key is gone that the logbook {settings.database} is sealed with: bring back its "
            "copy, or name another database in [logbook]"
        )
    key = SealKey.open(settings.key)
    if settings.url is None:
        try:
            settings.database.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise LogbookUnusable(f"{settings.database}: its folder cannot be made: {exc.strerror}") from exc
        place = sqlite_url(str(settings.database))
    else:
        place = postgresql_url(settings.url)
    try:
        engine = make_engine(place, synchronous="FULL")
    except ModuleNotFoundError as exc:
        raise LogbookUnusable(f"{plain(place)}: {DRIVER_MISSING}") from exc
    try:
        with key.alone():
            _prepare(engine, place)
        yield Logbook(engine, place, key)
    finally:
        engine.dispose()


def _prepare(engine: Engine, place: URL) -> None:
    try:
        with engine.begin() as connection:
            if not inspect(connection).has_table(about.name):
                metadata.create_all(connection)
                connection.execute(insert(about).values(version=VERSION))
            version = connection.execute(select(about.c.version)).scalar_one()
    except SQLAlchemyError as exc:
        raise LogbookUnusable(f"the logbook cannot be opened: {say(place, exc)}") from exc
    if version != VERSION:
        raise LogbookUnusable(
            f"{plain(place)}: a logbook of version {version}, wanted {VERSION}: name another database in [logbook]"
        )
