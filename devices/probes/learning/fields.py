"""Fields of lines of one kind: what stands there, how it is written, and a pattern that reads it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from devices.probes.learning.lines import Split
from devices.probes.learning.words import KNOWN_PLACES

Form = Literal["whole", "decimal", "hexadecimal", "word"]

WHOLE: Final = re.compile(rb"\d+")
DECIMAL: Final = re.compile(rb"[+-]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+(?:[eE][+-]\d+)?)")
HEXADECIMAL: Final = re.compile(rb"[0-9A-Fa-f]+")
WORD: Final = re.compile(rb"[A-Za-z]+")
AFFIXED: Final = re.compile(rb"([A-Za-z]*)([+-]?[0-9.].*?)([A-Za-z]*)", re.DOTALL)
"""Letters that name a number, the number, and letters of its unit."""
LEAST_JOINED: Final = 8
"""Digits in a row from which on some that never change are taken for a field of their own."""
LEAST_TAIL: Final = 2
CHECK_NAME: Final = "check"
"""Group of the checksum at the end of a line."""
GREATEST_FLAG: Final = 2
"""Digits up to which a number that never changes is taken for a flag or a code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field.

    Attributes
    ----------
    name
        Of its group in the pattern.
    pattern
        What stands in the group.
    form
        How it is written.
    texts
        What stood there, line by line.
    hints
        Words that stand beside it, in small letters.

    """

    name: str
    pattern: str
    form: Form
    texts: tuple[bytes, ...]
    hints: frozenset[str]

    @property
    def is_constant(self) -> bool:
        """Whether it was always the same."""
        return len(set(self.texts)) == 1

    @property
    def values(self) -> NDArray[np.float64]:
        """Its numbers; of a word none."""
        if self.form == "word":
            return np.empty(0)
        if self.form == "hexadecimal":
            return np.array([int(text, 16) for text in self.texts], dtype=float)
        return np.array([float(text) for text in self.texts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a line: what stands there always, or a number or word without a name yet."""

    literal: bytes = b""
    pattern: str = ""
    form: Form | None = None
    texts: tuple[bytes, ...] = ()


def escape(text: bytes) -> str:
    """Write bytes as a regular expression that can stand in a TOML literal string."""
    return "".join(
        ("\\" if chr(number) in r"\.^$*+?{}[]|()" else "") + chr(number)
        if 0x20 <= number < 0x7F and number != ord("'")
        else f"\\x{number:02x}"
        for number in text
    )


def read_fields(splits: Sequence[Split]) -> tuple[str, list[Field]]:
    """Give the pattern of lines of one kind, and its fields in order."""
    columns = [tuple(one.cells[place] for one in splits) for place in range(len(splits[0].cells))]
    marks = [tuple(one.marks[place] for one in splits) for place in range(len(columns) + 1)]
    reading = _Reading()
    pattern = _read_mark(marks[0], is_end=True)
    for place, column in enumerate(columns):
        after = columns[place + 1] if place + 1 < len(columns) else ()
        unit = after[0] if len(set(after)) == 1 and WORD.fullmatch(after[0]) else b""
        if _is_clock(columns, marks, place):
            pattern += r"-?\d+"
        else:
            later = columns[place + 2][0] if place + 2 < len(columns) else b""
            pattern += reading.read(column, mark=marks[place + 1][0], unit=unit, names_next=later[:1].isdigit())
        pattern += _read_mark(marks[place + 1], is_end=place + 1 == len(columns))
    return pattern, reading.fields


class _Reading:
    """Names fields after the words before them, else after the unit behind them, else by their number."""

    def __init__(self) -> None:
        self.fields: list[Field] = []
        self._words: list[str] = []
        self._spent = b""

    def read(self, column: tuple[bytes, ...], *, mark: bytes, unit: bytes, names_next: bool) -> str:
        """Give the pattern of a cell.

        ``mark`` and then perhaps ``unit`` stand behind it, a word that may name the number behind it instead.

        """
        if column[0] == self._spent and len(set(column)) == 1:
            self._spent = b""
            return escape(column[0])
        is_known = bool(KNOWN_PLACES & {*self._words, unit.decode().lower(), mark[:1].decode("latin-1")})
        pieces = _read_cell(column, is_known=is_known)
        pattern, has_number = "", any(piece.form is not None for piece in pieces)
        for place, piece in enumerate(pieces):
            if piece.form is None:
                pattern += escape(piece.literal)
                if piece.literal.isalpha() and not (has_number and place):
                    self._words.append(piece.literal.decode().lower())
                continue
            suffix = pieces[-1].literal if pieces[-1].literal.isalpha() and place + 1 < len(pieces) else b""
            if not suffix and mark in {b"", b" "} and not (self._words and names_next):
                suffix = self._spent = unit
            self.fields.append(self._field(piece, suffix.decode().lower(), "%" if mark[:1] == b"%" else ""))
            pattern += f"(?P<{self.fields[-1].name}>{piece.pattern})"
            self._words = []
        return pattern

    def _field(self, piece: Piece, unit: str, mark: str) -> Field:
        assert piece.form is not None  # noqa: S101 - only those with a form are fields; for the type checker
        name = re.sub(r"\W+", "_", "_".join(self._words[-2:]) or unit)[:24] or f"field{len(self.fields) + 1}"
        if name in {CHECK_NAME, *(field.name for field in self.fields)}:
            name = f"{name}_{len(self.fields) + 1}"
        hints = frozenset({*self._words, "".join(self._words[-2:]), unit, mark} - {""})
        return Field(name=name, pattern=piece.pattern, form=piece.form, texts=piece.texts, hints=hints)


def _is_clock(columns: Sequence[tuple[bytes, ...]], marks: Sequence[tuple[bytes, ...]], place: int) -> bool:
    """Say whether a cell is a part of a time or a date: two digits beside a colon, or digits at a stroke."""
    beside = {marks[place][0], marks[place + 1][0]}
    is_number = all(WHOLE.fullmatch(text.lstrip(b"-")) for text in columns[place])
    is_short = all(len(text.lstrip(b"-")) == 2 for text in columns[place])
    return is_number and ((b":" in beside and is_short) or b"/" in beside)


def _read_mark(texts: Sequence[bytes], *, is_end: bool) -> str:
    """Give the pattern of what stands between two cells; blanks may be more or fewer where they were, or align."""
    if len(set(texts)) == 1:
        return " +".join(escape(part) for part in re.split(rb" {2,}", texts[0]))
    core = texts[0].replace(b" ", b"")
    if not core:
        return " *" if is_end else " +"
    return " *" + " *".join(escape(bytes([number])) for number in core) + " *"


def _read_cell(texts: tuple[bytes, ...], *, is_known: bool) -> list[Piece]:
    """Cut a cell into what never changes and what does; ``is_known``: it will change, by the words beside it."""
    if len(set(texts)) == 1 and not DECIMAL.fullmatch(texts[0]):
        match = AFFIXED.fullmatch(texts[0])
        if match is None or not DECIMAL.fullmatch(match[2]) or b"." not in match[2]:
            return [Piece(literal=texts[0])]
    if all(WORD.fullmatch(text) for text in texts):
        longest = max(len(text) for text in texts)
        return [Piece(pattern=f"[A-Za-z]{{1,{max(16, longest)}}}", form="word", texts=texts)]
    if len(set(texts)) == 1 and WHOLE.fullmatch(texts[0]) and len(texts[0]) <= GREATEST_FLAG and not is_known:
        return [Piece(literal=texts[0])]
    prefix, numbers, suffix = _strip(texts)
    head, numbers, tail = _part_joined(numbers)
    middle = _read_number(numbers)
    return [piece for piece in (_fixed(prefix), _fixed(head), middle, _fixed(tail + suffix)) if piece is not None]


def _fixed(text: bytes) -> Piece | None:
    return Piece(literal=text) if text else None


def _strip(texts: tuple[bytes, ...]) -> tuple[bytes, tuple[bytes, ...], bytes]:
    """Take letters that never change away from both ends of a number."""
    matches = [AFFIXED.fullmatch(text) for text in texts]
    found = [match for match in matches if match is not None]
    if len(found) < len(texts) or len({(match[1], match[3]) for match in found}) > 1:
        # the letters change: they are hexadecimal digits, or there is a name before them that no digit is
        shortest = min(len(text) for text in texts)
        changes = (place for place in range(shortest) if len({text[place] for text in texts}) > 1)
        name = re.match(rb".*[G-Zg-z]", texts[0][: next(changes, shortest)])
        length = name.end() if name else 0
        return texts[0][:length], tuple(text[length:] for text in texts), b""
    return found[0][1], tuple(match[2] for match in found), found[0][3]


def _part_joined(numbers: tuple[bytes, ...]) -> tuple[bytes, tuple[bytes, ...], bytes]:
    """Part numbers that stand together without a mark, where some of their digits never change."""
    lengths = {len(number) for number in numbers}
    if len(lengths) > 1 or len(set(numbers)) == 1:
        return b"", numbers, b""
    length = lengths.pop()
    is_fixed = [len({number[place] for number in numbers}) == 1 for place in range(length)]
    first, last = is_fixed.index(False), length - is_fixed[::-1].index(False)
    begin, end = 0, length
    zeros = len(numbers[0][:first]) - len(numbers[0][:first].rstrip(b"0"))
    if length >= LEAST_JOINED and zeros >= LEAST_TAIL and first > zeros and b"." not in numbers[0][:first]:
        begin = first - zeros
    point = numbers[0].find(b".")
    if 0 <= point < last and length - last >= LEAST_TAIL and numbers[0][last:].isdigit():
        end = last
    return numbers[0][:begin], tuple(number[begin:end] for number in numbers), numbers[0][end:]


def _read_number(texts: tuple[bytes, ...]) -> Piece:
    """Say how numbers are written, and give their pattern."""
    lengths = {len(text) for text in texts}
    count = _times(len(texts[0])) if len(lengths) == 1 else "+"
    if all(WHOLE.fullmatch(text) for text in texts):
        is_padded = len(lengths) == 1 and any(text.startswith(b"0") and len(text) > 1 for text in texts)
        return Piece(
            pattern=rf"\d{count}" if is_padded else rf"\d{{1,{_room(lengths)}}}", form="whole", texts=texts
        )
    if all(DECIMAL.fullmatch(text) for text in texts):
        return Piece(pattern=_decimal(texts), form="decimal", texts=texts)
    if all(HEXADECIMAL.fullmatch(text) for text in texts):
        return Piece(pattern=f"[0-9A-Fa-f]{count}", form="hexadecimal", texts=texts)
    return Piece(pattern=r"[!-~]+", form="word", texts=texts)


def _times(number: int) -> str:
    return f"{{{number}}}" if number > 1 else ""


def _room(lengths: set[int]) -> int:
    """Give digits that a number may have: more than were seen, and no more than counts have."""
    return min(max(max(lengths) + 4, 6), 18)


def _decimal(texts: tuple[bytes, ...]) -> str:
    """Give the pattern of decimals: as many digits behind the point as all had, a sign where one was seen."""
    if any(b"e" in text.lower() for text in texts):
        return r"[+-]?\d*\.?\d+[eE][+-]?\d+"
    sign = "[+-]?" if any(text[:1] in b"+-" for text in texts) else ""
    before = {len(text.lstrip(b"+-").partition(b".")[0]) for text in texts}
    behind = {len(text.partition(b".")[2]) for text in texts}
    is_padded = len(before) == 1 and any(text.startswith(b"0") and text[1:2].isdigit() for text in texts)
    whole = rf"\d{_times(min(before))}" if is_padded else r"\d{0,9}" if 0 in before else r"\d{1,9}"
    if len(behind) == 1:
        return rf"{sign}{whole}\.\d{_times(behind.pop())}"
    return rf"{sign}{whole}(?:\.\d+)?"
