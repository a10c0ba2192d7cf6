"""A procedure to be reported on: a node taken out and counted, a wrong label, a step taken with a reason."""

from io import BytesIO

from PIL import Image

from acquisition.paper.sheet import Sheet
from acquisition.session.journal import Journal
from acquisition.session.report import report_of
from acquisition.session.steps import Step
from display.report.sheet import lay_out
from tests.acquisition.resection.test_resection import running
from tests.acquisition.session.test_session import Theatre

PLACE = "St. Olav, Theatre 4"


def screenshot() -> bytes:
    """A picture as a display keeps it."""
    png = BytesIO()
    Image.new("RGB", (192, 108), (88, 28, 135)).save(png, "PNG")
    return png.getvalue()


def sheet(journal: Journal, number: int) -> Sheet:
    """The report of a procedure."""
    report = report_of(journal, number)
    assert report is not None
    return lay_out(report, place=PLACE, picture=journal.picture)


async def reported(journal: Journal, *, reason: str = "for a test", patient_name: str = "ANNA^A") -> Theatre:
    """A procedure that stands at in vivo, with one of everything that a report tells."""
    theatre = Theatre(journal)
    table, session = theatre.table, theatre.session
    session.note("started", {"session_id": "s", "simulated": True})
    await theatre.begin(patient_name=patient_name)
    await theatre.move(Step.PLAN)
    for step in (Step.TIME_OUT, Step.SKIN_SCAN, Step.INCISION, Step.IN_VIVO):
        await theatre.move(step, reason)
    mark = await session.mark(rate_cps=1243.2, tip_mm=(72.0, -84.0, 20.0))
    await journal.add_picture(mark, screenshot())
    async with running(table):
        await table.resection.remove("node")
        for counts in (500, 3, 20):
            table.resection.count_bench("specimen")
            table.count_bench(11, counts)
        table.resection.label(2, None)
        table.resection.discard(2)
        table.resection.count_bed(1)
        table.count_bed(30, 0.0)
        await table.until(lambda: table.resection.counting is None)
        await table.until(lambda: table.resection.comparisons)
    return theatre
