"""Carries orders out, and tries again what destinations did not take: beside the node, until it ends."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from devices.clock import Clock
from devices.dicom.audit import AuditTrail
from devices.dicom.clients.association import PeerFailed
from devices.dicom.clients.outbox import Backlog, Order, Outbox, Progress, UnreadableOrder
from devices.dicom.clients.sending import Fate, send
from devices.dicom.settings import NodeSettings, Peer, Role

LOOK_S: Final = 2.0
"""How often orders that others have left are looked for."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """Pauses between attempts: ``first_s``, then twice as long each time up to ``longest_s``.

    Each is shortened by up to a half at random, so that many nodes do not come back at once.
    """

    first_s: float = 5.0
    longest_s: float = 600.0

    def pause_s(self, attempt: int, *, jitter: Callable[[], float]) -> float:
        """Pause after an attempt, the first being 1; ``jitter`` gives a number from 0 to 1."""
        # a power of two past any pause: an outage of weeks must not overflow
        whole_s: float = min(self.longest_s, self.first_s * 2 ** min(attempt - 1, 30))
        return whole_s * (1 - 0.5 * jitter())


def carry_out(
    order: Order,
    peer: Peer,
    *,
    calling_ae: str,
    audit: AuditTrail,
    asked_by: str = "",
    is_over: Callable[[], bool] = lambda: False,
    tell: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Send what an order still has to send, once, and note each answer; what was sent is audited. Blocks.

    ``tell`` is called after each answer; when ``is_over`` says so, what is left is for another time.

    Raises
    ------
    OSError
        Where an answer cannot be noted.

    """
    before = order.progress.count(Fate.STORED)
    try:
        with closing(send(peer, order.paths, calling_ae=calling_ae)) as answers:
            for answer in answers:
                order.note(answer)
                tell(order.progress)
                if is_over():
                    break
    except PeerFailed as exc:
        order.miss(str(exc))
        tell(order.progress)
    finally:
        progress = order.progress
        audit.sent(
            (peer.ae_title, peer.host),
            progress.request.study_uid,
            progress.count(Fate.STORED) - before,
            asked_by=asked_by,
            failure=_shortfall(progress),
        )


def _shortfall(progress: Progress) -> str:
    """Say why a destination does not have all of an order; empty where it has."""
    reasons = {answer.reason for answer in progress.failures()}
    if progress.waiting:
        reasons.add(progress.missed or "the rest is sent later")
    return "; ".join(sorted(filter(None, reasons)))


class Dispatch:
    """Carries out the orders of an outbox, each destination's one after another, and beside the others'.

    Parameters
    ----------
    settings
        Our title, the node's folder, and the peers.
    audit
        Told of what was sent.
    tell
        Called with a sentence when something waits because it could not be sent, and with an empty one when
        nothing does.
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
        audit: AuditTrail,
        tell: Callable[[str], None],
        clock: Clock,
        jitter: Callable[[], float],
        retrying: Retrying | None = None,
    ) -> None:
        self._calling_ae = settings.ae_title
        self._outbox = Outbox(settings.folder)
        self._peers = [peer for peer in settings.peers if Role.DESTINATION in peer.roles]
        self._audit = audit
        self._tell = tell
        self.backlog = Backlog()
        self._clock = clock
        self._jitter = jitter
        self._retrying = retrying or Retrying()
        self._over = threading.Event()

    async def run(self) -> None:
        """Send for ever; where it is cancelled, the object that is under way is waited for."""
        pool = ThreadPoolExecutor(len(self._peers) + 1, "dicom dispatch")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(pool), name="dicom outbox")
                for peer in self._peers:
                    tasks.create_task(self._serve(peer, pool), name=f"dicom dispatch {peer.name}")
        finally:
            self._over.set()
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, pool.shutdown))

    async def _watch(self, pool: ThreadPoolExecutor) -> None:
        known = {peer.name for peer in self._peers}
        told = ""
        while True:
            self.backlog = await asyncio.get_running_loop().run_in_executor(pool, self._outbox.backlog, known)
            if str(self.backlog) != told:
                told = str(self.backlog)
                self._tell(told)
            await asyncio.sleep(min(LOOK_S, self._retrying.first_s))

    async def _serve(self, peer: Peer, pool: ThreadPoolExecutor) -> None:
        attempts: dict[Path, int] = {}
        due_s: dict[Path, float] = {}
        loop = asyncio.get_running_loop()
        while True:
            for path in self._outbox.waiting(peer.name):
                if due_s.get(path, 0.0) > self._clock():
                    continue
                waits = await loop.run_in_executor(pool, self._attempt, path, peer)
                if waits:
                    attempts[path] = attempts.get(path, 0) + 1
                    due_s[path] = self._clock() + self._retrying.pause_s(attempts[path], jitter=self._jitter)
                else:
                    attempts.pop(path, None)
                    due_s.pop(path, None)
            await asyncio.sleep(min(LOOK_S, self._retrying.first_s))

    def _attempt(self, path: Path, peer: Peer) -> bool:
        """Carry an order out; returns whether something waits for another attempt."""
        try:
            with self._outbox.take(path) as order:
                if order is None:
                    return False
                carry_out(order, peer, calling_ae=self._calling_ae, audit=self._audit, is_over=self._over.is_set)
                self._report(order.progress)
                return bool(order.progress.waiting)
        except (OSError, UnreadableOrder) as exc:
            log.warning("an order cannot be carried out", path=str(path), reason=str(exc))
            return True

    def _report(self, progress: Progress) -> None:
        told = log.bind(destination=progress.request.destination, study_uid=progress.request.study_uid)
        refused = {answer.reason for answer in progress.failures()}
        told = told.bind(stored=progress.count(Fate.STORED), refused=progress.count(Fate.REFUSED))
        if progress.waiting:
            reasons = "; ".join(sorted(filter(None, {progress.missed, *refused})))
            told.warning("sending goes on later", waiting=len(progress.waiting), reason=reasons)
        elif refused:
            told.warning("not all was taken", reason="; ".join(sorted(refused)))
        else:
            told.info("sent")
