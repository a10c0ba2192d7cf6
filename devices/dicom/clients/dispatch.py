"""Carries orders out, and tries again what destinations did not take: beside the node, until it ends.

What is sent is sent by a process of its own (``devices.dicom.clients.carrier``) that lives while something is due.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from devices.clock import Clock
from devices.dicom.child import end, start
from devices.dicom.clients.instructions import Instructions
from devices.dicom.clients.outbox import Backlog, Outbox
from devices.dicom.clients.progress import UnreadableOrder
from devices.dicom.retrying import Retrying
from devices.dicom.settings import NodeSettings, Peer, Role

LOOK_S: Final = 2.0
"""How often orders that others have left are looked for."""

END_TIME_S: Final = 1.0
"""Time for the object under way, when the node ends; what has no answer then is sent again."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Tried:
    attempts: int
    due_s: float


class Dispatch:
    """Carries out the orders of an outbox, each destination's one after another, and beside the others'.

    Parameters
    ----------
    settings
        Our title, the node's folder, and the peers.
    tell
        Called with a sentence when something waits because it could not be sent, or nothing can be sent to some
        peer, and with an empty one when all is well.
    clock
        Host monotonic clock.
    jitter
        Gives a number from 0 to 1 for each pause.
    retrying
        How often.

    Attributes
    ----------
    backlog
        What waits, as it was seen last.

    """

    def __init__(
        self,
        settings: NodeSettings,
        *,
        tell: Callable[[str], None],
        clock: Clock,
        jitter: Callable[[], float],
        retrying: Retrying | None = None,
    ) -> None:
        self._calling_ae = settings.ae_title
        self._folder = settings.folder
        self._outbox = Outbox(settings.folder)
        self._peers = [peer for peer in settings.peers if Role.DESTINATION in peer.roles]
        self._tell = tell
        self.backlog = Backlog()
        self._failures: dict[str, str] = {}  # why nothing can be sent, by the peer's name
        self._clock = clock
        self._jitter = jitter
        self._retrying = retrying or Retrying()

    async def run(self) -> None:
        """Send for ever; where it is cancelled, the object that is under way is waited for, for a moment."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(), name="dicom outbox")
            for peer in self._peers:
                tasks.create_task(self._serve(peer), name=f"dicom dispatch {peer.name}")

    async def _watch(self) -> None:
        known = {peer.name for peer in self._peers}
        told = ""
        while True:
            self.backlog = await asyncio.to_thread(self._outbox.backlog, known)
            failures = (self._failures[name] for name in sorted(self._failures))
            sentence = "; ".join(filter(None, (str(self.backlog), *failures)))
            if sentence != told:
                told = sentence
                self._tell(told)
            await asyncio.sleep(min(LOOK_S, self._retrying.first_s))

    async def _serve(self, peer: Peer) -> None:
        tried: dict[Path, _Tried] = {}
        while True:
            waiting = self._outbox.waiting(peer.name)
            if not waiting:
                self._failures.pop(peer.name, None)
            tried = {path: tried[path] for path in waiting if path in tried}
            due = [path for path in waiting if path not in tried or tried[path].due_s <= self._clock()]
            free = await asyncio.to_thread(self._free, due)
            if free:
                await self._carry(peer, free)
                for path in free:
                    attempts = tried[path].attempts + 1 if path in tried else 1
                    due_s = self._clock() + self._retrying.pause_s(attempts, jitter=self._jitter)
                    tried[path] = _Tried(attempts, due_s)
            await asyncio.sleep(min(LOOK_S, self._retrying.first_s))

    def _free(self, orders: Sequence[Path]) -> list[Path]:
        """Those of some orders that wait, and that nobody else carries out at the moment."""
        free = []
        for path in orders:
            try:
                with self._outbox.take(path) as order:
                    if order is not None:
                        free.append(path)
            except (OSError, UnreadableOrder):  # said by whoever is to carry it out
                free.append(path)
        return free

    async def _carry(self, peer: Peer, orders: Sequence[Path]) -> None:
        """Have a process make one attempt at each order."""
        told = Instructions(calling_ae=self._calling_ae, folder=self._folder, peer=peer, orders=tuple(orders))
        try:
            process = await start("devices.dicom.clients.carrier", told)
        except OSError as exc:
            log.warning("nothing can be sent for the time being", destination=peer.name, reason=str(exc))
            self._failures[peer.name] = _unstarted(peer.name, exc)
            return
        try:
            if code := await process.wait():
                log.warning("what sends has ended before it was done", destination=peer.name, code=code)
                self._failures[peer.name] = _broken_off(peer.name, code)
            else:
                self._failures.pop(peer.name, None)
        finally:
            await end(process, within_s=END_TIME_S)


def _unstarted(destination: str, why: OSError) -> str:
    return f"nothing can be sent to {destination}: {why}"


def _broken_off(destination: str, code: int) -> str:
    return f"what sends to {destination} ends before it is done (exit code {code}): see the node's error output"
