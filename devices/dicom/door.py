"""Where consoles come in: connections are counted, and turned away, before any work is done for them."""

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

import structlog

from devices.clock import Clock
from devices.dicom.upper_layer.loop_connection import LoopConnection
from devices.dicom.upper_layer.states import State
from devices.dicom.upper_layer.timing import Timing
from devices.dicom.upper_layer.user import User

BACKLOG = 128

SPARE_CONNECTIONS = 8
"""Connections from one address without an association, not yet or no more; the oldest makes room for one more."""

WAITING_CONNECTIONS = 64
"""Connections from anywhere without an association, beside those with one; the oldest makes room."""

EXHAUSTED_PAUSE_S = 0.1

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Who comes in, and how.

    Attributes
    ----------
    is_expected_from
        Whether anybody may call from an address.
    connections
        The most at a time.
    timing
        How long an association may take.
    disk
        Runs what waits for the disk.
    make_user
        Makes the user of an association with a console at an address.
    report
        Told the address and a sentence when a connection is refused.

    """

    is_expected_from: Callable[[str], bool]
    connections: int
    timing: Timing
    disk: Executor
    make_user: Callable[[str], User]
    report: Callable[[str, str], None]


class _Visitor:
    def __init__(self, connection: socket.socket, address: str) -> None:
        self.socket = connection
        self.address = address
        self.connection: LoopConnection | None = None
        self.beginning: asyncio.Task[None] | None = None

    @property
    def is_spare(self) -> bool:
        """Whether it has no association: it has not asked for one, or that is over and it does not hang up."""
        without = {State.IDLE, State.AWAITING_REQUEST, State.AWAITING_CLOSE}
        return self.connection is None or self.connection.association.state in without

    @property
    def is_heard(self) -> bool:
        """Whether all that it has said so far was read: it may have asked while the node was busy."""
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except OSError:  # nothing is there to be read, or it is closed
            return True

    def leave(self, reason: str) -> None:
        if self.connection is not None:
            self.connection.association.abort(reason)
        else:
            self.socket.close()
        if self.beginning is not None:  # a TLS handshake ends with it
            self.beginning.cancel()


class Door:
    """Accepts connections on listening sockets and makes associations of them.

    Parameters
    ----------
    admission
        Who comes in, and how.
    clock
        Host monotonic clock.

    """

    def __init__(self, admission: Admission, *, clock: Clock) -> None:
        self._admission = admission
        self._clock = clock
        self._visitors: list[_Visitor] = []

    async def serve(self, listener: socket.socket, *, tls: ssl.SSLContext | None = None) -> None:
        """Accept for ever; cancelling ends every association that came in here."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    try:
                        connection, place = await loop.sock_accept(listener)
                    except OSError as exc:
                        if exc.errno not in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                            log.warning("a connection could not be accepted", reason=str(exc))
                            continue
                        self._admission.report("", f"no room for one more connection: {exc}")
                        self._make_room(self._visitors)
                        await asyncio.sleep(EXHAUSTED_PAUSE_S)
                        continue
                    visitor = self._admit(connection, _plain_address(str(place[0])))
                    if visitor is not None:
                        name = f"dicom connection {visitor.address}"
                        visitor.beginning = tasks.create_task(self._begin(visitor, tls), name=name)
        finally:
            for visitor in list(self._visitors):
                visitor.leave("the node ends")

    def _admit(self, connection: socket.socket, address: str) -> _Visitor | None:
        reason = ""
        if not self._admission.is_expected_from(address):
            reason = "nobody may send from there"
        else:
            spare = [visitor for visitor in self._visitors if visitor.address == address and visitor.is_spare]
            # whoever means it speaks at once, also from where others say nothing
            if len(spare) >= SPARE_CONNECTIONS:
                self._make_room(spare, f"{len(spare)} connections from there say nothing")
            if len(self._visitors) >= self._admission.connections and not self._make_room(self._visitors):
                reason = f"{len(self._visitors)} connections are open already"
        if reason:
            connection.close()
            self._admission.report(address, reason)
            return None
        visitor = _Visitor(connection, address)
        self._visitors.append(visitor)
        return visitor

    def _make_room(self, visitors: Iterable[_Visitor], reason: str = "another connection needed the room") -> bool:
        oldest = next((visitor for visitor in visitors if visitor.is_spare and visitor.is_heard), None)
        if oldest is None:
            return False
        if oldest.connection is None:  # else its user tells
            self._admission.report(oldest.address, f"{reason}: connection dropped")
        oldest.leave(reason)
        self._forget(oldest)
        return True

    def _forget(self, visitor: _Visitor) -> None:
        if visitor in self._visitors:
            self._visitors.remove(visitor)

    async def _begin(self, visitor: _Visitor, tls: ssl.SSLContext | None) -> None:
        def make() -> LoopConnection:
            visitor.connection = LoopConnection(
                self._admission.make_user(visitor.address),
                timing=self._admission.timing,
                clock=self._clock,
                disk=self._admission.disk,
                on_close=lambda: self._forget(visitor),
            )
            return visitor.connection

        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                make,
                visitor.socket,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else self._admission.timing.artim_s,
            )
        except OSError as exc:  # a TLS handshake that failed is one
            self._forget(visitor)
            visitor.socket.close()
            self._admission.report(visitor.address, f"no TLS connection: {exc}")


def _plain_address(address: str) -> str:
    mapped = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(mapped, ipaddress.IPv6Address) and mapped.ipv4_mapped is not None:
        return str(mapped.ipv4_mapped)
    return str(mapped)


def listen(host: str, port: int) -> socket.socket:
    """Bind a port; raises ``OSError`` where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as exc:
        exc.filename = f"{host}:{port}"
        raise
    listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return listener
