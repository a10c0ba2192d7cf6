"""Lines of a session, sorted into kinds: the same marks in the same order, whatever stands between them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final, TypeAlias

from devices.framing import Frame, LineSplitter
from devices.links import Chunk

CELL: Final = re.compile(
    rb"(?:[+-](?=\.?\d))?(?:\d+\.\d+[eE][+-]?\d+|\d+[eE][+-]\d+|\.?[0-9A-Za-z]+(?:\.[0-9A-Za-z]+)*)"
)
"""A number, with sign and exponent, or a word; what stands between two is a mark."""
LEAST_LINES: Final = 5
"""Lines of a kind, below which nothing is said of its fields."""

Marks: TypeAlias = tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A line, cut.

    Attributes
    ----------
    frame
        The line and when it began.
    cells
        Numbers and words.
    marks
        What stands before, between and behind them: one more.

    """

    frame: Frame
    cells: tuple[bytes, ...]
    marks: Marks

    @property
    def shape(self) -> Marks:
        """The marks, however many blanks stand around them."""
        if not self.cells:
            return self.marks
        inner = (mark.replace(b" ", b"") or b" " * bool(mark) for mark in self.marks[1:-1])
        return (self.marks[0].strip(b" "), *inner, self.marks[-1].strip(b" "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Lines of one kind, in the order in which they came."""

    splits: Sequence[Split]

    @property
    def times_s(self) -> list[float]:
        """When each began."""
        return [split.frame.began_at_s for split in self.splits]

    @property
    def gap_s(self) -> float:
        """Time from line to line: the median, s; infinite where there are not two."""
        return median(after - before for before, after in pairwise(self.times_s)) if len(self.splits) > 1 else 1e9


def read_lines(chunks: Sequence[Chunk]) -> list[Frame]:
    """Cut what came into lines."""
    splitter = LineSplitter(greatest_length=256)
    return [frame for chunk in chunks for frame in splitter.feed(chunk.received, chunk.arrived_at_s)]


def name_line_end(received: bytes) -> str:
    """Say how lines end."""
    both, alone = received.count(b"\r\n"), received.count(b"\r") + received.count(b"\n")
    if both * 2 >= alone - 2:
        return "CR LF"
    return "CR" if received.count(b"\r") > received.count(b"\n") else "LF"


def split(frame: Frame) -> Split:
    """Cut a line into cells and marks."""
    found = list(CELL.finditer(frame.raw))
    edges = [0, *(edge for match in found for edge in match.span()), len(frame.raw)]
    marks = tuple(frame.raw[edges[place] : edges[place + 1]] for place in range(0, len(edges), 2))
    return Split(frame=frame, cells=tuple(match[0] for match in found), marks=marks)


def sort_lines(frames: Sequence[Frame]) -> list[Kind]:
    """Sort lines into kinds, the most frequent first.

    Lines with the same marks are one kind, unless they begin with different words that take turns: then each word
    names a kind of its own.
    """
    families: dict[Marks, list[Split]] = {}
    for frame in frames:
        one = split(frame)
        families.setdefault(one.shape, []).append(one)
    kinds = [kind for family in families.values() for kind in _part(family)]
    return sorted(kinds, key=lambda kind: -len(kind.splits))


def _part(family: list[Split]) -> list[Kind]:
    """Part a family by the first word that stands in the same place in all, if its values take turns."""
    places = [place for place in range(len(family[0].cells)) if all(one.cells[place].isalpha() for one in family)]
    if not places:
        return [Kind(splits=family)]
    words = [one.cells[places[0]] for one in family]
    turns = sum(before != after for before, after in pairwise(words))
    if turns * 2 <= len(family):
        return [Kind(splits=family)]
    return [Kind(splits=[one for one in family if one.cells[places[0]] == word]) for word in dict.fromkeys(words)]
