"""The report: what was found, with counts, limits, times and persons; no script, and no name is markup."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from acquisition.session.journal import Journal, open_journal
from acquisition.session.report import report_of
from acquisition.session.steps import Step
from display.report_page import write_page
from tests.acquisition.resection.test_resection import running
from tests.acquisition.session.test_session import SURGEON, Theatre

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty record."""
    with open_journal(tmp_path / "record.sqlite", now=lambda: datetime.now(tz=UTC)) as opened:
        yield opened


def written(journal: Journal, number: int) -> str:
    report = report_of(journal, number)
    assert report is not None
    return write_page(report, place="St. Olav, Theatre 4", picture=journal.picture)


async def test_a_whole_procedure_is_told(journal: Journal) -> None:
    """Targets with place and bed, specimens with counts and shares, overrides with reason and person, pictures."""
    theatre = Theatre(journal)
    table, session = theatre.table, theatre.session
    session.note("started", {"session_id": "s", "simulated": True})
    await theatre.begin()
    await theatre.move(Step.PLAN)
    await theatre.move(Step.TIME_OUT, "bleeding <b>")
    for step in (Step.SKIN_SCAN, Step.INCISION, Step.IN_VIVO):
        await theatre.move(step, "for a test")
    mark = await session.mark(rate_cps=1243.2, tip_mm=(72.0, -84.0, 20.0))
    journal.add_picture(mark, PNG)
    async with running(table):
        await table.resection.remove("node")
        for counts in (500, 3):
            table.resection.count_bench("specimen")
            table.count_bench(11, counts)
        table.resection.label(2, None)
        table.resection.discard(2)
        table.resection.count_bed(1)
        table.count_bed(30, 0.0)
        await table.until(lambda: table.resection.counting is None)
    page = written(journal, session.procedure.number)
    for words in (
        "SIMULATED",
        "Not ended: it stands at in vivo",
        "ANNA, A, ID A-1",
        "removed: less than a tenth is left",
        "10000 in 10.0 s",
        "1000.0 ± 10.0 /s",
        "<s>node</s> none",
        "discarded by",
        "bleeding &lt;b&gt;",
        f"{SURGEON}, ",
        "1243 /s",
        "72, -84, 20",
        "data:image/png;base64,iVBOR",
    ):
        assert words in page, words
    assert "<script" not in page
    assert "http" not in page, "a report that is kept for years fetches nothing"
    await theatre.move(Step.ENDED, "called off")
    assert "Not ended" not in written(journal, session.procedure.number)


async def test_words_from_outside_are_text(journal: Journal) -> None:
    """A name, a reason and a device's fault that hold markup are shown as they are written."""
    theatre = Theatre(journal)
    evil = "<img src=x onerror=alert(1)>"
    await theatre.session.begin(patient_id=evil, patient_name=f"{evil}^A", study_uid=evil)
    theatre.session.note("alert", {"device": evil, "state": "lost", "detail": evil})
    await theatre.session.mark(rate_cps=None, tip_mm=None)
    await theatre.move(Step.ENDED, evil)
    page = written(journal, theatre.session.procedure.number)
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x") >= 5
