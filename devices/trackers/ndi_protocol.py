r"""NDI's combined API on the wire: commands out, checked answers in; no port in sight.

A command is ``NAME:arguments``, the CRC of all that as four hexadecimal digits, CR. Written ``NAME arguments``,
with a space, it has no CRC. Each command is answered once, in one of two forms (ndicapi.cxx, ndiCommandVA and
ndiBXHelper; NDI, Combined Application Program Interface Guide):

- text, CRC as four digits, CR: ``OKAYA896\r``, ``ERROR0C…``;
- binary, little-endian: uint16 0xA5C4, uint16 length of the body, uint16 CRC of these four bytes, the body, uint16
  CRC of the body. 0xA5C8 starts the same with a uint32 length.

The CRC has the polynomial x¹⁶ + x¹⁵ + x² + 1, reflected, from zero: CRC-16/ARC.
"""

import re
import struct
from dataclasses import dataclass
from typing import Self

from fastcrc import crc16

from devices.errors import FrameError
from devices.framing import Arrivals

COMMAND = re.compile(rb"(?P<name>[A-Z][A-Z0-9]*)(?:(?P<mark>[: ])(?P<arguments>[\x20-\x7e]*))?")
SHORT_HEADER, LONG_HEADER = struct.Struct("<HHH"), struct.Struct("<HIH")
SHORT_START, LONG_START = 0xA5C4, 0xA5C8
BINARY_CRC = struct.Struct("<H")

LONGEST_ANSWER_BYTES = 1 << 16
"""A tracker follows some tens of tools, and each is reported in less than a hundred bytes."""


def checksum(raw: bytes) -> int:
    """CRC-16 of a command or an answer."""
    crc: int = crc16.arc(raw)
    return crc


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What the host asks: ``PENA`` with ``0AD`` is sent as ``PENA:0AD`` and its CRC."""

    name: str
    arguments: str = ""

    def to_bytes(self) -> bytes:
        """Encode with its CRC and end."""
        text = f"{self.name}:{self.arguments}".encode("ascii")
        return text + b"%04X\r" % checksum(text)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Decode without its CR; raise ``FrameError`` where it is no command or its CRC is wrong."""
        match = COMMAND.fullmatch(raw)
        if match is None:
            raise FrameError(f"no command: {raw[:40]!r}", raw)
        name, arguments = match["name"].decode("ascii"), (match["arguments"] or b"").decode("ascii")
        if match["mark"] != b":":
            return cls(name=name, arguments=arguments)
        text, crc = raw[:-4], raw[-4:]
        if crc != b"%04X" % checksum(text):
            raise FrameError(f"the CRC of {name} is wrong", raw)
        return cls(name=name, arguments=arguments[:-4])


def text_answer(text: bytes) -> bytes:
    """Encode an answer in words, with its CRC and end."""
    return text + b"%04X\r" % checksum(text)


def binary_answer(body: bytes) -> bytes:
    """Encode a binary answer, with both CRCs; the long form where the body needs it."""
    if len(body) <= 0xFFFF:
        start = struct.pack("<HH", SHORT_START, len(body))
    else:
        start = struct.pack("<HI", LONG_START, len(body))
    return start + BINARY_CRC.pack(checksum(start)) + body + BINARY_CRC.pack(checksum(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer whose CRC holds.

    Attributes
    ----------
    content
        The text or the body, without CRC.
    is_binary
        Which of the two it is.
    began_at_s
        When its first byte came, host monotonic clock, s.

    """

    content: bytes
    is_binary: bool
    began_at_s: float


class AnswerReader:
    """Puts one answer together from the pieces it comes in; ``clear`` before each command."""

    def __init__(self) -> None:
        self._held = Arrivals()

    def clear(self) -> None:
        """Forget what has come."""
        self._held.drop(len(self._held))

    def feed(self, chunk: bytes, arrived_at_s: float) -> Answer | None:
        """Take bytes whose first came at ``arrived_at_s``; give the answer that they complete.

        Raises
        ------
        FrameError
            Where a CRC is wrong, or the answer is longer than one can be. What has come is forgotten.

        """
        self._held.append(chunk, arrived_at_s)
        try:
            return self._binary() if self._held.peek(1) in {b"\xc4", b"\xc8"} else self._text()
        except FrameError:
            self.clear()
            raise

    def _text(self) -> Answer | None:
        end = self._held.find(b"\r")
        if end < 0:
            if len(self._held) > LONGEST_ANSWER_BYTES:
                raise FrameError("an answer without end", self._held.peek(80))
            return None
        frame = self._held.take(end)
        text, crc = frame.raw[:-4], frame.raw[-4:]
        if crc != b"%04X" % checksum(text):
            raise FrameError(f"the CRC of the answer {text[:40]!r} is wrong", frame.raw)
        return Answer(content=text, is_binary=False, began_at_s=frame.began_at_s)

    def _binary(self) -> Answer | None:
        layout = LONG_HEADER if self._held.peek(1) == b"\xc8" else SHORT_HEADER
        header = self._held.peek(layout.size)
        if len(header) < layout.size:
            return None
        start, length, crc = layout.unpack(header)
        if start not in {SHORT_START, LONG_START} or crc != checksum(header[:-2]):
            raise FrameError("the CRC of a binary answer's header is wrong", header)
        if length > LONGEST_ANSWER_BYTES:
            raise FrameError(f"an answer of {length} bytes; at most {LONGEST_ANSWER_BYTES} are taken", header)
        whole = layout.size + length + BINARY_CRC.size
        if len(self._held) < whole:
            return None
        frame = self._held.take(whole)
        body = frame.raw[layout.size : -BINARY_CRC.size]
        if BINARY_CRC.unpack(frame.raw[-BINARY_CRC.size :]) != (checksum(body),):
            raise FrameError("the CRC of a binary answer is wrong", frame.raw)
        return Answer(content=body, is_binary=True, began_at_s=frame.began_at_s)
