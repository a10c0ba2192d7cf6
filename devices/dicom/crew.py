"""The node's workers: processes that take associations over, so that each core serves its own.

They are forked before anything runs, share the node's memory until they write to it, and end with it. Where one is
lost its associations are too, and the node serves itself what comes after.
"""

import asyncio
import contextlib
import os
import select
import signal
import socket
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import structlog

from devices.dicom import store, worker
from devices.dicom.association import Association
from devices.dicom.handover import LONGEST_BYTES, Ended, Handover, Kept, Told, Turned, decode_told, encode
from devices.dicom.session import Arrival, Notify, Refusal, Session
from devices.dicom.settings import NodeSettings
from devices.dicom.store import StoredObject

END_TIME_S = 0.5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Hand:
    """A worker's process, and the line to it."""

    process_id: int
    line: socket.socket


def hire(settings: NodeSettings) -> list[Hand]:
    """Fork the workers; call it while the process has one thread and no event loop."""
    hands: list[Hand] = []
    for _ in range(settings.workers):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process_id = os.fork()
        if process_id == 0:
            for hand in hands:
                hand.line.close()
            ours.close()
            # the service waits for the ends of these
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, 0)
            os.dup2(nothing, 1)
            worker.serve(settings, theirs)
        theirs.close()
        hands.append(Hand(process_id, ours))
    return hands


class Crew:
    """Hands associations to workers, and tells what becomes of them.

    Parameters
    ----------
    hands
        The workers.
    notify
        Called with each arrival and refusal.

    """

    def __init__(self, hands: list[Hand], notify: Notify) -> None:
        self._notify = notify
        self._sessions: dict[Hand, dict[int, Session]] = {hand: {} for hand in hands}
        self._next = 0
        self._is_closing = False

    def start(self) -> None:
        """Listen to the workers, on the running event loop."""
        for hand in self._sessions:
            asyncio.get_running_loop().add_reader(hand.line, self._hear, hand)

    def close(self) -> None:
        """End the workers, hear what they still have to say, and return when they have ended."""
        self._is_closing = True
        for hand in list(self._sessions):
            with contextlib.suppress(OSError):
                hand.line.shutdown(socket.SHUT_WR)
        for hand in list(self._sessions):
            while hand in self._sessions and select.select([hand.line], [], [], END_TIME_S)[0]:
                self._hear(hand)
            if hand in self._sessions:
                os.kill(hand.process_id, signal.SIGKILL)
                self._drop(hand)
            os.waitpid(hand.process_id, 0)

    def take(self, session: Session, association: Association) -> bool:
        """Hand an association to the worker that has the fewest; False where the node must keep it."""
        if not self._sessions:
            return False
        hand = min(self._sessions, key=lambda one: len(self._sessions[one]))
        detached = association.detach(longest_pending=LONGEST_BYTES // 2)
        if detached is None:
            return False
        descriptor, pending = detached
        self._next += 1
        self._sessions[hand][self._next] = session
        handover = Handover(
            session=self._next,
            calling_ae=session.calling_ae,
            address=session.address,
            transfer_syntaxes=session.transfer_syntaxes,
            peer_maximum_bytes=association.peer_maximum_bytes,
            pending=pending,
        )
        try:
            socket.send_fds(hand.line, [encode(handover)], [descriptor])
        except OSError as exc:
            self._lose(hand, str(exc))
        finally:
            os.close(descriptor)
        return True

    def _hear(self, hand: Hand) -> None:
        try:
            packet = hand.line.recv(LONGEST_BYTES)
        except OSError as exc:
            self._lose(hand, str(exc))
            return
        if packet:
            self._tell(hand, decode_told(packet))
        elif self._is_closing:
            self._drop(hand)
        else:
            self._lose(hand, "its process has ended")

    def _tell(self, hand: Hand, told: Told) -> None:
        match told:
            case Kept():
                session = self._sessions[hand][told.session]
                stored = StoredObject(path=Path(told.path), kept=store.Kept(told.kept), study_uid=told.study_uid)
                self._notify(
                    Arrival(
                        session=session, calling_ae=session.calling_ae, object_uid=told.object_uid, stored=stored
                    )
                )
            case Turned():
                self._notify(Refusal(calling_ae=told.calling_ae, address=told.address, reason=told.reason))
            case Ended():
                session = self._sessions[hand].pop(told.session)
                session.acknowledged = Counter(told.acknowledged)
                session.ended(was_released=told.was_released, reason="")

    def _lose(self, hand: Hand, reason: str) -> None:
        sessions = self._sessions[hand]
        log.error("a worker is lost", process_id=hand.process_id, reason=reason, associations=len(sessions))
        self._drop(hand)
        for session in sessions.values():
            session.ended(was_released=False, reason="the worker that served it is lost")

    def _drop(self, hand: Hand) -> None:
        asyncio.get_running_loop().remove_reader(hand.line)
        hand.line.close()
        del self._sessions[hand]
