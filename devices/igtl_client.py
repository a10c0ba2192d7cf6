"""One client of our OpenIGTLink server: what it asked for, and a queue that drops the oldest."""

import asyncio
import math
import socket
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import structlog

from devices.clock import Clock
from devices.errors import FrameError
from devices.trackers.igtl import Decoder, Message
from devices.trackers.igtl_bodies import STOP_TRACKING, StartTracking, TrackingAnswer
from devices.trackers.igtl_envelope import Envelope

log = structlog.get_logger()

LARGEST_REQUEST_BYTES = 4096
WRITE_BUFFER_BYTES = 16384
"""Beyond so much unsent a client does not keep up; in the kernel about as much again."""
STUCK_S = 5.0
"""A client that takes nothing for so long is gone, whatever its link says."""

GET_CAPABILITY, GET_STATUS = "GET_CAPABIL", "GET_STATUS"


class Sent(NamedTuple):
    """A message on its way; a tuple, for it is made while a pose gets late.

    Attributes
    ----------
    raw
        Its bytes.
    taken_at_s
        When what it says was measured, host monotonic clock, s.
    lasts_s
        How long it may be sent as what is so now, s.

    """

    raw: bytes
    taken_at_s: float
    lasts_s: float


class IgtlClient(asyncio.Protocol):
    """The protocol of one link; ``answer`` gives the message for a GET_, or None."""

    transport: asyncio.Transport

    def __init__(
        self,
        *,
        admit: Callable[["IgtlClient", str], bool],
        leave: Callable[["IgtlClient"], None],
        answer: Callable[[str], Sent | None],
        queue: int,
        clock: Clock,
    ) -> None:
        self.address = ""
        self.resolution_s: float | None = None
        """Shortest time between TDATA messages, once they were asked for."""
        self.framed_at_s = -float("inf")
        """When the pose of the newest TDATA message was taken."""
        self.sent_at_s = clock()
        self.dropped = 0
        """Messages that it was too slow for."""
        self._admit = admit
        self._leave = leave
        self._answer = answer
        self._clock = clock
        self._decoder = Decoder(largest_body_bytes=LARGEST_REQUEST_BYTES)
        self._queue: deque[Sent] = deque(maxlen=queue)
        self._full_since_s: float | None = None

    @property
    def keeps_up(self) -> bool:
        """Whether it takes what it is sent."""
        return self._full_since_s is None

    @property
    def is_stuck(self) -> bool:
        """Whether it has taken nothing for so long that it must be gone."""
        return self._full_since_s is not None and self._clock() - self._full_since_s > STUCK_S

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the link: small messages go out at once; what is not taken waits here, where it can be dropped."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives no other; for the type checker
        self.transport = transport
        connected: socket.socket = transport.get_extra_info("socket")
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WRITE_BUFFER_BYTES)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self.address = transport.get_extra_info("peername")[0]
        if not self._admit(self, self.address):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it went is all one
        """Take leave."""
        self._leave(self)

    def pause_writing(self) -> None:
        """Hold messages back from now on."""
        self._full_since_s = self._clock()

    def resume_writing(self) -> None:
        """Send what was held back and still holds."""
        self._full_since_s = None
        while self._queue and self.keeps_up:
            sent = self._queue.popleft()
            if self._clock() - sent.taken_at_s > sent.lasts_s:
                self.dropped += 1
            else:
                self.send(sent)

    def send(self, sent: Sent) -> None:
        """Send, or hold back from a client that does not keep up; the oldest that is held makes room."""
        if self._full_since_s is None:
            self.transport.write(sent.raw)
            self.sent_at_s = self._clock()
            return
        if len(self._queue) == self._queue.maxlen:
            if not self.dropped:
                log.warning("openigtlink_client_is_slow", address=self.address)
            self.dropped += 1
        self._queue.append(sent)

    def data_received(self, data: bytes) -> None:
        """Do what is asked; what is no OpenIGTLink ends the link."""
        self._decoder.feed(data, self._clock())
        try:
            for arrival in self._decoder:
                self._obey(arrival.message)
        except FrameError as exc:
            log.warning("openigtlink_client_refused", address=self.address, reason=str(exc))
            self.transport.abort()

    def _obey(self, message: Message) -> None:
        if message.kind == StartTracking.KIND:
            self.resolution_s = StartTracking.from_bytes(message.content).resolution_ms / 1000
            self.framed_at_s = -float("inf")
            taken = TrackingAnswer(is_taken=True).to_bytes()
            raw = Envelope(TrackingAnswer.KIND, message.device_name).around(taken)
            self.send(Sent(raw, taken_at_s=self._clock(), lasts_s=math.inf))
        elif message.kind == STOP_TRACKING:
            self.resolution_s = None
        elif (answer := self._answer(message.kind)) is not None:
            self.send(answer)
