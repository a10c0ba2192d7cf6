"""A worker of the storage node: takes associations over from it and serves them on a core of its own."""

import asyncio
import contextlib
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import structlog

from devices.clock import monotonic
from devices.dicom.association import Association, Timing
from devices.dicom.handover import LONGEST_BYTES, Ended, Handover, Kept, Told, Turned, decode_handover, encode
from devices.dicom.session import Arrival, Ending, Provider, Refusal, Session
from devices.dicom.settings import NodeSettings
from devices.dicom.store import ObjectStore

DISK_THREADS = 8
"""Objects that are being made durable at a time: an association waits for its own only."""


log = structlog.get_logger()


class Worker:
    """Serves what it is handed until the node closes the line to it.

    Parameters
    ----------
    settings
        The node's.
    line
        To the node: a packet for each message.

    """

    def __init__(self, settings: NodeSettings, line: socket.socket) -> None:
        self._line = line
        self._numbers: dict[Session, int] = {}
        self._timing = Timing.of(settings)
        self._provider = Provider(
            settings=settings,
            store=ObjectStore(settings.folder, free_floor_mb=settings.free_floor_mb),
            disk=ThreadPoolExecutor(DISK_THREADS, "dicom disk"),
            notify=self._tell,
            is_apart=True,
        )
        self._beginning: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._line, self._take, over)
        await over.wait()
        loop.remove_reader(self._line)
        for session in list(self._provider.sessions):
            session.leave("the node ends")

    def _take(self, over: asyncio.Event) -> None:
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._line, LONGEST_BYTES, 1)
        except OSError:
            packet, descriptors = b"", []
        if not packet or not descriptors:
            over.set()
            return
        handover, connection = decode_handover(packet), socket.socket(fileno=descriptors[0])
        beginning = asyncio.create_task(self._begin(handover, connection), name=f"dicom {handover.address}")
        self._beginning.add(beginning)
        beginning.add_done_callback(self._beginning.discard)

    async def _begin(self, handover: Handover, connection: socket.socket) -> None:
        connection.setblocking(False)  # noqa: FBT003 - the standard library's signature
        session = Session(self._provider, handover.address)
        association = Association(session, timing=self._timing, clock=monotonic)
        association.resume(handover.peer_maximum_bytes, handover.pending)
        session.resume(association, handover.calling_ae, handover.transfer_syntaxes)
        self._numbers[session] = handover.session
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: association, connection)
        except OSError as exc:
            connection.close()
            session.ended(was_released=False, reason=f"connection lost: {exc}")

    def _tell(self, happened: Arrival | Refusal | Ending) -> None:
        match happened:
            case Arrival():
                stored = happened.stored
                self._send(
                    Kept(
                        session=self._numbers[happened.session],
                        study_uid=stored.study_uid,
                        object_uid=happened.object_uid,
                        path=str(stored.path),
                        kept=stored.kept,
                    )
                )
            case Refusal():
                self._send(
                    Turned(calling_ae=happened.calling_ae, address=happened.address, reason=happened.reason)
                )
            case Ending():
                number = self._numbers.pop(happened.session)
                acknowledged = dict(happened.session.acknowledged)
                self._send(Ended(session=number, was_released=happened.was_released, acknowledged=acknowledged))

    def _send(self, message: Told) -> None:
        try:
            self._line.send(encode(message))
        except OSError:
            os._exit(1)  # the node is gone: nothing more may be acknowledged


def serve(settings: NodeSettings, line: socket.socket) -> None:
    """Be a worker, in a process just forked, and end it."""
    code = 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(Worker(settings, line).run())
            code = 0
        except Exception:
            log.exception("a worker of the storage node ends")
    os._exit(code)
