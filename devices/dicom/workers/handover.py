"""What the node's processes tell each other: an association that goes to a worker, and what happens there."""

from typing import TypeAlias

import msgspec
from msgspec import Struct

from devices.dicom.services.events import Event

LONGEST_BYTES = 65536


class Handover(Struct, frozen=True, kw_only=True, tag="handover"):
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


class Dismissal(Struct, frozen=True, kw_only=True, tag="dismissal"):
    """An association that is to end, and why."""

    session: int
    reason: str


Order: TypeAlias = Handover | Dismissal


_encoder = msgspec.msgpack.Encoder()
_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_events: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


def encode(message: Order | Event) -> bytes:
    """Encode a message; one is one packet."""
    return _encoder.encode(message)


def decode_order(packet: bytes) -> Order:
    """Decode what the node tells a worker."""
    return _orders.decode(packet)


def decode_event(packet: bytes) -> Event:
    """Decode what a worker tells the node."""
    return _events.decode(packet)
