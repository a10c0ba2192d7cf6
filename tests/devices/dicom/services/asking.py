"""A console that asks for storage commitment and is told: by pynetdicom, and byte by byte."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.presentation import build_context, build_role

PUSH_MODEL, PUSH_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


class Told:
    """Reports that a console was told, and has answered.

    pynetdicom answers a report after its handler has returned, on another thread than the one that may release the
    association meanwhile; a release that comes in between is an event that its state machine does not know.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.reports: list[tuple[int, Dataset]] = []
        self._answered = 0

    @property
    def handlers(self) -> list[EventHandlerType]:
        """What pynetdicom is to call."""
        return [(evt.EVT_N_EVENT_REPORT, self.take), (evt.EVT_PDU_SENT, self.sent)]

    def take(self, event: Event) -> tuple[int, None]:
        """Take one, on pynetdicom's thread."""
        with self._changed:
            self.reports.append((event.event_type or 0, event.event_information))
        return 0x0000, None

    def sent(self, event: Event) -> None:
        """Note what the console has sent: after a report comes its answer."""
        with self._changed:
            if isinstance(event.pdu, P_DATA_TF):
                self._answered = len(self.reports)
                self._changed.notify_all()

    async def first(self) -> tuple[int, Dataset]:
        """Wait for the first, and until it is answered."""

        def wait() -> tuple[int, Dataset]:
            with self._changed:
                assert self._changed.wait_for(lambda: self._answered, 60)
                return self.reports[0]

        return await asyncio.to_thread(wait)


@contextmanager
def listening(told: Told, *, port: int = 0) -> Iterator[int]:
    """Listen for reports as a console's own port does: whoever calls must be the provider (PS3.4 J.3.3)."""
    entity = AE("CAMERA")
    entity.add_supported_context(PUSH_MODEL, [EXPLICIT, IMPLICIT], scu_role=False, scp_role=True)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=told.handlers)
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def asked(transaction_uid: str, *references: tuple[str, str]) -> Dataset:
    """Data set of an N-ACTION."""
    request = Dataset()
    request.TransactionUID = transaction_uid
    items = []
    for sop_class, object_uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, object_uid
        items.append(item)
    request.ReferencedSOPSequence = Sequence(items)
    return request


def associate(port: int, told: Told) -> Association:
    entity = AE("CAMERA")
    return entity.associate(
        "127.0.0.1",
        port,
        [build_context(PUSH_MODEL, [EXPLICIT, IMPLICIT])],
        ae_title="RADIONAV",
        ext_neg=[build_role(PUSH_MODEL, scu_role=True)],
        evt_handlers=told.handlers,
    )


def ask(association: Association, request: Dataset, *, action: int = 1) -> int:
    status, _ = association.send_n_action(request, action, PUSH_MODEL, PUSH_INSTANCE)
    return int(status.Status)


async def store(node: Any, thing: Any, console: Any, *object_uids: str) -> None:
    async with console(node.port) as raw:
        assert await raw.associate("CAMERA") == 2
        for uid in object_uids:
            assert await raw.store(thing(object_uid=uid)) == 0x0000
        await raw.release()


def _element(number: int, value: bytes) -> bytes:
    return b"\0\0" + number.to_bytes(2, "little") + len(value).to_bytes(4, "little") + value


def _uid(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


RAW_ACTION = b"".join(
    (
        _element(0x0003, _uid(PUSH_MODEL)),
        _element(0x0100, b"\x30\x01"),
        _element(0x0110, b"\x01\x00"),
        _element(0x0800, b"\x00\x00"),
        _element(0x1001, _uid(PUSH_INSTANCE)),
        _element(0x1008, b"\x01\x00"),
    )
)
"""An N-ACTION-RQ by hand (PS3.7 table 10.3-5)."""


def explicit(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    head = group.to_bytes(2, "little") + element.to_bytes(2, "little") + vr
    if vr == b"SQ":
        return head + b"\0\0\xff\xff\xff\xff" + value + bytes.fromhex("feffdde000000000")
    return head + len(value).to_bytes(2, "little") + value


def raw_request(transaction_uid: str, *object_uids: str) -> bytes:
    """Its data set, with sequence and items of undefined length."""
    items = (
        bytes.fromhex("feff00e0ffffffff")
        + explicit(8, 0x1150, b"UI", _uid(SECONDARY_CAPTURE))
        + explicit(8, 0x1155, b"UI", _uid(uid))
        + bytes.fromhex("feff0de000000000")
        for uid in object_uids
    )
    return explicit(8, 0x1195, b"UI", _uid(transaction_uid)) + explicit(8, 0x1199, b"SQ", b"".join(items))


RAW_REQUEST = raw_request("1.5.4", "1.2.3.1")
