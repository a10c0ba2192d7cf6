"""A worker of the storage node: takes associations over from it, and serves each on a thread."""

import os
import signal
import socket
import threading
from dataclasses import dataclass

import structlog

from devices.clock import monotonic
from devices.dicom.services.events import Ending, Event
from devices.dicom.services.provider import Provider
from devices.dicom.services.session import Session
from devices.dicom.settings import NodeSettings
from devices.dicom.storage.store import ObjectStore
from devices.dicom.upper_layer.thread_connection import ThreadConnection
from devices.dicom.workers.handover import LONGEST_BYTES, Dismissal, Handover, decode_order, encode

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Serving:
    session: Session
    connection: ThreadConnection
    thread: threading.Thread


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
        self._timing = settings.timing
        self._provider = Provider(
            settings=settings,
            store=ObjectStore(settings.folder, free_floor_mb=settings.free_floor_mb),
            notify=self._tell,
        )
        self._served: dict[int, _Serving] = {}

    def run(self) -> None:
        """Serve."""
        while True:
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._line, LONGEST_BYTES, 1)
            except ConnectionResetError:  # the node was killed with something unread
                break
            if not packet:
                break
            match decode_order(packet):
                case Handover() as handover if descriptors:
                    self._begin(handover, socket.socket(fileno=descriptors[0]))
                case Handover() as handover:
                    self._turn_down(handover)
                case Dismissal(session=number, reason=reason):
                    self._dismiss(number, reason)
        for serving in list(self._served.values()):
            serving.connection.leave("the node ends")
            serving.thread.join()

    def _begin(self, handover: Handover, connection: socket.socket) -> None:
        connection.setblocking(True)  # noqa: FBT003 - the standard library's signature
        session = Session(self._provider, handover.address, number=handover.session)
        served = ThreadConnection(session, connection, timing=self._timing, clock=monotonic)
        served.association.resume(handover.peer_maximum_bytes, handover.pending)
        session.resume(served.association, handover.calling_ae, handover.transfer_syntaxes)
        serving = _Serving(
            session,
            served,
            threading.Thread(target=self._serve, args=(session.number, served), name=f"dicom {handover.address}"),
        )
        self._served[session.number] = serving
        serving.thread.start()

    def _turn_down(self, handover: Handover) -> None:
        """Tell the end of one whose connection did not come along: there is no room for one more descriptor."""
        log.error("an association is lost: the worker may open no more files", calling_ae=handover.calling_ae)
        self._tell(
            Ending(
                session=handover.session,
                calling_ae=handover.calling_ae,
                address=handover.address,
                was_released=False,
            )
        )

    def _dismiss(self, number: int, reason: str) -> None:
        serving = self._served.get(number)
        if serving is not None:  # else it has ended by itself meanwhile
            serving.session.is_leaving = True
            serving.connection.leave(reason)

    def _serve(self, number: int, served: ThreadConnection) -> None:
        try:
            served.serve()
        except Exception:
            log.exception("a worker of the storage node ends")
            os._exit(1)  # the node starts another, and tells of what was lost
        del self._served[number]

    def _tell(self, happened: Event) -> None:
        try:
            self._line.send(encode(happened))
        except OSError:
            os._exit(1)  # the node is gone: nothing more may be acknowledged


def leave_signals_to_the_node() -> None:
    """Heed none that a terminal or a service manager sends to all of its processes: it ends them, in order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def serve(settings: NodeSettings, line: socket.socket) -> None:
    """Be a worker, in a process just forked, and end it."""
    code = 1
    leave_signals_to_the_node()
    try:
        Worker(settings, line).run()
        code = 0
    except Exception:
        log.exception("a worker of the storage node ends")
    os._exit(code)
