"""The report as PDF, read back by another library: every word, in Cyrillic too, its pictures, and no markup."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader

from acquisition.paper.page import write_page
from acquisition.paper.pdf import write_pdf
from acquisition.patient import Patient
from acquisition.session.journal import Journal, open_journal
from acquisition.session.steps import Step
from tests.acquisition.session.test_session import SURGEON, Theatre
from tests.display.reported import PLACE, reported, screenshot, sheet

WRITTEN_AT = datetime(2026, 1, 5, 12, 30, 0, 500, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty record."""
    with open_journal(tmp_path / "record.sqlite", now=lambda: datetime.now(tz=UTC)) as opened:
        yield opened


def read(journal: Journal, number: int) -> PdfReader:
    return PdfReader(BytesIO(write_pdf(sheet(journal, number), at=WRITTEN_AT)), strict=True)


def said(reader: PdfReader) -> str:
    """All its words; where a line was broken is the layout's affair."""
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


async def test_a_whole_procedure_is_told(journal: Journal) -> None:
    """Found where, counts with times, overrides and by whom, a Cyrillic name and reason, and two pictures."""
    theatre = await reported(journal, reason="кровотечение", patient_name="СОКОЛОВА^Анна")
    reader = read(journal, theatre.session.procedure.number)
    words = said(reader)
    for expected in (
        "SIMULATED: no patient, no measurement",
        "Not ended: it stands at in vivo",
        "СОКОЛОВА, Анна, ID A-1",
        PLACE,
        "removed: less than a tenth is left",
        "quality check: 1 steps passed on",
        "10000 in 10.0 s",
        "1000.0 ± 10.0 /s",
        "discarded by",
        "кровотечение",
        SURGEON,
        "1243 /s",
        "72, -84, 20",
        "is not a certified medical device",
    ):
        assert expected in words, expected
    assert reader.metadata is not None
    assert reader.metadata.title == "СОКОЛОВА, Анна, A-1"
    pictures = [image for page in reader.pages for image in page.images]
    assert [image.image.size for image in pictures if image.image] == [(192, 108)]
    assert "tenth of the hottest" in words
    await theatre.move(Step.ENDED, "called off")
    assert "Not ended" not in said(read(journal, theatre.session.procedure.number))


async def test_it_says_what_the_page_says(journal: Journal) -> None:
    """Every heading and every cell, so that it matters to nobody which of the two is kept."""
    theatre = await reported(journal)
    laid_out = sheet(journal, theatre.session.procedure.number)
    page, pdf = write_page(laid_out), said(read(journal, theatre.session.procedure.number)).replace(" ", "")
    cells = [cell for each in laid_out.sections if each.table for row in each.table.rows for cell in row]
    assert len(cells) > 50
    for title in (each.title for each in laid_out.sections):
        assert title in page
        assert title.replace(" ", "") in pdf
    for words in (run.text for cell in cells for run in cell):
        assert "".join(words.split()) in pdf, words


async def test_it_can_be_kept_for_decades(journal: Journal) -> None:
    """PDF/A-2a by its own word: every font is in it, tagged to be read aloud, the same bytes each time."""
    theatre = await reported(journal)
    reader = read(journal, theatre.session.procedure.number)
    metadata = reader.xmp_metadata
    assert metadata is not None
    assert b"pdfaid:part" in metadata.stream.get_data()
    fonts = [font.get_object() for page in reader.pages for font in page["/Resources"]["/Font"].values()]  # type: ignore[index]
    assert fonts
    for font in fonts:
        (descendant,) = font["/DescendantFonts"]
        assert {"/FontFile2", "/FontFile3"} & set(descendant.get_object()["/FontDescriptor"])
    assert reader.root_object["/MarkInfo"]["/Marked"]  # type: ignore[index]
    laid_out = sheet(journal, theatre.session.procedure.number)
    assert write_pdf(laid_out, at=WRITTEN_AT) == write_pdf(laid_out, at=WRITTEN_AT)


async def test_words_from_outside_are_text(journal: Journal) -> None:
    """Names and reasons that hold the typesetter's own language, or letters of a script it has no font for."""
    theatre = Theatre(journal)
    evil = '#panic("x") *b* $x$ `y` <z> \\ @ref "quoted" = h'
    await theatre.session.begin(Patient(patient_id=evil, name=f"{evil}^A"), study_uid="1.1")
    theatre.session.note("alert", {"device": evil, "state": "lost", "detail": evil})
    await theatre.move(Step.ENDED, evil)
    words = said(read(journal, theatre.session.procedure.number))
    assert words.count(evil) >= 4


@pytest.mark.parametrize(
    ("name", "read_back"),
    [
        ("\u5c71\u7530^\u592a\u90ce", ""),
        ("Nina \U0001f600", "Nina"),
        ("A\x00\x07B\ufeff\ue000\uffff", "A\ufffd\ufffdB\ufffd\ufffd\ufffd"),
        ("\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05dc\u05d5\u05dd"),
    ],
)
async def test_whatever_somebody_is_called_there_is_a_report(journal: Journal, name: str, read_back: str) -> None:
    """Letters that no font has, and what is no letter: all else of the report is there."""
    theatre = Theatre(journal)
    await theatre.session.begin(Patient(patient_id="A-1", name=name), study_uid="1.1")
    await theatre.move(Step.ENDED, "called off")
    words = said(read(journal, theatre.session.procedure.number))
    assert "ID A-1" in words
    assert "called off" in words
    assert read_back in words


async def test_a_broken_picture_costs_the_picture(journal: Journal) -> None:
    """It is told of where it would be, and all else is there."""
    theatre = Theatre(journal)
    await theatre.begin()
    vast = BytesIO()
    Image.new("1", (8000, 6000)).save(vast, "PNG")
    for png in (screenshot()[:-30], b"\x89PNG\r\n\x1a\n" + bytes(20), vast.getvalue(), screenshot()):
        await journal.add_picture(await theatre.session.mark(rate_cps=None, tip_mm=None), png)
    reader = read(journal, theatre.session.procedure.number)
    assert said(reader).count("is broken or too large") == 3
    assert sum(len(page.images) for page in reader.pages) == 1
