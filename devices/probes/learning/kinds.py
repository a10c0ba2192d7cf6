"""What the lines of a session are: those that count, others that come again, banners, damaged ones."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from devices.framing import Frame
from devices.probes.learning.checksums import Found, find_checksum
from devices.probes.learning.fields import CHECK_NAME, DECIMAL, Field, escape, read_fields
from devices.probes.learning.lines import LEAST_LINES, Kind, Split, sort_lines, split
from devices.probes.learning.roles import Judgement, judge

COMMON: Final = 0.8
"""Share of lines with the same word or length, from which on others are damaged."""
RARE: Final = 0.1
"""Share of the most frequent lines, below which others may be damaged ones of them."""
LIKE: Final = 0.7
"""Share of neighbouring bytes that a damaged line still has in common with whole ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How lines of one kind are read.

    Attributes
    ----------
    kind
        The lines, without damaged ones.
    pattern
        Of the whole line.
    fields, judgements
        Its fields, and what each is likely to be.
    checksum
        What ends it, where a rule fits.

    """

    kind: Kind
    pattern: str
    fields: Sequence[Field]
    judgements: Sequence[Judgement]
    checksum: Found | None

    @property
    def best(self) -> Judgement | None:
        """The field that most speaks for as what counts; of equals the first."""
        likely = [one for one in self.judgements if one.score > 0]
        return max(likely, key=lambda one: one.score, default=None)

    def matches(self, raw: bytes) -> bool:
        """Say whether a line is of this kind and whole."""
        return re.fullmatch(self.pattern.encode("latin-1"), raw) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A line of no kind that comes again.

    Attributes
    ----------
    raw
        The line.
    is_greeting
        Whether it came before all others, or after a pause: as an instrument says when it starts.

    """

    raw: bytes
    is_greeting: bool


def read_kinds(frames: Sequence[Frame], source_at_s: float | None) -> list[Reading]:
    """Read each kind of line that came often enough, the most frequent first; the first line may be half a one."""
    kinds = [kind for kind in sort_lines(frames[1:]) if len(kind.splits) >= LEAST_LINES]
    return [_read(kind, source_at_s) for kind in kinds if not _is_spoilt(kind, kinds[0])]


def find_strays(frames: Sequence[Frame], readings: Sequence[Reading]) -> list[Stray]:
    """Find lines that no kind explains, without the half line at the beginning and lines that are damaged ones."""
    period_s = min((reading.kind.gap_s for reading in readings), default=1.0)
    known = [any(reading.matches(frame.raw) for reading in readings) for frame in frames]
    wholes = {_normal(frame.raw) for frame, is_known in zip(frames, known, strict=True) if is_known}
    strays, has_counted, is_greeting = [], False, True
    for place, (frame, is_known) in enumerate(zip(frames, known, strict=True)):
        if place and frame.began_at_s - frames[place - 1].began_at_s > 2.5 * period_s:
            is_greeting = True
        if is_known:
            has_counted, is_greeting = True, False
            continue
        if not _is_damaged(frame.raw, wholes, is_first=place == 0):
            strays.append(Stray(raw=frame.raw, is_greeting=is_greeting or not has_counted))
    return strays


def _read(kind: Kind, source_at_s: float | None) -> Reading:
    sound = _sound(kind.splits)
    found = find_checksum([one.frame.raw for one in sound])
    if found is not None:
        sound = [one for one in sound if found.fits(one.frame.raw)]
        bodies = [split(Frame(raw=one.frame.raw[: -found.tail], began_at_s=one.frame.began_at_s)) for one in sound]
        tail = sound[0].frame.raw[-found.tail :]
        digits = re.match(rb"[0-9A-Fa-f]+", tail)
        length = digits.end() if digits else 0
        pattern, fields = read_fields(_sound(bodies))
        pattern += f"(?P<{CHECK_NAME}>[0-9A-Fa-f]{{{length}}}){escape(tail[length:])}"
        bodies = _sound(bodies)
    else:
        bodies = list(sound)
        pattern, fields = read_fields(bodies)
    whole = Kind(splits=bodies)
    judgements = [judge(field, whole.times_s, source_at_s) for field in fields]
    return Reading(kind=whole, pattern=pattern, fields=fields, judgements=judgements, checksum=found)


def _is_spoilt(kind: Kind, most: Kind) -> bool:
    """Say whether a kind is a rare one of lines that look like most, but for what they lost."""
    wholes = {_normal(one.frame.raw) for one in most.splits[:20]}
    is_rare = len(kind.splits) < RARE * len(most.splits)
    return is_rare and all(_is_damaged(one.frame.raw, wholes, is_first=False) for one in kind.splits)


def _sound(splits: Sequence[Split]) -> list[Split]:
    """Leave out the few lines of which a word, a length, a form or a mark differs while nearly all agree."""
    shape = Counter(one.shape for one in splits).most_common(1)[0][0]
    sound = [one for one in splits if one.shape == shape]
    for place in range(len(sound[0].cells)):
        for key in (_word, len, _form):
            sound = _agreeing(sound, [key(one.cells[place]) for one in sound])
        sound = _agreeing(sound, [_mark(one.marks[place]) for one in sound])
    return sound


def _agreeing(splits: list[Split], keys: Sequence[object]) -> list[Split]:
    counted = Counter(keys)
    common, times = counted.most_common(1)[0]
    if common is None or times < max(COMMON * len(keys), LEAST_LINES):
        return splits
    rare = {key for key, number in counted.items() if number <= max(1, len(keys) // 25)}
    return [one for one, key in zip(splits, keys, strict=True) if key not in rare]


def _word(text: bytes) -> bytes | None:
    return None if DECIMAL.fullmatch(text) else text


def _form(text: bytes) -> bytes:
    """Write hexadecimal digits as zeros: a flipped bit makes other letters of decimal digits."""
    return re.sub(rb"[0-9A-Fa-f]+", b"0", text)


def _mark(text: bytes) -> bytes:
    return re.sub(rb" {2,}", b"  ", text)


def _normal(raw: bytes) -> bytes:
    return re.sub(rb"[0-9]+", b"0", raw)


def _is_damaged(raw: bytes, wholes: set[bytes], *, is_first: bool) -> bool:
    """Say whether a line is a known one that lost its beginning, its end or some bytes within."""
    normal = _normal(raw)
    if is_first and any(whole.endswith((normal, normal.lstrip(b"0"))) for whole in wholes):
        return True
    if any(not 0x20 <= number < 0x7F for number in raw.strip(b"\x02\x03")):
        return True
    return any(_pairs(normal, whole) >= LIKE for whole in wholes)


def _pairs(one: bytes, other: bytes) -> float:
    """Give the share of neighbouring bytes that two lines have in common (Dice's coefficient)."""
    first, second = Counter(pairwise(one)), Counter(pairwise(other))
    total = first.total() + second.total()
    return 2 * (first & second).total() / total if total else float(one == other)
