"""What a test sees of a node that runs: what it answers, what it leaves on the disk, what processes it has."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

from devices.dicom.client import StorageNode
from devices.readings import LinkState

# types of PDUs (PS3.8 9.3.1)
ASSOCIATE_REQUEST, ACCEPT, REJECT, RELEASE_REQUEST, RELEASE_REPLY, ABORT = 1, 2, 3, 5, 6, 7


async def ended(raw: Any) -> None:
    """Wait until the node has ended the connection."""
    async with asyncio.timeout(20):
        await raw.closed()


async def serves(node: StorageNode, thing: Any, console: Any, *, from_address: str = "127.0.0.1") -> None:
    """Store one object, as a console does that has done nothing wrong."""
    async with asyncio.timeout(20), console(node.port, from_address=from_address) as raw:
        assert await raw.associate() == ACCEPT
        assert await raw.store(thing(object_uid="1.9.9")) == 0x0000
        await raw.release()


async def is_refused(node: StorageNode, words: str) -> bool:
    """Wait for a refusal that says so."""
    async with asyncio.timeout(20), aclosing(node.health_changes()) as changes:
        async for health in changes:
            if words in health.detail:
                return True
    return False


async def refusal(node: StorageNode) -> str:
    """Wait for the first refusal, and give its words."""
    async with asyncio.timeout(10), aclosing(node.health_changes()) as changes:
        async for health in changes:
            if health.rejected:
                assert health.state is LinkState.LIVE
                return health.detail
    raise AssertionError("the node has ended")


def left(folder: Path) -> set[str]:
    """Files in the node's folder but the one of ``serves``."""
    return {path.name for path in folder.glob("[!.]*/*")} - {"1.9.9.dcm"} | {
        path.name for path in (folder / ".incoming").iterdir()
    }


def children(process_id: int) -> list[int]:
    """Processes that a process has forked."""
    return list(map(int, Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()))


def workers(node: StorageNode) -> list[int]:
    """Processes of the node's workers, which another process of its forks."""
    (foreman,) = children(node.process_id)
    return children(foreman)


async def is_staffed(node: StorageNode, number: int) -> None:
    """Wait until so many workers are there: they are forked when the node listens already."""
    async with asyncio.timeout(20):
        while len(workers(node)) != number:  # noqa: ASYNC110 - another process forks them
            await asyncio.sleep(0.01)


def descriptors(node: StorageNode) -> int:
    """How many files and connections the node's own process has open."""
    return len(list(Path(f"/proc/{node.process_id}/fd").iterdir()))


def resident_kb(node: StorageNode) -> int:
    """Most memory that the node's processes ever had, together."""
    found = 0
    for number in (node.process_id, *children(node.process_id), *workers(node)):
        lines = Path(f"/proc/{number}/status").read_text().splitlines()
        found += next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return found
