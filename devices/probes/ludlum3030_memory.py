"""The memory of a Ludlum 3030: the samples in it, and which of them are new and can be believed.

A sample is a line of 59 bytes, CR LF included (Model 3030 & 3030E manual)::

    ssss MM/DD/YY HH:MM:SS aaaaaa bbbbbb ttttt.t x cccccccccc

number, its own calendar, alpha and beta, count time (s), S (scaler counts), C (cpm) or D (dpm), comment.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final, Literal, Self

from devices.errors import FrameError

LOOKS: Final = 3
"""Answers in a row that have a line before it is believed."""
LONGEST_MEMORY: Final = 250
"""Samples: more than 15 s of the line."""
WHOLE: Final = 57
"""Characters of a sample without CR LF."""
GREATEST: Final = 999_999
"""Counts of a channel that six digits can tell."""
UNCOMMENTED: Final = 46
"""Of these, those before the comment, which may be written later."""

SAMPLE: Final = re.compile(
    # whether a number is filled up with blanks or zeros is not documented
    rb"(?=[ \d]{3}\d )(?P<number> *\d+) (?P<date>[ \d]\d/\d\d/\d\d) (?P<time>[ \d]\d:\d\d:\d\d) "
    rb"(?=[ \d]{5}\d )(?P<alpha> *\d+) (?=[ \d]{5}\d )(?P<beta> *\d+) "
    rb"(?=[ \d]{4}\d\.\d )(?P<seconds> *\d+\.\d) (?P<unit>[SCD]) (?P<comment>[\x20-\x7e]{10})"
)

Channel = Literal["beta", "alpha", "sum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One logged count.

    Attributes
    ----------
    number
        As it counts them, 0 to 9999.
    date, time
        Of its own calendar, ``MM/DD/YY`` and ``HH:MM:SS``; whether of the beginning or the end is not documented.
    alpha, beta
        What its two channels counted.
    seconds
        Count time, s.
    unit
        ``S``: alpha and beta are counts. ``C``, ``D``: per minute, as counted or disintegrations.
    comment
        Ten characters.

    """

    number: int
    date: str
    time: str
    alpha: int
    beta: int
    seconds: float
    unit: str = "S"
    comment: str = " " * 10

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read a line without its end; ``FrameError`` for anything else."""
        match = SAMPLE.fullmatch(raw)
        if match is None or not float(match["seconds"]):
            raise FrameError(f"no Ludlum 3030 sample: {raw[:80]!r}", raw)
        return cls(
            number=int(match["number"]),
            date=match["date"].decode(),
            time=match["time"].decode(),
            alpha=int(match["alpha"]),
            beta=int(match["beta"]),
            seconds=float(match["seconds"]),
            unit=match["unit"].decode(),
            comment=match["comment"].decode(),
        )

    def to_bytes(self) -> bytes:
        """Write the line as it does, with its end."""
        counted = f"{self.number:04} {self.date} {self.time} {self.alpha:06} {self.beta:06}"
        return f"{counted} {self.seconds:07.1f} {self.unit} {self.comment:<10.10}\r\n".encode()

    def is_full(self, channel: Channel) -> bool:
        """Whether a channel that is read may have counted more than its digits tell."""
        read = {"alpha": (self.alpha,), "beta": (self.beta,), "sum": (self.alpha, self.beta)}[channel]
        return max(read) >= GREATEST

    def counts(self, channel: Channel) -> int:
        """Give the counts of a channel."""
        return {"alpha": self.alpha, "beta": self.beta, "sum": self.alpha + self.beta}[channel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A sample that is new, and the time at which it was not there yet, s."""

    sample: Sample
    not_yet_s: float


class Memory:
    """What is known of the memory, from one whole answer to the next.

    What stands in the first of ``LOOKS`` answers that only grew is history. A line that comes later is new once
    it has stood in as many in a row and nothing before it is in doubt: a changed digit is there once, and what is
    damaged may be a sample that came before. A sample is known by all that stands before its comment, so that one
    is not told twice, whatever became of its number, and that two of one number are two.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, None] = {}
        self._first: deque[tuple[Sequence[bytes], float]] = deque(maxlen=LOOKS)
        self._looked_at_s = -inf
        self._doubted: dict[bytes, tuple[int, float]] = {}
        self.is_known = False
        """Whether it is known what is history."""

    @property
    def is_settled(self) -> bool:
        """Whether all that stood in the last answer is known."""
        return self.is_known and not self._doubted

    def line_of(self, raw: bytes) -> tuple[bytes, bool]:
        """Give what a line is known by, and whether it is a sample or another one that is known already."""
        uncommented = raw[:UNCOMMENTED]
        if (len(raw) == WHOLE and uncommented in self._known) or SAMPLE.fullmatch(raw):
            return uncommented, True
        return raw, raw in self._known

    def compare(self, lines: Sequence[bytes], asked_at_s: float) -> Iterator[Found]:
        """Take a whole answer to what was asked then; give what is new, in its order."""
        if not self.is_known:
            self._learn(lines, asked_at_s)
            return
        before, self._doubted = self._doubted, {}
        for line in lines:
            if line in self._known:
                continue
            looks, not_yet_s = before.get(line, (0, self._looked_at_s))
            if looks + 1 < LOOKS or self._doubted:
                self._doubted[line] = looks + 1, not_yet_s
                continue
            self._know(line)
            with suppress(FrameError):  # what is no sample is a line of its memory all the same
                sample = Sample.from_bytes(line.ljust(WHOLE))
                yield Found(sample=sample, not_yet_s=not_yet_s)
        # a line that was there and is not told now may be one that this answer has lost
        if not self._doubted and all(line in self._known for line in before):
            self._looked_at_s = asked_at_s

    def _learn(self, lines: Sequence[bytes], asked_at_s: float) -> None:
        self._first.append((lines, asked_at_s))
        history, began_s = self._first[0]
        if len(self._first) < LOOKS or any(later[: len(history)] != history for later, _ in self._first):
            return
        self.is_known, self._looked_at_s = True, began_s
        for line in history:
            self._know(line)
        for line in lines[len(history) :]:
            looks = sum(line in later for later, _ in self._first)
            self._doubted[line] = looks, began_s

    def _know(self, line: bytes) -> None:
        """Know a line; of far more than it can hold the oldest is forgotten."""
        self._known[line] = None
        if len(self._known) > 2 * LONGEST_MEMORY:
            del self._known[next(iter(self._known))]
