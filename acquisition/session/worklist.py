"""Who is scheduled today, asked of the hospital's worklists."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

from devices.dicom.clients.association import Hangup, PeerFailed
from devices.dicom.clients.worklist import ScheduledStep, find_scheduled
from devices.dicom.settings import NodeSettings, Peer, Role

CONNECT_S, ANSWER_S = 5.0, 10.0
"""The longest that a worklist is waited for while somebody stands before the display."""

NO_WORKLIST: Final = 'no worklist is set up: write a [[dicom.peers]] with roles = ["worklist"] into the site file'


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What the worklists answered.

    Attributes
    ----------
    steps
        By day and time, then by name.
    troubles
        Why a worklist did not answer, what of its answers could not be read, and that there are more.

    """

    steps: tuple[ScheduledStep, ...] = ()
    troubles: tuple[str, ...] = ()


AskWorklists: TypeAlias = Callable[[date], Awaitable[Schedule]]


async def ask_worklists(node: NodeSettings | None, on: date) -> Schedule:
    """Ask every worklist of the site file what is scheduled on a day; one that fails costs its own entries.

    Where whoever asks is cancelled the calls are ended, so that a worklist that hangs holds up nobody.
    """
    peers = [peer for peer in node.peers if Role.WORKLIST in peer.roles] if node else []
    if node is None or not peers:
        return Schedule(troubles=(NO_WORKLIST,))
    hangups = [Hangup() for _ in peers]
    asked = [
        asyncio.to_thread(_ask, *each, calling_ae=node.ae_title, on=on)
        for each in zip(peers, hangups, strict=True)
    ]
    try:
        return _joined(await asyncio.gather(*asked))
    finally:
        for hangup in hangups:
            hangup.hang_up()


def _ask(peer: Peer, hangup: Hangup, *, calling_ae: str, on: date) -> Schedule:
    hurried = peer.model_copy(
        update={
            "connect_time_s": min(peer.connect_time_s, CONNECT_S),
            "answer_time_s": min(peer.answer_time_s, ANSWER_S),
        }
    )
    try:
        found = find_scheduled(hurried, calling_ae=calling_ae, on=on, hangup=hangup)
    except PeerFailed as exc:
        return Schedule(troubles=(str(exc),))
    troubles = [f"{peer.name}: an entry was left out: {reason}" for reason in found.unreadable]
    if found.is_cut:
        troubles.append(f"{peer.name}: there are more entries than are shown")
    return Schedule(steps=found.items, troubles=tuple(troubles))


def _joined(answers: Sequence[Schedule]) -> Schedule:
    steps = sorted(
        (step for each in answers for step in each.steps),
        key=lambda step: (step.start_date or date.max, step.start_time, step.patient_name),
    )
    return Schedule(steps=tuple(steps), troubles=tuple(said for each in answers for said in each.troubles))
