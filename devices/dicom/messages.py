"""What the node's process tells the service: one JSON object a line on standard output.

The settings go the other way, as the one line of JSON on its standard input that starts it.
"""

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct


class Need(StrEnum):
    """What the node needs beside its ports."""

    DISK = "disk"
    """Without room on it objects are refused."""
    INDEX = "index"
    """Without it objects are stored, and not found by queries until it is back."""
    OUTBOX = "outbox"
    """What it cannot send to other nodes waits."""
    WEB = "web"
    """Without it nothing goes by HTTP; associations do not need it."""


class Listening(Struct, frozen=True, kw_only=True, tag="listening", tag_field="event"):
    """The ports are open; ``port`` is the bound one, ``tls_port`` that for TLS, ``web_port`` for HTTP, or None."""

    host: str
    port: int
    tls_port: int | None = None
    web_port: int | None = None


IN_ANOTHER_STUDY: Final = "in another study"


class Conflict(Struct, frozen=True, kw_only=True, tag="conflict", tag_field="event"):
    """Two objects with other bytes under one UID are on the disk; what is stored in peace is not told singly.

    ``kept`` is ``conflict`` (the one that came is aside), ``replaced`` (it is in use, the one before it aside) or
    ``IN_ANOTHER_STUDY`` (both are in use, each in its study).
    """

    study_uid: str
    object_uid: str
    calling_ae: str
    path: str
    kept: str


class StudyComplete(Struct, frozen=True, kw_only=True, tag="study", tag_field="event"):
    """No more objects of a study seem to come.

    ``objects`` are its files in use, ``conflicts`` how many UIDs are those of several.
    """

    study_uid: str
    calling_ae: str
    objects: tuple[str, ...]
    reason: str
    conflicts: int = 0


class Refused(Struct, frozen=True, kw_only=True, tag="refused", tag_field="event"):
    """An association, or an object, that was not accepted; of many alike some only.

    ``total`` is how many were not accepted since the node began, this one and those not told included.
    """

    calling_ae: str
    address: str
    reason: str
    total: int


class Impaired(Struct, frozen=True, kw_only=True, tag="impaired", tag_field="event"):
    """Something that the node needs fails, in words; ``reason`` is empty when it is well again."""

    what: Need
    reason: str


class Workers(Struct, frozen=True, kw_only=True, tag="workers", tag_field="event"):
    """A worker was lost, or another is in its place: how many are ``missing`` now, and why."""

    missing: int
    reason: str


class Figures(Struct, frozen=True, kw_only=True, tag="figures", tag_field="event"):
    """How much has happened since the node began, and how it stands now.

    Attributes
    ----------
    associations_open
        Associations with consoles.
    associations_ended
        By how: ``released``, ``broken off``.
    refused
        Connections, associations, objects and requests, by cause.
    objects
        By what became of them.
    received_bytes
        Of all data sets.
    durable
        Objects by the time from the last byte until they were durable: one number for each of
        ``account.DURABLE_BOUNDS_S``, and one for what took longer.
    durable_s
        The sum of those times.
    free_bytes
        Room on the disk.
    index_waiting
        Objects without a row yet; None while the database is away or is compared with the folder.
    commitments_waiting
        Transactions of storage commitment that are not reported on yet.
    outbox_waiting
        Objects that are still to be sent to other nodes.
    outbox_since_s
        When the oldest order for them was given, in seconds of Unix time; None where none waits.

    """

    associations_open: int
    associations_ended: dict[str, int]
    refused: dict[str, int]
    objects: dict[str, int]
    received_bytes: int
    durable: tuple[int, ...]
    durable_s: float
    free_bytes: int
    index_waiting: int | None
    commitments_waiting: int
    outbox_waiting: int = 0
    outbox_since_s: float | None = None


class Failed(Struct, frozen=True, kw_only=True, tag="failed", tag_field="event"):
    """The node could not start, or ends, because of ``reason``."""

    reason: str


NodeMessage: TypeAlias = Listening | Conflict | StudyComplete | Refused | Impaired | Workers | Figures | Failed

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[NodeMessage] = msgspec.json.Decoder(NodeMessage)


def to_line(message: NodeMessage) -> bytes:
    """Encode a message with its line end."""
    return _encoder.encode(message) + b"\n"


def from_line(line: bytes) -> NodeMessage:
    """Decode one line; raises ``msgspec.DecodeError`` for anything that is no message of the node."""
    return _decoder.decode(line)
