"""The node's side of DICOMweb: starts its process, hears what happens there, and starts it again.

A process of its own, for a large body must delay neither associations nor the feed, and what serves HTTP would
double the memory of the node and of each of its workers.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import structlog
from msgspec.structs import replace

from devices.clock import Clock
from devices.dicom.child import end, start
from devices.dicom.services.events import Arrival, Ending, Event, Notify
from devices.dicom.settings import NodeSettings, WebSettings
from devices.dicom.web.access import TokenUnusable, read_digests
from devices.dicom.web.instructions import READY, Instructions
from devices.dicom.workers.handover import LONGEST_BYTES, decode_event

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
LASTING_S: Final = 60.0
"""One that lasted so long is started again soon, others later each time."""

END_TIME_S: Final = 0.3

log = structlog.get_logger()


class WebProcess:
    """Keeps the process running.

    Parameters
    ----------
    settings
        The node's.
    listener
        Bound to the port; it stays open while the process is started again.
    notify
        Called with each event.
    numbers
        One for each request that stores, as for each association.
    tell
        Called with a sentence when DICOMweb is not served, and with an empty one when it is.
    clock
        Host monotonic clock.

    """

    def __init__(
        self,
        settings: NodeSettings,
        listener: socket.socket,
        *,
        notify: Notify,
        numbers: Iterator[int],
        tell: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._notify = notify
        self._numbers = numbers
        self._tell = tell
        self._told = ""
        self._clock = clock
        self._storing: dict[int, _Storing] = {}

    async def run(self, web: WebSettings) -> None:
        """Keep it running; cancelling ends it."""
        wait_s = FIRST_WAIT_S
        while True:
            since_s = self._clock()
            try:
                digests = read_digests(web.clients)
                await self._serve(Instructions(settings=self._settings, digests=digests))
                reason = "its process has ended; see the node's error output"
            except (TokenUnusable, OSError) as exc:
                reason = str(exc)
            self._complain(f"DICOMweb is not served: {reason}")
            if self._clock() - since_s >= LASTING_S:
                wait_s = FIRST_WAIT_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._turn_away()
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _serve(self, instructions: Instructions) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)  # noqa: FBT003 - the standard library's signature
        with ours:
            with theirs:
                descriptors = (theirs.fileno(), self._listener.fileno())
                process = await start("devices.dicom.web", instructions, descriptors=descriptors)
            try:
                while packet := await asyncio.get_running_loop().sock_recv(ours, LONGEST_BYTES):
                    self._hear(packet)
            finally:
                await end(process, within_s=END_TIME_S)
                with contextlib.suppress(OSError):  # what it said last
                    while packet := ours.recv(LONGEST_BYTES):
                        self._hear(packet)
                self._lose()

    async def _turn_away(self) -> None:
        """Close what connects meanwhile: it would wait for an answer."""
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            connection.close()

    def _hear(self, packet: bytes) -> None:
        if packet == READY:
            self._complain("")
        else:
            self._take(decode_event(packet))

    def _take(self, happened: Event) -> None:
        """Give a request the number that the node has for it, and pass on what happened."""
        match happened:
            case Arrival():
                if happened.session not in self._storing:
                    self._storing[happened.session] = _Storing(
                        next(self._numbers), happened.calling_ae, happened.address
                    )
                storing = self._storing[happened.session]
                self._notify(replace(happened, session=storing.number))
            case Ending():
                ended = self._storing.pop(happened.session, None)
                if ended is not None:
                    self._notify(replace(happened, session=ended.number))
            case _:
                self._notify(happened)

    def _lose(self) -> None:
        for storing in self._storing.values():
            self._notify(
                Ending(
                    session=storing.number,
                    calling_ae=storing.calling_ae,
                    address=storing.address,
                    was_released=False,
                )
            )
        self._storing.clear()

    def _complain(self, reason: str) -> None:
        if reason != self._told:
            self._told = reason
            self._tell(reason)


@dataclass(frozen=True, slots=True)
class _Storing:
    number: int
    calling_ae: str
    address: str
