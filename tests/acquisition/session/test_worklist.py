"""Asking every worklist at once, each a real DICOM peer on loopback: one that fails costs its own entries."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from pydicom.sequence import Sequence as Items
from pynetdicom import evt
from pynetdicom.sop_class import ModalityWorklistInformationFind  # type: ignore[attr-defined]

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
