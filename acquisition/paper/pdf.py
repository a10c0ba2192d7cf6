"""A report as PDF/A, for an archive: tagged, with its fonts and pictures in it."""

import json
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import structlog
import typst
from PIL import Image, UnidentifiedImageError

from acquisition.paper.sheet import Cell, Figure, Section, Sheet, Table, Words

STANDARD: Final = "a-2a"
"""PDF/A-2, level A (ISO 19005-2): to be kept for decades, and read aloud."""

TEMPLATE: Final = Path(__file__).parent / "sheet.typ"

MOST_PIXELS: Final = 40_000_000
"""Of a picture: a screen of 8K has 33 million."""

BYTE_ORDER_MARK: Final = "\ufeff"
NO_LETTERS: Final = frozenset({"Cc", "Cn", "Co", "Cs"})
"""Unicode's general categories of what has no picture of its own."""

log = structlog.get_logger()


def write_pdf(sheet: Sheet, *, at: datetime) -> bytes:
    """Write a report as it is at a time; a picture that is broken is told of in its place."""
    pictures: dict[str, bytes] = {}
    told = {
        "title": _legible(sheet.title),
        "heading": sheet.heading,
        "simulated": sheet.simulated,
        "unfinished": sheet.unfinished,
        "footer": _legible(sheet.footer),
        "head": _tell_table(sheet.head),
        "sections": [_tell_section(each, pictures) for each in sheet.sections],
    }
    content = {TEMPLATE.name: TEMPLATE.read_bytes(), "sheet.json": json.dumps(told).encode(), **pictures}
    with TemporaryDirectory(prefix="radionav-report-") as folder:
        for name, written in content.items():
            (Path(folder) / name).write_bytes(written)
        return _compile(Path(folder), at=at.astimezone(UTC).replace(microsecond=0))


def _compile(folder: Path, *, at: datetime) -> bytes:
    """Set it with our own fonts; letters that these lack with the machine's; and any other as a box, PDF/A or not.

    PDF/A has no letter without its picture, and a report is wanted whatever somebody is called.
    """

    def compiled(*, standard: Literal["a-2a"] | None, is_ours_alone: bool) -> bytes:
        return typst.compile(
            folder / TEMPLATE.name,
            root=folder,
            ignore_system_fonts=is_ours_alone,
            format="pdf",
            pdf_standards=standard,
            timestamp=at,
        )

    try:
        return compiled(standard=STANDARD, is_ours_alone=True)
    except typst.TypstError:
        try:
            return compiled(standard=STANDARD, is_ours_alone=False)
        except typst.TypstError as exc:
            log.warning("report is no PDF/A", reason=exc.message)
            return compiled(standard=None, is_ours_alone=False)


def _tell_section(section: Section, pictures: dict[str, bytes]) -> dict[str, Any]:
    figures, broken = [], []
    for each in section.figures:
        if _is_whole(each):
            file = f"picture-{len(pictures)}.{each.kind}"
            pictures[file] = each.image
            figures.append(
                {"file": file, "caption": _legible(each.caption), "columns": 2 if each.kind == "svg" else 1}
            )
        else:
            broken.append(f"The picture of {_legible(each.caption)} is broken or too large.")
    return {
        "title": section.title,
        "words": " ".join((section.words, *broken)).strip(),
        "table": _tell_table(section.table) if section.table and section.table.rows else None,
        "figures": figures,
    }


def _tell_table(table: Table) -> dict[str, Any]:
    return {
        "heads": table.heads,
        "rows": [[{"words": _tell_cell(cell)} for cell in row] for row in table.rows],
        "is_warning": table.is_warning,
        "widths": [_weigh(column) for column in zip(*_lines(table), strict=True)],
    }


def _lines(table: Table) -> list[list[str]]:
    rows = [["".join(words.text for words in cell) for cell in row] for row in table.rows]
    return [list(table.heads), *rows] if table.heads else rows


def _weigh(column: Iterable[str]) -> int:
    """Give a column its part of the width, by the letters of its longest cell."""
    return 6 + min(60, max(map(len, column)))


def _tell_cell(cell: Cell) -> list[dict[str, str]]:
    return [_tell(words) for words in cell]


def _tell(words: Words) -> dict[str, str]:
    return {"text": _legible(words.text), "look": words.look}


def _legible(text: str) -> str:
    """Put the replacement character in the place of what is no letter: controls, halves of pairs, private use."""
    return "".join(map(_letter, text.replace("\t", " ")))


def _letter(letter: str) -> str:
    is_none = letter == BYTE_ORDER_MARK or unicodedata.category(letter) in NO_LETTERS
    return "\ufffd" if is_none and letter != "\n" else letter


def _is_whole(figure: Figure) -> bool:
    if figure.kind == "svg":
        return True
    try:
        with Image.open(BytesIO(figure.image), formats=["PNG"]) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return False
            opened.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True
