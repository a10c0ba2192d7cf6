"""What memory the node takes, whatever comes: little, and it is given back."""

import asyncio
import struct
import zlib
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from devices.dicom.client import StorageNode, run_node
from devices.dicom.node import DISK_THREADS
from tests.devices.dicom.seen import ACCEPT, is_staffed, resident_kb, serves, workers


async def test_five_hundred_silent_connections(settings: Any, thing: Any, console: Any) -> None:
    """From many addresses they make room for whoever speaks, also from one of those, and take little memory."""
    chosen = settings()
    async with run_node(chosen) as node:
        await is_staffed(node, chosen.crew_size)
        before_kb = resident_kb(node)
        silent = [
            await asyncio.open_connection("127.0.0.1", node.port, local_addr=(f"127.0.{number % 100}.9", 0))
            for number in range(500)
        ]
        await serves(node, thing, console, from_address="127.0.7.9")
        assert resident_kb(node) - before_kb < 20_000
        for _, writer in silent:
            writer.close()


async def test_a_deflate_bomb(settings: Any, thing: Any, console: Any) -> None:
    """A data set that inflates to 1 GB is identified by its head, and costs no more memory than that."""
    one = thing()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = packer.compress(one.data_set + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 1_000_000_000))
    bomb += b"".join(packer.compress(bytes(10_000_000)) for _ in range(20)) + packer.flush()
    async with run_node(settings()) as node, console(node.port) as raw:
        assert await raw.associate(transfer_syntax="1.2.840.10008.1.2.1.99") == ACCEPT
        before_kb = resident_kb(node)
        raw.begin_store(one)
        for place in range(0, len(bomb), 16000):
            raw.send(bomb[place : place + 16000], control=2 if place + 16000 >= len(bomb) else 0)
        assert raw.status(await raw.answer()) == 0x0000
        assert resident_kb(node) - before_kb < 30_000


@pytest.mark.parametrize("number", [0, 1])
async def test_memory_is_given_back_after_a_flood(settings: Any, thing: Any, console: Any, number: int) -> None:
    """Memory and threads of sixty associations that broke off in mid-object are free, here and in a worker."""

    def held_kb() -> int:
        """What the node and its workers hold now."""
        lines = [Path(f"/proc/{one}/status").read_text().splitlines() for one in (node.process_id, *workers(node))]
        return sum(int(line.split()[1]) for status in lines for line in status if line.startswith("VmRSS"))

    def threads() -> int:
        """Threads of the node and its workers now."""
        return sum(len(list(Path(f"/proc/{one}/task").iterdir())) for one in (node.process_id, *workers(node)))

    async def flood(node: StorageNode, times: int) -> None:
        for _ in range(times):
            ended = broken_off(node)
            async with AsyncExitStack() as consoles:
                for count in range(60):
                    raw = await consoles.enter_async_context(console(node.port))
                    assert await raw.associate(f"C{count}") == ACCEPT
                    raw.begin_store(thing(object_uid=f"1.2.{count}"))
                    raw.send(bytes(120_000), control=0)
                    await raw.writer.drain()
            while broken_off(node) < ended + 60:  # noqa: ASYNC110 - the node tells it from time to time
                await asyncio.sleep(0.05)

    async with run_node(settings(workers=number, maximum_associations=100)) as node:
        await is_staffed(node, number)
        before = threads()
        async with asyncio.timeout(100):
            await flood(node, 2)
            before_kb = held_kb()
            await flood(node, 4)
            # 14 MB of buffers each time; what threads are served from grows by some pages
            assert held_kb() - before_kb < 20_000
            while threads() > before + DISK_THREADS:  # noqa: ASYNC110 - each ends after it has told its end
                await asyncio.sleep(0.01)


def broken_off(node: StorageNode) -> int:
    """How many of its associations ended in mid-object, as it last told."""
    return node.figures.associations_ended.get("broken off", 0) if node.figures else 0


async def test_memory_does_not_grow_with_an_object(settings: Any, thing: Any, console: Any) -> None:
    """An object of 200 MB streams to the disk in a few megabytes of memory."""
    size = 200_000_000
    head = thing().data_set + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, size)
    chosen = settings()
    async with run_node(chosen) as node, console(node.port) as raw:
        assert await raw.associate() == ACCEPT
        before_kb = resident_kb(node)
        raw.begin_store(thing())
        raw.send(head, control=0)
        for place in range(0, size, 100_000):
            raw.send(bytes(100_000), control=2 if place + 100_000 == size else 0)
            await raw.writer.drain()
        assert raw.status(await raw.answer()) == 0x0000
        assert resident_kb(node) - before_kb < 8_000
    (kept,) = chosen.folder.glob("*/*.dcm")
    assert kept.stat().st_size > size
