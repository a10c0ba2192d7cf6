"""The index is kept within the test: what comes, what is gone, and what is made up for, each with its audit."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devices.dicom.audit.trail import AuditTrail
from devices.dicom.index.catalogue import Catalogue
from devices.dicom.index.database import FOLDER, SQLITE_FILE, IndexUnavailable
from devices.dicom.index.reconciliation import Difference, reconcile
from devices.dicom.index.registrar import Registrar
from devices.dicom.index.tables import audit as audit_rows
from devices.dicom.storage.placement import StoredObject
from devices.dicom.storage.store import ObjectStore
from tests.devices.dicom.index.rows import rows, until

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@asynccontextmanager
async def keeping(folder: Path) -> AsyncIterator[Registrar]:
    """Have the index of a folder kept; nothing may be wrong with it."""
    audit = AuditTrail(folder, ae_title="RADIONAV", wall_time=lambda: NOW)
    registrar = Registrar(
        folder, None, audit=audit, tell=lambda said: pytest.fail(said) if said else None, notify=lambda _: None
    )
    running = asyncio.create_task(registrar.run())
    try:
        yield registrar
    finally:
        running.cancel()
        await asyncio.wait([running])
        await registrar.close()


def keep(folder: Path, one: Any) -> StoredObject:
    """Put an object into the store of a folder."""
    spool = ObjectStore(folder, free_floor_mb=0).begin(one.meta)
    spool.write(one.data_set)
    return spool.keep()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of a store with nothing in it."""
    with ObjectStore.open(tmp_path / "store", free_floor_mb=0):
        return tmp_path / "store"


async def test_what_never_stops_coming_has_its_rows(
    folder: Path, thing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects that come without a pause are in the index after the longest wait, not when the last has come."""
    monkeypatch.setattr("devices.dicom.index.registrar.QUIET_S", 0.05)
    monkeypatch.setattr("devices.dicom.index.registrar.LONGEST_WAIT_S", 0.2)

    async def go_on(registrar: Registrar) -> None:
        for number in range(10_000):
            registrar.note(keep(folder, thing(object_uid=f"1.2.3.{number}")))
            await asyncio.sleep(0.01)

    async with keeping(folder) as registrar:
        await until(folder, None, lambda found: not found)
        coming = asyncio.create_task(go_on(registrar))
        await until(folder, None, lambda found: found)
        assert not coming.done()
        coming.cancel()
        await asyncio.wait([coming])


async def test_more_than_are_remembered_are_found_in_the_folder(
    folder: Path, thing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where objects come faster than their rows can be written, none is left without one."""
    monkeypatch.setattr("devices.dicom.index.registrar.MOST_WAITING", 3)
    monkeypatch.setattr("devices.dicom.index.registrar.QUIET_S", 0.01)
    keep(folder, thing(study_uid="1.2.1"))
    async with keeping(folder) as registrar:
        await until(folder, None, len)  # the start has looked through the folder
        for number in range(10):
            registrar.note(keep(folder, thing(object_uid=f"1.2.3.{number}")))
        await until(folder, None, lambda found: len(found) == 11)


async def test_the_audit_in_the_index_is_that_of_the_trail(folder: Path, thing: Any) -> None:
    """An index made anew has what was deleted before; what the start finds missing is in both."""
    AuditTrail(folder, ae_title="RADIONAV", wall_time=lambda: NOW).deleted(
        "1.2.40", 7, deleted_by="ada@or3", reason="older than 30 days"
    )
    stored = keep(folder, thing())
    path = folder / stored.study_uid / stored.name
    async with keeping(folder):
        await until(folder, None, len)
    path.unlink()
    async with keeping(folder):
        await until(folder, None, lambda found: not found)
    noted = [(row["event"], row["study_uid"]) for row in rows(folder, table=audit_rows)]
    assert noted == [("110105", "1.2.40"), ("110103", "1.2.3")]
    trail = AuditTrail(folder, ae_title="RADIONAV").removals()
    assert [(removal.event, removal.study_uid) for removal in trail] == noted


async def test_an_index_of_another_version_is_made_anew(folder: Path, thing: Any) -> None:
    """Nobody reads tables that are not these; the next start fills them from the files."""
    keep(folder, thing())
    async with keeping(folder):
        await until(folder, None, len)
    with closing(sqlite3.connect(folder / FOLDER / SQLITE_FILE)) as connection, connection:
        connection.execute("update objects set calling_ae = 'LIE'")
        connection.execute("update about set version = 0")
    with pytest.raises(IndexUnavailable, match="not made yet"):
        rows(folder)
    async with keeping(folder):
        found = await until(folder, None, len)
    assert [row["calling_ae"] for row in found.values()] == ["CONSOLE"]


def test_what_is_missing_is_told_before_it_is_marked(folder: Path, thing: Any) -> None:
    """Killed in between, the next start tells of it: again rather than never."""

    class Killed(BaseException):
        """The end of the process."""

    told: list[str] = []

    def end(study_uid: str, paths: object) -> None:
        told.append(study_uid)
        if len(told) == 1:
            raise Killed

    stored = keep(folder, thing())
    path = folder / stored.study_uid / stored.name
    with closing(Catalogue.to_write(folder, None)) as catalogue:

        def look() -> None:
            reconcile(catalogue, folder, "1.2.3", Difference(), on_gone=end, at=NOW)

        look()
        path.unlink()
        with pytest.raises(Killed):
            look()
        look()
        look()
    assert told == ["1.2.3", "1.2.3"]
