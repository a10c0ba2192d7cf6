"""Asking every worklist at once, each a real DICOM peer on loopback: one that fails costs its own entries."""

import asyncio
import socket
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom.sequence import Sequence as Items
from pynetdicom import evt
from pynetdicom.sop_class import ModalityWorklistInformationFind  # type: ignore[attr-defined]

from acquisition.session import worklist
from acquisition.session.worklist import NO_WORKLIST, ask_worklists
from tests.acquisition.test_exchange import node, serving
from tests.devices.dicom.clients.conftest import data_set

ON = date(2026, 1, 5)


def scheduled(patient: str, time: str) -> Any:
    step = data_set(ScheduledProcedureStepStartDate="20260105", ScheduledProcedureStepStartTime=time)
    return data_set(PatientID=patient, PatientName="Doe^Jane", ScheduledProcedureStepSequence=Items([step]))


async def test_all_are_asked_for_the_day_and_listed_by_time(tmp_path: Path) -> None:
    """Two answer, one with an entry that cannot be read; one is away: three entries and two sentences."""
    days: list[str] = []

    def early(event: Any) -> Iterator[Any]:
        days.append(event.identifier.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate)
        yield 0xFF00, scheduled("P3", "1200")
        yield 0xFF00, scheduled("P1", "0800")
        yield 0x0000, None

    def late(event: Any) -> Iterator[Any]:
        yield 0xFF00, scheduled("P2", "0900")
        yield 0xFF00, data_set(PatientID="P9")
        yield 0x0000, None

    role = {"roles": ["worklist"]}
    model = ModalityWorklistInformationFind
    with serving(model, (evt.EVT_C_FIND, early)) as one, serving(model, (evt.EVT_C_FIND, late)) as two:
        settings = node(tmp_path, role | {"port": one}, role | {"port": two}, role | {"port": 1}, {"port": 1})
        found = await ask_worklists(settings, ON)
    assert [step.patient_id for step in found.steps] == ["P1", "P2", "P3"]
    assert days == ["20260105"]
    unread, away = found.troubles
    assert unread.startswith("peer2: an entry was left out")
    assert away.startswith("peer3 (PEER at 127.0.0.1:1)")


async def test_without_a_worklist_it_is_said_what_to_write(tmp_path: Path) -> None:
    """No storage node, or no peer of that role."""
    for settings in (None, node(tmp_path, {"port": 1, "roles": ["archive"]})):
        assert (await ask_worklists(settings, ON)).troubles == (NO_WORKLIST,)


async def test_who_no_longer_asks_waits_for_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that ends while a worklist hangs: the call is ended, and its thread with it."""
    monkeypatch.setattr(worklist, "CONNECT_S", 1000.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # noqa: FBT003 - the standard library
        peer = {"roles": ["worklist"], "port": listener.getsockname()[1], "connect_time_s": 60}
        asking = asyncio.create_task(ask_worklists(node(tmp_path, peer), ON))
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        with connection:
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            async with asyncio.timeout(50):
                await asyncio.get_running_loop().shutdown_default_executor()
