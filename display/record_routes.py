"""What the display's server answers of the procedure's record: its report, and pictures kept with its entries."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse

from acquisition.session.journal import Journal
from acquisition.session.report import Report, report_of
from display.bodies import bounded_body
from display.report_page import write_page

GREATEST_PICTURE = 4 * 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"
"""First bytes of a PNG file (ISO/IEC 15948, 5.2)."""

REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
"""A report is one file that can be kept anywhere: its style and pictures are in it, and no script runs in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRoutes:
    """Answers from the record; ``place`` is what stands at the head of a report."""

    journal: Journal
    place: Callable[[], str]

    async def keep_picture(self, seq: int, request: Request) -> Response:
        """Keep what a display showed when an entry was made."""
        body = await bounded_body(request, most=GREATEST_PICTURE)
        if body is None or not body.startswith(PNG):
            return PlainTextResponse(f"a picture is a PNG of at most {GREATEST_PICTURE} bytes", status_code=422)
        if self.journal.find(seq) is None:
            return PlainTextResponse(f"there is no entry {seq}", status_code=404)
        if self.journal.picture(seq) is not None:
            return PlainTextResponse(f"entry {seq} has its picture already", status_code=409)
        self.journal.add_picture(seq, body)
        return Response(status_code=204)

    async def report(self, number: int = 0) -> Response:
        """Give the report of a procedure, the last one where no number is given, as one HTML file."""
        found = self._find(number)
        if found is None:
            return PlainTextResponse("there is no such procedure", status_code=404)
        page = write_page(found, place=self.place(), picture=self.journal.picture)
        return Response(
            page, media_type="text/html; charset=utf-8", headers={"content-security-policy": REPORT_POLICY}
        )

    def _find(self, number: int) -> Report | None:
        number = number or self.journal.newest_of("begun")
        return report_of(self.journal, number) if number else None
