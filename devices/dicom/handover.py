"""What the node's processes tell each other: an association that goes to a worker, and what becomes of it."""

from typing import TypeAlias

import msgspec
from msgspec import Struct

LONGEST_BYTES = 65536


class Handover(Struct, frozen=True, kw_only=True):
    """An established association; its socket comes with the message.

    Attributes
    ----------
    session
        What the node calls it.
    calling_ae, address
        Who is at the other end.
    transfer_syntaxes
        Of each accepted presentation context.
    peer_maximum_bytes
        Longest PDU that the peer takes.
    pending
        What was read and not yet taken.

    """

    session: int
    calling_ae: str
    address: str
    transfer_syntaxes: dict[int, str]
    peer_maximum_bytes: int
    pending: bytes


class Kept(Struct, frozen=True, kw_only=True, tag="kept"):
    """An object was stored and is about to be acknowledged."""

    session: int
    study_uid: str
    object_uid: str
    path: str
    kept: str


class Turned(Struct, frozen=True, kw_only=True, tag="turned"):
    """Something was not accepted."""

    calling_ae: str
    address: str
    reason: str


class Ended(Struct, frozen=True, kw_only=True, tag="ended"):
    """An association has ended; ``acknowledged`` are objects by study."""

    session: int
    was_released: bool
    acknowledged: dict[str, int]


Told: TypeAlias = Kept | Turned | Ended

_encoder = msgspec.msgpack.Encoder()
_handovers = msgspec.msgpack.Decoder(Handover)
_tellings: msgspec.msgpack.Decoder[Told] = msgspec.msgpack.Decoder(Told)


def encode(message: Handover | Told) -> bytes:
    """Encode a message; one is one packet."""
    return _encoder.encode(message)


def decode_handover(packet: bytes) -> Handover:
    """Decode what the node tells a worker."""
    return _handovers.decode(packet)


def decode_told(packet: bytes) -> Told:
    """Decode what a worker tells the node."""
    return _tellings.decode(packet)
