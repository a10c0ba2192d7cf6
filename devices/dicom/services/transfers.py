"""What an association has stored so far, on the disk while it is open: a kill must not lose who brought what.

The audit trail notes a transfer when its association ends. Until then a file of its own has a line for each
object, written before that is acknowledged; where the node ended before the note, its next start makes up for it.
"""

import binascii
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec
import structlog
from msgspec import Struct

from devices.dicom.audit.days import FOLDER as AUDIT_FOLDER
from devices.dicom.audit.trail import AuditTrail
from devices.dicom.storage.durability import write_whole

FOLDER: Final = f"{AUDIT_FOLDER}/open"

log = structlog.get_logger()


class _Sender(Struct, frozen=True, kw_only=True):
    """First line of the file: who sends, and from where."""

    calling_ae: str
    address: str


class OpenTransfer:
    """The file of one association.

    Parameters
    ----------
    folder
        The store's.
    calling_ae, address
        Who sends.

    Attributes
    ----------
    name
        What the transfer is called, here and in the audit trail: 32 hexadecimal digits.

    """

    def __init__(self, folder: Path, *, calling_ae: str, address: str) -> None:
        self.name = uuid4().hex
        self._path = f"{folder}/{FOLDER}/{self.name}"
        self._sender = _Sender(calling_ae=calling_ae, address=address)
        self._is_begun = False

    def add(self, study_uid: str) -> None:
        """Note an object that is on the disk; one that cannot be noted is acknowledged all the same."""
        try:
            head = b""
            if not self._is_begun:
                Path(self._path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                head = msgspec.json.encode(self._sender) + b"\n"
            # the file is not kept open: a console has many associations
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # one write, which a kill cannot cut
                write_whole(descriptor, head + study_uid.encode() + b"\n")
            finally:
                os.close(descriptor)
            self._is_begun = True
        except OSError as exc:
            log.warning("a kill would lose the note of a transfer", path=self._path, reason=str(exc))


def forget(folder: Path, name: str) -> None:
    """Remove the file of a transfer that the audit trail has."""
    (folder / FOLDER / name).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    path: Path
    sender: _Sender
    objects: Counter[str]
    last_at: datetime


def make_up(folder: Path, audit: AuditTrail) -> None:
    """Note the transfers that an earlier end has left open, each study once; for whoever has the folder's lock.

    A transfer whose note was written, and whose file was not removed yet, is not noted again.
    """
    for left in _left_open(folder):
        try:
            noted = audit.noted(left.path.name, since=left.last_at - timedelta(days=1))  # clocks are set
            objects = {study_uid: count for study_uid, count in left.objects.items() if study_uid not in noted}
            audit.transferred(
                left.sender.calling_ae,
                left.sender.address,
                objects,
                was_released=False,
                name=left.path.name,
                described="the node ended before the association did; noted at its next start",
            )
            left.path.unlink(missing_ok=True)
        except OSError as exc:
            log.warning("the next start notes a transfer", path=str(left.path), reason=str(exc))


def _left_open(folder: Path) -> Iterator[_Left]:
    for path in sorted((folder / FOLDER).glob("*")):
        try:
            binascii.unhexlify(path.name)
            head, *studies, _ = path.read_text(encoding="utf-8").split("\n")
            sender = msgspec.json.decode(head, type=_Sender)
            last_at = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
        except (ValueError, msgspec.DecodeError, OSError) as exc:  # cut short by a failing disk
            log.warning("a transfer that was left open cannot be read", path=str(path), reason=str(exc))
            continue
        yield _Left(path=path, sender=sender, objects=Counter(studies), last_at=last_at)
