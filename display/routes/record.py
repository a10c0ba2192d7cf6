"""What the display's server answers of the procedure's record: its report, and pictures kept with its entries."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse

from acquisition.paper.page import write_page
from acquisition.paper.pdf import write_pdf
from acquisition.paper.sheet import Sheet
from acquisition.session.journal import Journal, JournalUnusable
from acquisition.session.report import report_of
from display.access.admission import Visitor
from display.bodies import bounded_body
from display.discretion import Discretion
from display.report.sheet import lay_out

GREATEST_PICTURE = 4 * 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"
"""First bytes of a PNG file (ISO/IEC 15948, 5.2)."""

REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
"""A report is one file that can be kept anywhere: its style and pictures are in it, and no script runs in it."""

NO_PROCEDURE = "there is no such procedure"
NOT_ON_THE_TABLE = "this is of a patient who is not on the table: sign in as somebody who acts"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRoutes:
    """Answers from the record; ``place`` is what stands at the head of a report."""

    journal: Journal
    discretion: Discretion
    place: Callable[[], str]
    _writing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """One report at a time: each takes a thread for seconds where many pictures are in it."""

    async def keep_picture(self, seq: int, request: Request) -> Response:
        """Keep what a display showed when an entry was made."""
        body = await bounded_body(request, most=GREATEST_PICTURE)
        if body is None or not body.startswith(PNG):
            return PlainTextResponse(f"a picture is a PNG of at most {GREATEST_PICTURE} bytes", status_code=422)
        try:
            is_known = self.journal.find(seq) is not None
        except JournalUnusable as exc:
            return PlainTextResponse(str(exc), status_code=409)
        if not is_known:
            return PlainTextResponse(f"there is no entry {seq}", status_code=404)
        if refusal := await self.journal.add_picture(seq, body):
            return PlainTextResponse(refusal, status_code=409)
        return Response(status_code=204)

    async def report(self, request: Request, number: int = 0) -> Response:
        """Give the report of a procedure, the last one where no number is given, as one HTML file."""
        async with self._writing:
            sheet = await asyncio.to_thread(self._lay_out, request.state.visitor, number, self.place())
            if isinstance(sheet, Response):
                return sheet
            written = await asyncio.to_thread(write_page, sheet)
        return Response(
            written,
            media_type="text/html; charset=utf-8",
            headers={"content-security-policy": REPORT_POLICY},
        )

    async def report_pdf(self, request: Request, number: int = 0) -> Response:
        """Give the same report as PDF/A."""
        async with self._writing:
            sheet = await asyncio.to_thread(self._lay_out, request.state.visitor, number, self.place())
            if isinstance(sheet, Response):
                return sheet
            written = await asyncio.to_thread(write_pdf, sheet, at=datetime.now(tz=UTC))
        named = f'inline; filename="{sheet.name}.pdf"'
        return Response(written, media_type="application/pdf", headers={"content-disposition": named})

    def _lay_out(self, visitor: Visitor, number: int, place: str) -> Sheet | Response:
        """Read it from the record, or answer why not: pictures of megabytes, for a thread."""
        try:
            number = number or self.journal.newest_of("begun")
            report = report_of(self.journal, number) if number else None
            if report is None:
                return PlainTextResponse(NO_PROCEDURE, status_code=404)
            if not self.discretion.may_read_report(visitor, number):
                return PlainTextResponse(NOT_ON_THE_TABLE, status_code=403)
            return lay_out(report, place=place, picture=self.journal.picture)
        except JournalUnusable as exc:
            return PlainTextResponse(str(exc), status_code=409)
