"""Whether bytes are lines of text, and if not, what that says of the line's parameters."""

from dataclasses import dataclass
from typing import Final, Literal

TEXT: Final = bytes([2, 3, 9, 10, 13, *range(0x20, 0x7F)])
"""Printable characters, tabulators, line ends, and the STX and ETX that some put around a line."""
LEAST_SHARE: Final = 0.9
"""Of text in what is text: a start in the middle of a character costs some."""
LONGEST_LINE: Final = 256
LEAST_LINES: Final = 2
JUDGED: Final = 48
"""Bytes from which on it is judged that they are no text."""

Verdict = Literal["text", "even", "odd", "none", "too few"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at some bytes says.

    Attributes
    ----------
    verdict
        "text": lines of text. "even", "odd": text of seven bits with that parity. "none": neither.
        "too few": not enough to say.
    share
        Share of bytes that are text.
    lines
        Line ends seen.

    """

    verdict: Verdict
    share: float
    lines: int


def look(received: bytes) -> Look:
    """Judge bytes that were received as eight bits without parity, or with the right one."""
    share, lines = _share(received), _lines(received)
    stripped = bytes(number & 0x7F for number in received)
    is_text = share >= LEAST_SHARE
    if is_text and _is_cut(received):
        verdict: Verdict = "text"
    elif len(received) < JUDGED:
        verdict = "too few"
    elif not is_text and _share(stripped) < LEAST_SHARE:
        verdict = "none"
    elif not _is_cut(stripped):
        verdict = "too few" if len(received) <= 2 * LONGEST_LINE else "none"
    else:
        odd_share = sum(number.bit_count() % 2 for number in received) / len(received)
        verdict = "even" if odd_share <= 1 - LEAST_SHARE else "odd" if odd_share >= LEAST_SHARE else "none"
    return Look(verdict=verdict, share=share, lines=lines)


def _share(received: bytes) -> float:
    return 1 - len(received.translate(None, TEXT)) / len(received) if received else 0.0


def _lines(received: bytes) -> int:
    return received.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")


def _is_cut(received: bytes) -> bool:
    """Say whether lines end often enough."""
    return _lines(received) >= LEAST_LINES and len(received) <= LONGEST_LINE * (_lines(received) + 1)
