"""A peer that asks much and takes nothing: no more is made for it than it takes."""

import asyncio
import socket

from devices.clock import monotonic
from devices.dicom.upper_layer.associate import AcceptedContext, AssociateAccept, AssociateReject, AssociateRequest
from devices.dicom.upper_layer.fragments import Fragment
from devices.dicom.upper_layer.loop_connection import LoopConnection
from devices.dicom.upper_layer.timing import Timing
from devices.dicom.upper_layer.user import Channel, Work
from tests.devices.dicom.conftest import associate_request

PIECE = bytes(60_000)


class Fountain:
    """Whatever it is told, it says something without end."""

    def __init__(self) -> None:
        self.association: Channel | None = None
        self.said = 0
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def answer(self, association: Channel, request: AssociateRequest) -> AssociateAccept:
        """Accept."""
        self.association = association
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

    def take(self, fragment: Fragment) -> Work:  # noqa: ARG002 - the user's signature
        """Begin to speak."""
        return self._speak

    def more(self) -> Work:
        """Go on."""
        return self._speak

    def waited(self, turn_s: float) -> None:
        """Have all the time."""

    def ended(self, *, was_released: bool, reason: str) -> None:
        """Note why."""
        self.end.set_result(f"{was_released} {reason}")

    def _speak(self) -> "Fountain":
        return self

    def __call__(self) -> None:
        """Say one piece."""
        self.said += 1
        if self.association is not None:
            self.association.send(1, PIECE)


async def test_a_peer_that_does_not_read_is_waited_for_and_then_given_up() -> None:
    """What waits to be sent stays small, goes on when the peer reads, and ends with the time for silence."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)  # noqa: FBT003 - the standard library's signature
    timing = Timing(artim_s=5, pdu_s=5, idle_s=3, total_s=600)
    user = Fountain()
    loop = asyncio.get_running_loop()
    connection = LoopConnection(user, timing=timing, clock=monotonic)
    transport, _ = await loop.create_connection(lambda: connection, sock=ours)
    try:
        await loop.sock_sendall(theirs, associate_request("RAW", "1.2", "RADIONAV", "1.2"))
        await loop.sock_recv(theirs, 4096)
        await loop.sock_sendall(theirs, b"\4\0\0\0\0\7\0\0\0\3\1\3x")
        async with asyncio.timeout(60):
            while not connection.association.is_clogged:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.01)
        said = user.said
        assert transport.get_write_buffer_size() < 4 * len(PIECE)
        async with asyncio.timeout(60):
            while user.said < said + 5:
                await loop.sock_recv(theirs, 1 << 20)
            assert await user.end == "False silence for 3 s"
    finally:
        transport.abort()
        theirs.close()
        await asyncio.sleep(0)
