"""A connection on a thread: what it reads is whole however the stream is cut."""

import socket
import struct
import threading
from collections.abc import Iterable

import pytest

from devices.clock import monotonic
from devices.dicom.upper_layer.assembly import BUFFER_BYTES
from devices.dicom.upper_layer.associate import AcceptedContext, AssociateAccept, AssociateReject, AssociateRequest
from devices.dicom.upper_layer.fragments import Fragment
from devices.dicom.upper_layer.pdus import HEADER_BYTES, MAXIMUM_PDU_BYTES
from devices.dicom.upper_layer.thread_connection import ThreadConnection
from devices.dicom.upper_layer.timing import Timing
from devices.dicom.upper_layer.user import Channel, Work
from tests.devices.dicom.conftest import associate_request

RELEASE = b"\5\0\0\0\0\4\0\0\0\0"


class Taker:
    """Notes how long each fragment is, and how the association ended."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.end = ""

    def answer(self, association: Channel, request: AssociateRequest) -> AssociateAccept:  # noqa: ARG002
        """Accept."""
        contexts = tuple(
            AcceptedContext(context_id=one.context_id, transfer_syntax="1.2") for one in request.contexts
        )
        return AssociateAccept(
            contexts=contexts, roles=(), implementation_class_uid="1.2", implementation_version="X"
        )

    def accepted(self, association: Channel, accept: AssociateAccept) -> None:
        """Not asked."""

    def rejected(self, reject: AssociateReject) -> None:
        """Not asked."""

    def established(self, association: Channel) -> None:
        """Wait to be told something."""

    def take(self, fragment: Fragment) -> Work | None:
        """Note it."""
        self.lengths.append(len(fragment.content))
        return None

    def more(self) -> Work | None:
        """Have nothing to say."""
        return None

    def waited(self, turn_s: float) -> None:
        """Have all the time."""

    def ended(self, *, was_released: bool, reason: str) -> None:
        """Note why."""
        self.end = f"{was_released} {reason}"


class Portioned(socket.socket):
    """A socket whose first reads give so many bytes each, as a network may cut them."""

    def __init__(self, other: socket.socket, portions: Iterable[int]) -> None:
        super().__init__(fileno=other.detach())
        self._portions = list(portions)

    def recv_into(  # type: ignore[override]  # as it is called here
        self, buffer: memoryview, nbytes: int = 0, flags: int = 0
    ) -> int:
        """Read a portion, whole."""
        if self._portions and not flags:
            return super().recv_into(buffer, min(self._portions.pop(0), len(buffer)), socket.MSG_WAITALL)
        return super().recv_into(buffer, nbytes, flags)


def p_data(length: int) -> bytes:
    """Make a P-DATA-TF of so many bytes after its header: one fragment of a data set, not the last."""
    return struct.pack(">BxLLBB", 4, length, length - 4, 1, 0) + bytes(length - 6)


@pytest.mark.parametrize("cut", range(1, HEADER_BYTES))
def test_a_read_that_fills_the_buffer_behind_a_cut_header_goes_on(cut: int) -> None:
    """The PDU whose header was cut has no room behind those before it: they are taken first; nothing is lost."""
    ours, theirs = socket.socketpair()
    request = associate_request("RAW", "1.2", "RADIONAV", "1.2")
    first, whole = p_data(150), p_data(MAXIMUM_PDU_BYTES)
    portions = (len(request), len(first) + len(whole) + cut, BUFFER_BYTES)
    user = Taker()
    timing = Timing(artim_s=60, pdu_s=60, idle_s=60, total_s=600)
    connection = ThreadConnection(user, Portioned(ours, portions), timing=timing, clock=monotonic)
    serving = threading.Thread(target=connection.serve, daemon=True)
    serving.start()
    with theirs:
        theirs.settimeout(60)
        theirs.sendall(request)
        assert theirs.recv(4096)[:1] == b"\2"
        theirs.sendall(first + whole * 3 + RELEASE)
        assert theirs.recv(4096)[:1] == b"\6"
    serving.join(60)
    assert user.lengths == [144, *[MAXIMUM_PDU_BYTES - 6] * 3]
    assert user.end.startswith("True"), user.end
