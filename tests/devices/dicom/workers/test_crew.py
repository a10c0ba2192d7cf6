"""The workers of a node: what one that is lost takes along, and who takes its place."""

import asyncio
import os
import signal
import struct
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest

from devices.dicom.client import StorageNode, run_node
from devices.readings import DeviceHealth
from tests.devices.dicom.seen import ACCEPT, children, ended, is_refused, is_staffed, serves, workers
from tests.devices.dicom.trail import transfers


async def test_an_abort_with_something_after_it_harms_nobody_else(settings: Any, thing: Any, console: Any) -> None:
    """What comes in one piece with an abort is dropped; the worker's other association goes on."""
    async with run_node(settings(workers=1)) as node, console(node.port) as other:
        assert await other.associate("OTHER") == ACCEPT
        assert await other.store(thing(object_uid="1.2.3.1")) == 0
        for late in (struct.pack(">BxL", 5, 4) + bytes(4), struct.pack(">BxLLBB", 4, 8, 4, 1, 3) + b"ab"):
            async with console(node.port) as raw:
                assert await raw.associate() == ACCEPT
                assert await raw.store(thing(object_uid="1.2.3.2")) == 0
                raw.writer.write(struct.pack(">BxL", 7, 4) + bytes(4) + late)
                await raw.closed()
        assert await other.store(thing(object_uid="1.2.3.3")) == 0
        await other.release()


async def test_a_lost_worker_takes_its_own_associations_only(settings: Any, thing: Any, console: Any) -> None:
    """Others go on, the study says that objects may be missing, and the audit trail has what was acknowledged."""
    chosen = settings(workers=2)
    async with run_node(chosen) as node:
        async with AsyncExitStack() as consoles:
            raws = [await consoles.enter_async_context(console(node.port)) for _ in range(4)]
            for number, raw in enumerate(raws):
                assert await raw.associate() == ACCEPT
                assert await raw.store(thing(object_uid=f"1.2.{number}", study_uid=f"1.3.{number}")) == 0x0000
            os.kill(workers(node)[0], signal.SIGKILL)
            statuses = await asyncio.gather(
                *(raw.store(thing(object_uid="1.2.9", study_uid="1.3.9")) for raw in raws), return_exceptions=True
            )
            assert statuses.count(0x0000) == 2
            assert await is_refused(node, "the worker that served it is lost")
        await serves(node, thing, console)
        async with asyncio.timeout(20), aclosing(node.studies()) as studies:
            async for study in studies:
                if "objects may be missing" in study.reason:
                    break
    brought = {(study_uid, objects) for _, _, study_uid, objects, _ in transfers(chosen.folder)}
    assert {(f"1.3.{number}", 1) for number in range(4)} <= brought


async def test_a_lost_worker_is_replaced_and_health_says_so(settings: Any, thing: Any, console: Any) -> None:
    """The first at once, the next after a while, in which the health names it; each new one serves."""
    async with run_node(settings(workers=1)) as node, asyncio.timeout(30), aclosing(node.health_changes()) as told:
        seen = {await _kill(node, set())}
        seen.add(await _kill(node, seen))  # its place was taken at once: a reader of the newest may see no gap
        assert await _until(
            told, "1 of its workers missing", "is lost: its process has ended; another is started in 1 s"
        )
        await serves(node, thing, console)  # the node itself, meanwhile
        assert await _until(told)
        (third,) = workers(node)
        assert third not in seen
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            assert await raw.store(thing(object_uid="1.9.9")) == 0x0000
            os.kill(third, signal.SIGKILL)
            await ended(raw)  # so it was the new worker that served
        assert await _until(told, "another is started in 2 s")


async def _kill(node: StorageNode, former: set[int]) -> int:
    """Kill the only worker, as soon as it is another than those before."""
    while not (found := set(workers(node)) - former):  # noqa: ASYNC110 - another process forks it
        await asyncio.sleep(0.01)
    (worker,) = found
    os.kill(worker, signal.SIGKILL)
    return worker


async def _until(told: AsyncGenerator[DeviceHealth, None], *words: str) -> bool:
    """Wait until the health says all of it; without words, until no worker is missing."""
    async for health in told:
        if all(word in health.detail for word in words) and bool(words) == ("missing" in health.detail):
            return True
    return False


async def test_without_whoever_forks_them_the_node_serves_itself(settings: Any, thing: Any, console: Any) -> None:
    """Where no worker can be had any more the health says why, and consoles are served all the same."""
    async with run_node(settings(workers=1)) as node, asyncio.timeout(30), aclosing(node.health_changes()) as told:
        (foreman,), (worker,) = children(node.process_id), workers(node)
        os.kill(foreman, signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)
        assert await _until(told, "no worker can be started")
        await serves(node, thing, console)


@pytest.mark.parametrize("number", [0, 1, 4])
async def test_with_any_number_of_workers_a_study_is_whole(
    settings: Any, thing: Any, console: Any, number: int
) -> None:
    """Four consoles send one study at once, also without workers; it is announced with every object."""

    async def send(port: int, console_number: int) -> None:
        async with console(port) as raw:
            assert await raw.associate() == ACCEPT
            for count in range(10):
                assert await raw.store(thing(object_uid=f"1.2.{console_number}.{count}")) == 0x0000
            await raw.release()

    async with run_node(settings(workers=number)) as node:
        await is_staffed(node, number)
        await asyncio.gather(*(send(node.port, one) for one in range(4)))
        async with asyncio.timeout(20), aclosing(node.studies()) as studies:
            async for study in studies:
                if len(study.objects) == 40:
                    break
