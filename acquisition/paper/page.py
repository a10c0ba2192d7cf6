"""A report as one HTML file that prints on A4: its style and its pictures are in it."""

import base64
from html import escape
from typing import Final

from acquisition.paper.sheet import Cell, Figure, Section, Sheet, Table

STYLE: Final = """
@page { size: A4; margin: 16mm }
body { font: 11pt/1.35 system-ui, "DejaVu Sans", sans-serif; color: #111; max-width: 190mm; margin: 8mm auto }
h1 { font-size: 17pt; margin: 0 0 2mm } h2 { font-size: 13pt; margin: 7mm 0 2mm; break-after: avoid }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 600; color: #444 }
th, td { padding: 1mm 2mm 1mm 0; border-bottom: .3mm solid #ccc; vertical-align: top } tr { break-inside: avoid }
td { white-space: pre-line }
.simulated { background: #581c87; color: #fff; padding: 2mm 4mm; font-weight: 700; letter-spacing: .1em }
.open { background: #ffb454; padding: 2mm 4mm; font-weight: 700 } .override { background: #fff3d6 }
figure { display: inline-block; width: 92mm; margin: 2mm 2mm 3mm 0; break-inside: avoid } img { width: 100% }
figcaption { color: #444; font-size: 9pt } s { color: #777 }
footer { margin-top: 8mm; color: #444; font-size: 9pt }
"""

MEDIA_TYPES: Final = {"png": "image/png", "svg": "image/svg+xml"}
TAGS: Final = {"plain": "{}", "bold": "<b>{}</b>", "struck": "<s>{}</s>"}


def write_page(sheet: Sheet) -> str:
    """Write a report."""
    parts = [
        _line("simulated", sheet.simulated),
        f"<h1>{escape(sheet.heading)}</h1>",
        _line("open", sheet.unfinished),
        _table(sheet.head),
        *(_section(each) for each in sheet.sections),
        f"<footer>{escape(sheet.footer)}</footer>",
    ]
    body = "\n".join(part for part in parts if part)
    head = f'<meta charset="utf-8"><title>{escape(sheet.title)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _line(css: str, words: str) -> str:
    return f'<p class="{css}">{escape(words)}</p>' if words else ""


def _section(section: Section) -> str:
    words = f"<p>{escape(section.words)}</p>" if section.words else ""
    table = _table(section.table) if section.table and section.table.rows else ""
    figures = "".join(_figure(each) for each in section.figures)
    return f"<section><h2>{escape(section.title)}</h2>{words}{table}{figures}</section>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in table.heads)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    css = ' class="override"' if table.is_warning else ""
    return f"<table{css}>{f'<tr>{head}</tr>' if head else ''}{body}</table>"


def _cell(cell: Cell) -> str:
    return "".join(TAGS[words.look].format(escape(words.text)) for words in cell)


def _figure(figure: Figure) -> str:
    source = f"data:{MEDIA_TYPES[figure.kind]};base64,{base64.b64encode(figure.image).decode()}"
    caption = escape(figure.caption)
    return f'<figure><img alt="{caption}" src="{source}"><figcaption>{caption}</figcaption></figure>'
