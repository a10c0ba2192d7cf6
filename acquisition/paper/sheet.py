"""A report in words, tables and pictures, whatever it is written as."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Words:
    """A run of words that look alike; ``struck`` is what holds no longer."""

    text: str
    look: Literal["plain", "bold", "struck"] = "plain"


Cell: TypeAlias = tuple[Words, ...]
"""Runs one after the other; a line break is a new line in their text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under their heads; none of both where the first column says what a row is."""

    heads: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    is_warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture with its caption."""

    caption: str
    image: bytes
    kind: Literal["png", "svg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part under a title: words, a table, pictures, in this order."""

    title: str
    words: str = ""
    table: Table | None = None
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A report, ready to be written.

    Attributes
    ----------
    name
        Of its file, without what it ends in.
    title, heading
        Of the file, and of the first page.
    simulated, unfinished
        Warnings above everything; empty where they do not hold.
    head
        Of whom or what it is, where and when.
    sections
        In their order; none is empty.
    footer
        At the foot of each page.

    """

    name: str
    title: str
    heading: str
    simulated: str
    unfinished: str
    head: Table
    sections: tuple[Section, ...]
    footer: str


def table(heads: tuple[str, ...], rows: Iterable[Iterable[str | Cell]], *, is_warning: bool = False) -> Table:
    """Make a table of plain words, and of cells that look otherwise."""
    cells = tuple(tuple((Words(cell),) if isinstance(cell, str) else cell for cell in row) for row in rows)
    return Table(heads=heads, rows=cells, is_warning=is_warning)
