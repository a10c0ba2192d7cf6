"""Orders are carried out when their destination is there again, and keep nobody else waiting."""

import asyncio
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import evt

from devices.clock import Clock, monotonic
from devices.dicom.client import run_node
from devices.dicom.clients.dispatch import Dispatch
from devices.dicom.clients.outbox import FOLDER
from devices.dicom.retrying import Retrying
from devices.dicom.settings import NodeSettings
from devices.readings import LinkState
from tests.devices.dicom.clients.kept import STUDY, kept_study
from tests.devices.dicom.clients.orders import answer, put, until, until_ended, until_sent
from tests.devices.dicom.conftest import SECONDARY_CAPTURE
from tests.devices.dicom.seen import children, resident_kb

QUICK = Retrying(first_s=1 / 16, longest_s=1 / 8)


@asynccontextmanager
async def dispatching(
    settings: NodeSettings,
    tell: Callable[[str], None] = lambda _: None,
    *,
    clock: Clock = monotonic,
    jitter: float = 0.0,
) -> AsyncIterator[None]:
    """Have a dispatch running, with pauses of a test's length."""
    dispatch = Dispatch(settings, tell=tell, clock=clock, jitter=lambda: jitter, retrying=QUICK)
    task = asyncio.create_task(dispatch.run(), name="dispatch")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()


async def test_what_was_not_taken_is_tried_again(serve: Any, peer: Any, settings: Any, tmp_path: Path) -> None:
    """A destination without room at first gets the object later; one that refuses for good is asked once."""
    asked: Counter[str] = Counter()
    settled = threading.Event()

    def store(event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        asked[uid] += 1
        if uid.endswith(".0"):
            return 0xA900
        if uid.endswith(".1") and asked[uid] < 3:
            return 0xA700
        settled.set()
        return 0

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        node = settings(peers=(peer(port),))
        outbox = put(node.folder, kept_study(node.folder, 3))
        async with asyncio.timeout(30), dispatching(node):
            await until_sent(outbox, 2)
            await until_ended(outbox)
    assert asked == {f"{STUDY}.4.0": 1, f"{STUDY}.4.1": 3, f"{STUDY}.4.2": 1}
    (progress,) = outbox.list()
    assert [failure.status for failure in progress.failures()] == [0xA900]


async def test_pauses_grow_to_their_longest(serve: Any, peer: Any, settings: Any) -> None:
    """An order that is not taken is sent again a pause later, then two, and two; new ones go at once meanwhile."""
    asked: Counter[int] = Counter()
    now_s, looks = 0.0, 0
    jitter = 0.5  # by which each is a quarter shorter

    def store(event: Any) -> int:
        asked[int(event.request.AffectedSOPInstanceUID.rpartition(".")[2])] += 1
        return 0xA700

    def clock() -> float:
        nonlocal looks
        looks += 1
        return now_s

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        node = settings(peers=(peer(port),))
        objects, staff = kept_study(node.folder, 5), len(children(os.getpid()))

        async def asked_by_when_sent(number: int) -> int:
            put(node.folder, [objects[number]])
            await until(lambda: asked[number] > 0)
            await until(lambda: len(children(os.getpid())) == staff)
            since = looks
            await until(lambda: looks > since + 8)  # it has looked again, and found nothing due
            return asked[0]

        seen = []
        async with asyncio.timeout(120), dispatching(node, clock=clock, jitter=jitter):
            for number, pauses in enumerate((0, 1, 2.5, 3, 5)):
                now_s = 0.75 * pauses * QUICK.first_s
                seen.append(await asked_by_when_sent(number))
    assert seen == [1, 2, 2, 3, 4]


async def test_a_destination_that_is_away_keeps_nobody_waiting(serve: Any, peer: Any, settings: Any) -> None:
    """One destination is not there, and is tried; the other gets its order meanwhile."""
    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, lambda _: 0)) as port:
        node = settings(peers=(peer(1, name="away"), peer(port)))
        objects = kept_study(node.folder, 1)
        outbox = put(node.folder, objects, destination="away")
        put(node.folder, objects)
        async with asyncio.timeout(30), dispatching(node):
            await until_sent(outbox, 1)
            await until(lambda: any(progress.missed for progress in outbox.list()))
    missed = next(progress for progress in outbox.list() if progress.missed)
    assert missed.request.destination == "away"
    assert "nothing answers there" in missed.missed
    assert len(missed.waiting) == 1


async def test_a_peer_without_the_role_is_sent_nothing(serve: Any, peer: Any, settings: Any) -> None:
    """An archive that is no destination gets none of its orders; they wait."""
    asked: list[Any] = []

    def store(event: Any) -> int:
        asked.append(event)
        return 0

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        node = settings(peers=(peer(port, roles=["archive"]), peer(port, name="other")))
        objects = kept_study(node.folder, 1)
        outbox = put(node.folder, objects)
        put(node.folder, objects, destination="other")
        async with asyncio.timeout(30), dispatching(node):
            await until_sent(outbox, 1)
    assert len(asked) == 1
    assert len(outbox.waiting("peer")) == 1


async def test_what_cannot_be_sent_is_on_the_health_until_it_has_gone(
    serve: Any, peer: Any, settings: Any
) -> None:
    """The node says how many wait, since when and why, counts them, and says nothing more when they have gone."""
    is_full = threading.Event()
    is_full.set()

    def store(_: Any) -> int:
        return 0xA700 if is_full.is_set() else 0

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        node = settings(peers=(peer(port),), workers=0)
        put(node.folder, kept_study(node.folder, 2))
        (strange := node.folder / FOLDER / "20200101T000000.1.peer.order").write_bytes(b"torn by a failing disk")
        async with asyncio.timeout(60), run_node(node) as running:
            async with aclosing(running.health_changes()) as changes:
                async for health in changes:
                    if "2 objects wait for peer since" in health.detail:
                        break
            assert "make room there" in health.detail
            assert f"cannot be read from {strange.name}" in health.detail
            strange.unlink()
            assert health.state is LinkState.LIVE
            await until(lambda: running.figures is not None and running.figures.outbox_waiting == 2)
            assert running.figures is not None
            assert running.figures.outbox_since_s is not None
            is_full.clear()
            async with aclosing(running.health_changes()) as changes:
                async for health in changes:
                    if not health.detail:
                        break
            await until(lambda: running.figures is not None and running.figures.outbox_waiting == 0)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("/bin/false", r"what sends to peer ends before it is done \(exit code 1\): see the node's error output"),
        ("/nowhere/python", r"nothing can be sent to peer: .*No such file or directory: '/nowhere/python'"),
    ],
)
async def test_a_sender_that_cannot_run_is_told_until_it_can(
    peer: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, program: str, sentence: str
) -> None:
    """What sends dies, or cannot be started, while an order waits: a sentence says so until one has run."""
    told: list[str] = []
    node = settings(peers=(peer(1),))
    outbox = put(node.folder, kept_study(node.folder, 1))
    monkeypatch.setattr(sys, "executable", program)
    async with asyncio.timeout(60), dispatching(node, told.append):
        await until(lambda: bool(told))
        monkeypatch.undo()
        await until(lambda: told[-1].startswith("1 objects wait for peer") and told[-1].endswith("port right?"))
        (path,) = outbox.waiting("peer")
        with outbox.take(path) as order:
            assert order is not None
            order.note(answer(order.paths[0]))
            order.audited()
        await until(lambda: not told[-1])
    assert re.fullmatch(sentence, told[0])


async def test_the_node_itself_takes_no_more_memory_for_its_peers(serve: Any, peer: Any, settings: Any) -> None:
    """What has sent an order takes its memory, more than the node's own code does, with it when it ends."""
    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, lambda _: 0)) as port:
        node = settings(peers=(peer(port),), workers=0)
        async with asyncio.timeout(60), run_node(settings(workers=0)) as running:
            without_kb, staff = resident_kb(running), len(children(running.process_id))
        outbox = put(node.folder, kept_study(node.folder, 1))
        async with asyncio.timeout(60), run_node(node) as running:
            await until_sent(outbox, 1)
            await until(lambda: len(children(running.process_id)) == staff)
            assert resident_kb(running) - without_kb < 12_000
