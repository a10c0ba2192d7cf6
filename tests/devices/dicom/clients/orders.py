"""Orders to send, as tests make them and wait for what becomes of them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from devices.dicom.clients.answers import Answer, Fate
from devices.dicom.clients.outbox import Outbox
from tests.devices.dicom.clients.kept import STUDY


def answer(path: Path, fate: Fate = Fate.STORED, reason: str = "") -> Answer:
    return Answer(path=path, fate=fate, status=0, reason=reason)


def put(folder: Path, objects: list[Path], *, destination: str = "peer") -> Outbox:
    outbox = Outbox(folder)
    with outbox.put(STUDY, destination, objects):
        pass
    return outbox


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what the disk shows: there is nothing else that tells."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def until_sent(outbox: Outbox, count: int) -> None:
    await until(lambda: sum(progress.count(Fate.STORED) for progress in outbox.list()) >= count)


async def until_ended(outbox: Outbox) -> None:
    await until(lambda: not outbox.waiting("peer"))
