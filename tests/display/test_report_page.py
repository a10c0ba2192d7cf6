"""The report as a page: what was found, with counts, limits, times and persons; no script, no name is markup."""

import asyncio
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import Request

from acquisition.paper.page import write_page
from acquisition.patient import Patient
from acquisition.session.journal import Journal, open_journal
from acquisition.session.steps import Step
from display.access.gate import THIS_MACHINE
from display.discretion import Discretion
from display.hub import Hub
from display.routes.record import RecordRoutes
from tests.acquisition.session.test_session import SURGEON, Theatre
from tests.display.reported import PLACE, reported, sheet


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty record."""
    with open_journal(tmp_path / "record.sqlite", now=lambda: datetime.now(tz=UTC)) as opened:
        yield opened


def written(journal: Journal, number: int) -> str:
    return write_page(sheet(journal, number))


async def test_a_whole_procedure_is_told(journal: Journal) -> None:
    """Targets with place and bed, specimens with counts and shares, overrides with reason and person, pictures."""
    theatre = await reported(journal, reason="bleeding <b>")
    page = written(journal, theatre.session.procedure.number)
    for words in (
        "SIMULATED",
        "Not ended: it stands at in vivo",
        "ANNA, A, ID A-1",
        "removed: less than a tenth is left",
        "quality check: 1 steps passed on",
        "10000 in 10.0 s",
        "1000.0 ± 10.0 /s",
        "<s>node</s> none",
        "discarded by",
        "bleeding &lt;b&gt;",
        f"{SURGEON}, ",
        "1243 /s",
        "72, -84, 20",
        "data:image/png;base64,iVBOR",
        "data:image/svg+xml;base64,",
    ):
        assert words in page, words
    overridden = [row for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL) if "bleeding" in row]
    assert [row.split("</td>")[0] for row in overridden] == ["<tr><td>time-out", "<tr><td>skin scan"]
    by_whom_and_when = re.compile(rf"<td>{re.escape(SURGEON)}, \d{{4}}-\d\d-\d\d \d\d:\d\d")
    assert all(map(by_whom_and_when.search, overridden))
    assert "<script" not in page
    assert "http" not in page, "a report that is kept for years fetches nothing"
    await theatre.move(Step.ENDED, "called off")
    assert "Not ended" not in written(journal, theatre.session.procedure.number)


async def test_words_from_outside_are_text(journal: Journal) -> None:
    """A name, a reason and a device's fault that hold markup are shown as they are written."""
    theatre = Theatre(journal)
    evil = "<img src=x onerror=alert(1)>"
    await theatre.session.begin(Patient(patient_id=evil, name=f"{evil}^A"), study_uid=evil)
    theatre.session.note("alert", {"device": evil, "state": "lost", "detail": evil})
    await theatre.session.mark(rate_cps=None, tip_mm=None)
    await theatre.move(Step.ENDED, evil)
    page = written(journal, theatre.session.procedure.number)
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x") >= 5


async def test_pictures_are_read_while_all_else_goes_on(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes its time with the report's pictures delays no frame, and no entry."""
    await reported(journal)
    reading, may_go_on, read = threading.Event(), threading.Event(), journal.picture

    def read_slowly(seq: int) -> bytes | None:
        reading.set()
        assert may_go_on.wait(30.0), "the loop waits for the picture"
        return read(seq)

    monkeypatch.setattr(journal, "picture", read_slowly)
    routes = RecordRoutes(journal=journal, discretion=Discretion(hub=Hub(), journal=journal), place=lambda: PLACE)
    asked = Request({"type": "http", "state": {"visitor": THIS_MACHINE}})
    async with asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(routes.report(asked))
        assert await asyncio.to_thread(reading.wait, 30.0)
        assert journal.add("alert", {"device": "gamma", "state": "lost", "detail": ""})
        may_go_on.set()
    assert b"data:image/png;base64,iVBOR" in answer.result().body
