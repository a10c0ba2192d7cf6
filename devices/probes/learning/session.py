"""A recorded session with an instrument: all bytes as they came, and when; JSON lines that anybody can read.

The first line says how the port was open, ``{"at_s": 0.0, "port": …, "baud_rate": 9600, "character": "8N1"}``; a
later one of the same kind says that it was opened anew, and what came before belongs to a rate that was no good.
The others are ``{"at_s": 1.204, "received": "43 50 53"}``, ``{"at_s": …, "sent": "…"}`` and ``{"at_s": …, "event":
"source"}``: from here on a source was held to it. Times are seconds from the beginning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from pydantic import BaseModel, ConfigDict

from devices.links import Character, Chunk


class SessionError(Exception):
    """Raised where a recorded session cannot be read; the message says file, line and what is wrong."""


class Record(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    at_s: float
    port: str | None = None
    baud_rate: int | None = None
    character: Character | None = None
    received: str | None = None
    sent: str | None = None
    event: Literal["source"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What came at one bit rate.

    Attributes
    ----------
    baud_rate, character
        As the port was open.
    chunks
        Bytes and when they came, s from the beginning.
    source_at_s
        Since when a source was held to it; None where none was.

    """

    baud_rate: int
    character: Character
    chunks: Sequence[Chunk]
    source_at_s: float | None = None

    @property
    def received(self) -> bytes:
        """All bytes."""
        return b"".join(chunk.received for chunk in self.chunks)


class _Telling:
    """Makes a session of its records."""

    def __init__(self) -> None:
        self._opened: Record | None = None
        self._chunks: list[Chunk] = []
        self._source_at_s: float | None = None

    def tell(self, record: Record) -> None:
        """Take the next record; ``ValueError`` where its bytes are none."""
        if record.baud_rate is not None:
            self._opened, self._chunks, self._source_at_s = record, [], None
        if record.event == "source":
            self._source_at_s = record.at_s
        if received := bytes.fromhex(record.received or ""):
            self._chunks.append(Chunk(received=received, arrived_at_s=record.at_s))

    def session(self) -> Session | None:
        """Give what has come since the port was opened last; None where it never was."""
        if self._opened is None:
            return None
        return Session(
            baud_rate=self._opened.baud_rate or 0,
            character=self._opened.character or "8N1",
            chunks=tuple(self._chunks),
            source_at_s=self._source_at_s,
        )


class SessionFile:
    """Writes a session as it happens, so that what has come is kept whatever happens next.

    Parameters
    ----------
    file
        Where to; stays open.
    began_at_s
        The beginning, host monotonic clock, s.

    """

    def __init__(self, file: TextIO, *, began_at_s: float) -> None:
        self._file = file
        self._began_at_s = began_at_s
        self._telling = _Telling()

    @property
    def session(self) -> Session:
        """What has come since the port was opened last."""
        return self._telling.session() or Session(baud_rate=0, character="8N1", chunks=())

    def opened(self, at_s: float, *, port: str, baud_rate: int, character: Character) -> None:
        """Note how the port is open from now on."""
        self._write(Record(at_s=self._since(at_s), port=port, baud_rate=baud_rate, character=character))

    def received(self, chunk: Chunk) -> None:
        """Keep what came."""
        self._write(Record(at_s=self._since(chunk.arrived_at_s), received=chunk.received.hex(" ")))

    def sent(self, at_s: float, sent: bytes) -> None:
        """Keep what was sent."""
        self._write(Record(at_s=self._since(at_s), sent=sent.hex(" ")))

    def source(self, at_s: float) -> None:
        """Note that a source is held to it from now on."""
        self._write(Record(at_s=self._since(at_s), event="source"))

    def _since(self, at_s: float) -> float:
        return round(at_s - self._began_at_s, 6)

    def _write(self, record: Record) -> None:
        self._telling.tell(record)
        self._file.write(record.model_dump_json(exclude_none=True) + "\n")
        self._file.flush()


def read_session(path: Path) -> Session:
    """Read what came since the port was opened last; ``SessionError`` with file and line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise SessionError(f"{path}: cannot be read: {exc}") from exc
    telling = _Telling()
    for number, line in enumerate(lines, 1):
        try:
            telling.tell(Record.model_validate_json(line))
        except ValueError as exc:
            raise SessionError(
                f"{path}, line {number}: is no line of a session that `radionav instrument learn` recorded"
            ) from exc
    session = telling.session()
    if session is None:
        raise SessionError(f"{path}: does not say how the port was open: is it a recorded session?")
    return session
