"""A tracker at the other end of the wire: streams poses to many OpenIGTLink clients at once.

It behaves as PLUS does: sends to whoever connects, leaves out tools that it does not see, and says STATUS ok
each quarter of a second in which it has nothing else to say. A client may ask for TDATA at its own pace
(STT_TDATA) and stop it (STP_TDATA).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import numpy as np

from devices.clock import Clock, epoch_s, monotonic
from devices.errors import FrameError
from devices.trackers.igtl import Decoder, Message
from devices.trackers.igtl_bodies import (
    STOP_TRACKING,
    StartTracking,
    Status,
    TrackedTool,
    TrackingAnswer,
    TrackingFrame,
    Transform,
    elements_of,
)
from devices.trackers.igtl_envelope import Metadata
from navigation.transforms import RigidTransform
from simulators.trackers.measuring import Poses, measure

KEEP_ALIVE_S = 0.25
AHEAD_S = 0.004
"""A frame is computed so long before it is due."""

UNSENT_LIMIT_BYTES = 1 << 16
"""A client that is so far behind is passed over, and gets the newest pose when it has caught up."""


class SimulatedTracker:
    """The running server. Change what it does by its attributes and methods, from the event loop.

    Attributes
    ----------
    host, port
        Where it listens.
    is_silent
        Where true, links stay up and the stream stops, keep-alive included.

    """

    def __init__(
        self,
        poses: Poses,
        *,
        rate_hz: float,
        kind: Literal["TDATA", "TRANSFORM"],
        version: Literal[1, 2],
        position_sigma_mm: float,
        rotation_sigma_deg: float,
        is_waiting_for_start: bool,
        rng: np.random.Generator,
        clock: Clock,
    ) -> None:
        self.host = ""
        self.port = 0
        self.is_silent = False
        self._poses = poses
        self._interval_s = 1 / rate_hz
        self._kind = kind
        self._version: Literal[1, 2] = version
        self._position_sigma_mm = position_sigma_mm
        self._rotation_sigma_rad = float(np.radians(rotation_sigma_deg))
        self._is_waiting_for_start = is_waiting_for_start
        self._rng = rng
        self._clock = clock
        self._epoch_s = epoch_s(0.0, clock=clock)  # a tracker has a clock of its own, which runs on
        self._dropped: set[str] = set()
        self._clients: set[_Client] = set()
        self._number = 0

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def drop(self, tool: str) -> None:
        """Take a tool out of sight."""
        self._dropped.add(tool)

    def restore(self, tool: str) -> None:
        """Bring it back."""
        self._dropped.discard(tool)

    async def hang_up(self) -> None:
        """Cut every link; whoever connects again is served."""
        cut = tuple(self._clients)
        for client in cut:
            client.transport.abort()
        for client in cut:
            await client.closed.wait()

    def send(self, raw: bytes) -> None:
        """Send any bytes to every client, between two messages of the stream."""
        for client in self._clients:
            client.transport.write(raw)

    def tell(self, at_s: float) -> None:
        """Send one frame now, of what is so at a time, besides those of the stream."""
        self._send(self._frame(at_s), at_s)

    async def stream(self) -> None:
        """Send for ever, one frame each interval, which tells what is so when it leaves."""
        due_s = self._clock()
        while True:
            # computed before it is due, so that the time for that makes no pose late
            await asyncio.sleep(due_s - AHEAD_S - self._clock())
            at_s = max(due_s, self._clock())
            frame = self._frame(at_s) if self._clients else b""
            await asyncio.sleep(at_s - self._clock())
            if not self.is_silent and self._clients:
                self._send(frame, at_s)
            # after a stall go on from now: old poses are of no use
            due_s = max(due_s + self._interval_s, self._clock())

    def accept(self) -> "_Client":
        """Make the protocol of a new link."""
        return _Client(self._clients, is_started=not self._is_waiting_for_start, now_s=self._clock())

    def _frame(self, now_s: float) -> bytes:
        """Encode what is seen at a time."""
        seen = {
            tool: self._measured(pose)
            for tool, pose in self._poses(now_s).items()
            if pose is not None and tool not in self._dropped
        }
        if self._kind == TrackingFrame.KIND:
            tools = tuple(TrackedTool(name=tool, elements=elements_of(pose)) for tool, pose in seen.items())
            messages = [self._message(self._kind, "Tracker", TrackingFrame(tools=tools).to_bytes(), now_s)]
        else:
            messages = [
                self._message(self._kind, tool, Transform(elements=elements_of(pose)).to_bytes(), now_s)
                for tool, pose in seen.items()
            ]
        return b"".join(messages)

    def _send(self, frame: bytes, now_s: float) -> None:
        keep_alive = Message(kind=Status.KIND, device_name="Tracker", content=Status(code=1).to_bytes()).to_bytes()
        for client in self._clients:
            if client.is_started and frame and client.is_due(now_s, self._interval_s):
                client.framed_at_s = now_s
                client.send(frame, now_s)
            elif now_s - client.sent_at_s >= KEEP_ALIVE_S:
                client.send(keep_alive, now_s)

    def _message(self, kind: str, name: str, content: bytes, now_s: float) -> bytes:
        self._number += 1
        message = Message(
            kind=kind,
            device_name=name,
            content=content,
            timestamp=int((self._epoch_s + now_s) * 2**32),
            version=self._version,
            number=self._number if self._version == 2 else 0,
            metadata=(Metadata(key="TransformStatus", value=b"OK"),) if self._version == 2 else (),
        )
        return message.to_bytes()

    def _measured(self, pose: RigidTransform) -> RigidTransform:
        return measure(
            pose,
            position_sigma_mm=self._position_sigma_mm,
            rotation_sigma_rad=self._rotation_sigma_rad,
            rng=self._rng,
        )


class _Client(asyncio.Protocol):
    """One link: what it asked for, and when it last got something."""

    transport: asyncio.Transport

    def __init__(self, clients: "set[_Client]", *, is_started: bool, now_s: float) -> None:
        self.is_started = is_started
        self.resolution_s = 0.0
        self.framed_at_s = now_s
        self.sent_at_s = now_s
        self.closed = asyncio.Event()
        self._clients = clients
        self._decoder = Decoder()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives no other; for the type checker
        self.transport = transport
        self._clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._clients.discard(self)
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        self._decoder.feed(data, 0.0)
        try:
            for arrival in self._decoder:
                self._obey(arrival.message)
        except FrameError:
            self.transport.abort()

    def is_due(self, now_s: float, interval_s: float) -> bool:
        """Whether the pace that it asked for allows a frame now, to the nearest of our own frames."""
        return now_s - self.framed_at_s >= self.resolution_s - interval_s / 2

    def send(self, raw: bytes, now_s: float) -> None:
        if self.transport.get_write_buffer_size() < UNSENT_LIMIT_BYTES:
            self.transport.write(raw)
            self.sent_at_s = now_s

    def _obey(self, message: Message) -> None:
        if message.kind == StartTracking.KIND:
            self.resolution_s = StartTracking.from_bytes(message.content).resolution_ms / 1000
            self.is_started = True
            answer = TrackingAnswer(is_taken=True).to_bytes()
            self.transport.write(
                Message(kind=TrackingAnswer.KIND, device_name=message.device_name, content=answer).to_bytes()
            )
        elif message.kind == STOP_TRACKING:
            self.is_started = False


@asynccontextmanager
async def serve_tracker(
    poses: Poses,
    *,
    rng: np.random.Generator,
    rate_hz: float = 60.0,
    kind: Literal["TDATA", "TRANSFORM"] = "TDATA",
    version: Literal[1, 2] = 1,
    position_sigma_mm: float = 0.0,
    rotation_sigma_deg: float = 0.0,
    is_waiting_for_start: bool = False,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Clock = monotonic,
) -> AsyncIterator[SimulatedTracker]:
    """Serve poses until left.

    Parameters
    ----------
    poses
        Called for each frame with the clock's time, s.
    rng
        For the noise.
    rate_hz
        Frames a second.
    kind, version
        Message type and header version of the stream.
    position_sigma_mm, rotation_sigma_deg
        Standard deviation of the noise, for each axis.
    is_waiting_for_start
        Where true, a client gets poses only after STT_TDATA.
    host, port
        Where to listen; port 0 takes a free one, which the tracker then names.
    clock
        Host monotonic clock.

    """
    tracker = SimulatedTracker(
        poses,
        rate_hz=rate_hz,
        kind=kind,
        version=version,
        position_sigma_mm=position_sigma_mm,
        rotation_sigma_deg=rotation_sigma_deg,
        is_waiting_for_start=is_waiting_for_start,
        rng=rng,
        clock=clock,
    )
    server = await asyncio.get_running_loop().create_server(tracker.accept, host, port)
    tracker.host, tracker.port = server.sockets[0].getsockname()[:2]
    # no task group: it would wrap an exception of the caller's body into a group
    streaming = asyncio.create_task(tracker.stream(), name="simulated tracker")
    body = asyncio.current_task()
    has_failed = False

    def end_body(ended: asyncio.Task[None]) -> None:
        nonlocal has_failed
        has_failed = not ended.cancelled() and ended.exception() is not None
        if has_failed and body is not None:
            body.cancel()

    streaming.add_done_callback(end_body)
    async with server:
        try:
            yield tracker
        finally:
            streaming.remove_done_callback(end_body)
            streaming.cancel()
            server.close()
            await tracker.hang_up()
            outcome = (await asyncio.gather(streaming, return_exceptions=True))[0]
            if isinstance(outcome, Exception):
                if has_failed and body is not None:
                    body.uncancel()
                raise outcome
