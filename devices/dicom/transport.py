"""The node's sockets: pynetdicom's server with the limits that pynetdicom 3.0.4 itself lacks.

It trusts the length field of a PDU and buffers whatever follows, waits for ever for the rest of one, counts a
connection that says nothing as an association, and lets requests queue without bound. A socket that follows the
framing of PS3.8 9.3.1 (type, reserved, 32-bit length) can refuse all four.
"""

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from socketserver import BaseServer
from typing import Any, TypeAlias
from weakref import WeakSet

from pynetdicom.transport import ThreadedAssociationServer

from devices.clock import Clock, monotonic

MAXIMUM_PDU_BYTES = 131072
"""Offered to the peer. Never 0 for unlimited: GE scanners reject associations that carry it."""

ASSOCIATE_PDU_BYTES = 524288
"""Longest PDU of any other kind: 128 presentation contexts, each with 40 transfer syntaxes, fit."""

PDU_HEADER_BYTES = 6
P_DATA_TF = 0x04

Report: TypeAlias = Callable[[str, str], None]
"""Called with the peer's address and a sentence when a connection is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one peer may take.

    Attributes
    ----------
    unstored_bytes
        Bytes received on a connection and not yet dealt with.
    silent_connections
        Connections from one address that have not yet sent a whole PDU.
    pdu_time_s
        Time from the first byte of a PDU to its last.

    """

    unstored_bytes: int
    silent_connections: int
    pdu_time_s: float = 30.0


class PduBudget:
    """Follows the PDUs in a stream of bytes and refuses what exceeds the limits; knows no socket."""

    def __init__(self, limits: Limits, *, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._header = b""
        self._left = 0
        self._until_s = 0.0
        self._unstored = 0
        self._counting = threading.Lock()
        self.has_spoken = False

    def settle(self, size: int) -> None:
        """Note that ``size`` received bytes have been dealt with; may be called from another thread."""
        with self._counting:
            self._unstored = max(0, self._unstored - size)

    def wanted(self, size: int) -> int:
        """How many of ``size`` bytes may be read now: never past the end of the header or PDU at hand."""
        return min(size, self._left or PDU_HEADER_BYTES - len(self._header))

    def received(self, content: bytes) -> None:
        """Note what was read.

        Raises
        ------
        ConnectionAbortedError
            Where the peer announces too long a PDU or has sent more than the node holds for it.
        TimeoutError
            Where it did not complete a PDU in time.

        """
        if not self._left:
            if not self._header:
                self._until_s = self._clock() + self._limits.pdu_time_s
            self._header += content
            if len(self._header) == PDU_HEADER_BYTES:
                kind, length = struct.unpack(">BxL", self._header)
                self._header, self._left = b"", self._admitted(kind, length)
        else:
            self._left -= len(content)
            self.has_spoken = self.has_spoken or not self._left
        if self._clock() > self._until_s:
            raise TimeoutError(f"a PDU was not complete within {self._limits.pdu_time_s:g} s")

    def _admitted(self, kind: int, length: int) -> int:
        limit = MAXIMUM_PDU_BYTES if kind == P_DATA_TF else ASSOCIATE_PDU_BYTES
        if length > limit:
            raise ConnectionAbortedError(f"a PDU of {length} bytes was announced, {limit} is the greatest")
        with self._counting:
            self._unstored += length
        if self._unstored > self._limits.unstored_bytes:
            raise ConnectionAbortedError(
                f"an object of more than {self._limits.unstored_bytes // 1_000_000} MB (maximum_object_mb)"
            )
        return length


class PduSocket(socket.socket):
    """An accepted connection that hands out no more than a well-behaved peer would send."""

    peer: str
    budget: PduBudget
    report: Report
    has_ended: bool

    @classmethod
    def adopt(cls, accepted: socket.socket, *, peer: str, limits: Limits, report: Report) -> "PduSocket":
        """Take over an accepted socket, without Nagle's delay."""
        adopted = cls(fileno=accepted.detach())
        adopted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        adopted.settimeout(limits.pdu_time_s)
        adopted.peer = peer
        adopted.budget = PduBudget(limits, clock=monotonic)
        adopted.report = report
        adopted.has_ended = False
        return adopted

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive within the PDU at hand; an ``OSError`` here makes pynetdicom end the association."""
        try:
            content = super().recv(self.budget.wanted(bufsize), flags)
        except OSError:
            self.has_ended = True
            raise
        try:
            self.budget.received(content)
        except OSError as exc:
            self.has_ended = True
            self.report(self.peer, f"{exc}: connection dropped")
            raise
        self.has_ended = not content
        return content

    @property
    def is_silent(self) -> bool:
        """Whether it is open and has not sent a whole PDU."""
        return not (self.has_ended or self.budget.has_spoken or self.fileno() < 0)


class NodeServer(ThreadedAssociationServer):
    """Accepts connections for pynetdicom, within limits.

    One address may hold only a few connections that have not said anything, so that it cannot keep others out.
    """

    request_queue_size = 64
    daemon_threads = True

    def __init__(self, *args: Any, limits: Limits, report: Report, **kwargs: Any) -> None:
        self._limits = limits
        self._report = report
        self._accepted: WeakSet[PduSocket] = WeakSet()
        super().__init__(*args, **kwargs)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept one connection."""
        accepted, address = super().get_request()
        peer = str(address[0])
        return PduSocket.adopt(accepted, peer=peer, limits=self._limits, report=self._report), address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether this connection may begin an association."""
        peer = str(client_address[0])
        silent = [other for other in self._accepted if other.peer == peer and other.is_silent]
        if len(silent) >= self._limits.silent_connections:
            self._report(peer, f"{len(silent)} connections from there say nothing: one more was dropped")
            return False
        self._accepted.add(request)
        return True

    def shutdown(self) -> None:
        """Stop accepting and close the port."""
        # AssociationServer's own also takes itself off a list that only AE.start_server fills
        BaseServer.shutdown(self)
        self.server_close()
