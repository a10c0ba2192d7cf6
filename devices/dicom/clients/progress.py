"""How far an order of the outbox has come: the lines of its file, and what they say together."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from devices.dicom.clients.answers import Fate


class UnreadableOrder(ValueError):
    """Raised when the file of an order does not begin with one."""


class Request(Struct, frozen=True, kw_only=True, tag="request"):
    """What is to go where; ``objects`` are paths relative to the node's folder.

    ``asked_by`` is the person who asked, for the audit trail of every attempt; empty where that is not known.
    """

    study_uid: str
    destination: str
    objects: tuple[str, ...]
    asked_at: datetime
    asked_by: str = ""


class Noted(Struct, frozen=True, kw_only=True, tag="answer"):
    """What was answered to one object."""

    path: str
    fate: Fate
    status: int | None
    reason: str
    at: datetime


class Missed(Struct, frozen=True, kw_only=True, tag="missed"):
    """An attempt that the destination broke off, or never let begin."""

    reason: str
    at: datetime


class Audited(Struct, frozen=True, kw_only=True, tag="audited"):
    """How many stored objects the audit trail has been told of since the note before."""

    objects: int


Line: TypeAlias = Request | Noted | Missed | Audited

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an order has come.

    Attributes
    ----------
    request
        What was asked for.
    answers
        The newest answer to each object, by its path; the oldest answer first.
    missed
        Why the last attempt ended early; empty where an object was answered since.
    missed_at
        When.
    audited
        How many of the stored objects the audit trail tells of.

    """

    request: Request
    answers: dict[str, Noted]
    missed: str = ""
    missed_at: datetime | None = None
    audited: int = 0

    @property
    def waiting(self) -> tuple[str, ...]:
        """Objects still to be sent: never tried first, then longest ago, so that none stands in another's way."""
        untried = [path for path in self.request.objects if path not in self.answers]
        postponed = [path for path, answer in self.answers.items() if answer.fate is Fate.POSTPONED]
        return (*untried, *postponed)

    @property
    def unaudited(self) -> int:
        """How many objects are stored of which the audit trail does not tell yet."""
        return max(0, self.count(Fate.STORED) - self.audited)  # a power cut may take answers that it tells of

    def count(self, fate: Fate) -> int:
        """How many objects met that fate."""
        return sum(answer.fate is fate for answer in self.answers.values())

    def failures(self) -> Iterator[Noted]:
        """Answers to objects that the destination does not have."""
        return (answer for answer in self.answers.values() if answer.fate is not Fate.STORED)

    def after(self, line: Line) -> "Progress":
        """Give the progress that one more line makes of this one, which is not to be used any more."""
        match line:
            case Noted():
                self.answers.pop(line.path, None)
                self.answers[line.path] = line
                return replace(self, missed="", missed_at=None)
            case Missed():
                return replace(self, missed=line.reason, missed_at=line.at)
            case Audited():
                return replace(self, audited=self.audited + line.objects)
            case _:
                return self


def to_line(line: Line) -> bytes:
    """Encode a line of an order's file, with its end."""
    return _encoder.encode(line) + b"\n"


def read_progress(path: Path) -> Progress:
    """Read how far an order has come.

    Raises
    ------
    UnreadableOrder
        Where the file does not begin with an order.
    OSError
        Where it cannot be read, or is gone.

    """
    first, *rest = path.read_bytes().splitlines() or [b""]
    try:
        request = _decoder.decode(first)
    except msgspec.DecodeError as exc:
        raise UnreadableOrder(f"{path} holds no order: {exc}") from exc
    if not isinstance(request, Request):
        raise UnreadableOrder(f"{path} does not begin with what is to be sent")
    progress = Progress(request=request, answers={})
    for line in rest:
        with suppress(msgspec.DecodeError):  # torn by a power cut: its object is sent again
            progress = progress.after(_decoder.decode(line))
    return progress
