"""OpenIGTLink server: 3D Slicer and others follow the probe's tip, the count rate and the targets.

Whoever connects gets, as it comes:

- ``TipToPatient``: the tip's pose, TRANSFORM, or TDATA in its place once it was asked for (STT_TDATA), at most one
  each RESOL ms;
- ``CountRate``: SENSOR, one number in hertz, unless the site file says that none of them reads it;
- ``Targets``: POINT, an empty list where no target can be told;
- ``radionav``: STATUS, whenever nothing else was sent for a quarter of a second.

What is not known is not sent. OpenIGTLink has no field for that, and its receivers go on showing the last value,
so it is said, each quarter of a second, by a STATUS that is not ok with the name of what is missing: the tip that
is not seen or whose pose is older than it may be, the rate that nobody counts. TDATA leaves the tip out. All names
of a simulated room begin with ``SIM_``.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import structlog

from devices.clock import Clock, epoch_s, monotonic
from devices.errors import DeviceUnavailable
from devices.igtl_client import GET_CAPABILITY, GET_STATUS, IgtlClient, Sent
from devices.igtl_settings import LOOPBACK, Settings
from devices.trackers.igtl_bodies import MATRIX, Status, TrackedTool, TrackingFrame, Transform, elements_of
from devices.trackers.igtl_envelope import Envelope, Metadata
from devices.trackers.igtl_values import HERTZ_UNIT, Capability, Point, Points, Sensor
from navigation.transforms import RigidTransform

log = structlog.get_logger()

TIP: Final = "TipToPatient"
RATE: Final = "CountRate"
TARGETS: Final = "Targets"
SENDER: Final = "radionav"

KEEP_ALIVE_S = 0.25
TICK_S = 0.05
ROUNDING_S = 1e-6
"""Between the times of two poses, as floating-point numbers have it."""
OK, NOT_READY = 1, 13
"""Codes of STATUS."""

POSE_METADATA = (Metadata(key="TransformStatus", value=b"OK"),)

KINDS = (Transform.KIND, TrackingFrame.KIND, Sensor.KIND, Points.KIND, Status.KIND, Capability.KIND)


class IgtlServer:
    """Sends to whoever is connected; call it from the event loop's thread. Nothing here waits or fails.

    Parameters
    ----------
    settings
        Its entry in the site file.
    pose_lasts_s, rate_lasts_s
        Age from which a pose or a rate is none any more.
    is_simulated
        Whether every name says so.
    clock
        Host monotonic clock.

    """

    def __init__(
        self, settings: Settings, *, pose_lasts_s: float, rate_lasts_s: float, is_simulated: bool, clock: Clock
    ) -> None:
        self.host = ""
        self.port = 0
        self._settings = settings
        self._prefix = "SIM_" if is_simulated else ""
        self._lasts_s = {TIP: pose_lasts_s, RATE: rate_lasts_s}
        self._clock = clock
        self._clients: set[IgtlClient] = set()
        names = (TIP, RATE) if settings.count_rate else (TIP,)
        self._taken_at_s = dict.fromkeys(names, -float("inf"))
        self._missing = dict.fromkeys(names, True)
        self._points: tuple[Point, ...] = ()
        self._number = 0
        self._xy_sign = -1.0 if settings.axes == "RAS" else 1.0
        self._around_pose = self._envelope(Transform.KIND, TIP)
        self._around_frame = self._envelope(TrackingFrame.KIND)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def send_tip(self, patient_from_tip: RigidTransform | None, taken_at_s: float) -> None:
        """Send the tip's pose, which holds for a time of the host's clock; None says that it is not known."""
        if patient_from_tip is None or self._clock() - taken_at_s > self._lasts_s[TIP]:
            self._lose(TIP)
            return
        if taken_at_s <= self._taken_at_s[TIP]:
            return  # it was sent
        self._taken_at_s[TIP], self._missing[TIP] = taken_at_s, False
        if not self._clients:
            return
        # what is needed and no more: a process that has slept finds little of its code in the processor's caches,
        # where each step takes ten times as long as in a loop
        elements, lasts_s = elements_of(patient_from_tip, xy_sign=self._xy_sign), self._lasts_s[TIP]
        pose: Sent | None = None
        frame: Sent | None = None
        for client in self._clients:
            if client.resolution_s is None:
                if pose is None:
                    pose = self._sent(self._around_pose, MATRIX.pack(*elements), taken_at_s, lasts_s)
                client.send(pose)
            elif taken_at_s - client.framed_at_s >= client.resolution_s - ROUNDING_S:
                if frame is None:
                    tools = (TrackedTool(name=self._prefix + TIP, elements=elements),)
                    content = TrackingFrame(tools=tools).to_bytes()
                    frame = self._sent(self._around_frame, content, taken_at_s, lasts_s)
                client.framed_at_s = taken_at_s
                client.send(frame)

    def send_rate(self, rate_cps: float | None, taken_at_s: float) -> None:
        """Send the count rate, corrected for dead time, of an interval that ended at a time; None: not known.

        What cannot be a rate (NaN, infinite, negative) is not known either.
        """
        if not self._settings.count_rate:
            return
        is_old = self._clock() - taken_at_s > self._lasts_s[RATE]
        if rate_cps is None or not 0 <= rate_cps < math.inf or is_old:
            self._lose(RATE)
            return
        if taken_at_s <= self._taken_at_s[RATE]:
            return
        self._taken_at_s[RATE], self._missing[RATE] = taken_at_s, False
        content = Sensor(values=(rate_cps,), unit=HERTZ_UNIT).to_bytes()
        self._send_all(self._sent(self._envelope(Sensor.KIND, RATE), content, taken_at_s, self._lasts_s[RATE]))

    def send_targets(self, points: Sequence[Point]) -> None:
        """Send the targets that are located, in patient axes (LPS), when they change; none: an empty list.

        A point without a finite place is none.
        """
        turned = tuple(self._turned(point) for point in points if all(map(math.isfinite, point.position_mm)))
        if turned != self._points:
            self._points = turned
            self._send_all(self._targets())

    async def run(self) -> None:
        """Keep links alive and say what has become too old, until cancelled."""
        told_at_s = self._clock()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = self._clock()
            for name, taken_at_s in self._taken_at_s.items():
                if now_s - taken_at_s > self._lasts_s[name]:
                    self._lose(name)
            is_due = now_s - told_at_s >= KEEP_ALIVE_S
            if is_due:
                told_at_s = now_s
            for client in tuple(self._clients):
                if client.is_stuck:
                    log.warning("openigtlink_client_is_gone", address=client.address)
                    client.transport.abort()
                    continue
                if client.keeps_up and now_s - client.sent_at_s >= KEEP_ALIVE_S:
                    client.send(self._status(SENDER, OK))
                if is_due:
                    self._say_what_is_missing(client)

    def accept(self) -> IgtlClient:
        """Make the protocol of a new link."""
        return IgtlClient(
            admit=self._admit,
            leave=self._clients.discard,
            answer=self._answer,
            queue=self._settings.queue,
            clock=self._clock,
        )

    async def hang_up(self) -> None:
        """End every link."""
        for client in tuple(self._clients):
            client.transport.abort()
        while self._clients:  # noqa: ASYNC110 - each link's end is called by the loop, in its next round
            await asyncio.sleep(0)

    def _admit(self, client: IgtlClient, address: str) -> bool:
        allowed = {*LOOPBACK, *self._settings.clients}
        if address.removeprefix("::ffff:") not in allowed or len(self._clients) >= self._settings.most_clients:
            log.warning("openigtlink_client_refused", address=address, clients=len(self._clients))
            return False
        log.info("openigtlink_client", address=address)
        if not self._clients:  # to whom something could have been lost: what does not come is missed from now on
            self._missing = dict.fromkeys(self._missing, False)
        self._clients.add(client)
        client.send(self._status(SENDER, OK))
        client.send(self._targets())
        self._say_what_is_missing(client)
        return True

    def _answer(self, kind: str) -> Sent | None:
        if kind == GET_STATUS:
            return self._status(SENDER, OK)
        if kind == GET_CAPABILITY:
            kinds = tuple(each for each in KINDS if each != Sensor.KIND or self._settings.count_rate)
            content = Capability(kinds=kinds).to_bytes()
            return self._sent(self._envelope(Capability.KIND), content, self._clock(), math.inf)
        return None

    def _lose(self, name: str) -> None:
        """Say, once, that something is not known any more."""
        if not self._missing[name]:
            self._missing[name] = True
            for client in self._clients:
                self._say_what_is_missing(client)

    def _say_what_is_missing(self, client: IgtlClient) -> None:
        words = {TIP: "the tip is not tracked", RATE: "no counts come from the probe"}
        for name in (name for name, is_missing in self._missing.items() if is_missing):
            client.send(self._status(name, NOT_READY, words[name]))
        if self._missing[TIP] and client.resolution_s is not None:
            client.send(self._sent(self._around_frame, b"", self._clock(), KEEP_ALIVE_S))

    def _send_all(self, sent: Sent) -> None:
        for client in self._clients:
            client.send(sent)

    def _turned(self, point: Point) -> Point:
        x_mm, y_mm, z_mm = point.position_mm
        return replace(point, position_mm=(self._xy_sign * x_mm, self._xy_sign * y_mm, z_mm))

    def _targets(self) -> Sent:
        content = Points(points=self._points).to_bytes()
        return self._sent(self._envelope(Points.KIND, TARGETS), content, self._clock(), math.inf)

    def _status(self, name: str, code: int, text: str = "") -> Sent:
        content = Status(code=code, text=text).to_bytes()
        return self._sent(self._envelope(Status.KIND, name), content, self._clock(), KEEP_ALIVE_S)

    def _envelope(self, kind: str, name: str = SENDER) -> Envelope:
        metadata = POSE_METADATA if kind in {Transform.KIND, TrackingFrame.KIND} else ()
        return Envelope(kind, self._prefix + name, version=self._settings.header_version, metadata=metadata)

    def _sent(self, envelope: Envelope, content: bytes, taken_at_s: float, lasts_s: float) -> Sent:
        self._number = (self._number + 1) % 2**32
        timestamp = int(epoch_s(taken_at_s, clock=self._clock) * 2**32)
        return Sent(envelope.around(content, timestamp=timestamp, number=self._number), taken_at_s, lasts_s)


@asynccontextmanager
async def serve_igtl(
    settings: Settings,
    *,
    pose_lasts_s: float,
    rate_lasts_s: float,
    is_simulated: bool,
    clock: Clock = monotonic,
    device: str = "openigtlink",
) -> AsyncIterator[IgtlServer]:
    """Listen until left; parameters as of ``IgtlServer``, which must be run beside.

    Raises
    ------
    DeviceUnavailable
        Where the port is in use, or the address is none of this machine's.

    """
    server = IgtlServer(
        settings,
        pose_lasts_s=pose_lasts_s,
        rate_lasts_s=rate_lasts_s,
        is_simulated=is_simulated,
        clock=clock,
    )
    loop = asyncio.get_running_loop()
    try:
        listening = await loop.create_server(server.accept, settings.host, settings.port)
    except OSError as exc:
        raise DeviceUnavailable(
            device,
            f"cannot listen at {settings.host}:{settings.port} ({exc.strerror}): choose another port, or end the "
            "program that has it",
        ) from exc
    server.host, server.port = listening.sockets[0].getsockname()[:2]
    async with listening:
        try:
            yield server
        finally:
            listening.close()
            await server.hang_up()
