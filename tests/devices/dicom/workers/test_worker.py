"""A worker and whoever forks it, as the system sees them."""

import asyncio
import os
import signal
from itertools import count
from pathlib import Path
from resource import RLIMIT_NOFILE, prlimit
from typing import Any

from devices.dicom.client import StorageNode, run_node
from tests.devices.dicom.seen import ACCEPT, children, ended, is_staffed, workers


async def test_a_signal_to_all_processes_is_the_nodes(settings: Any, thing: Any, console: Any) -> None:
    """SIGTERM, as a service manager sends it, ends neither a worker nor its association, nor who forks them."""
    async with run_node(settings(workers=1)) as node:
        await is_staffed(node, 1)
        staff = (*children(node.process_id), *workers(node))
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            assert await raw.store(thing(object_uid="1.2.1")) == 0x0000
            for process in staff:
                os.kill(process, signal.SIGTERM)
            assert await raw.store(thing(object_uid="1.2.2")) == 0x0000
            await raw.release()
        assert (*children(node.process_id), *workers(node)) == staff


async def test_a_worker_that_may_open_no_more_files_gives_the_place_back(
    settings: Any, thing: Any, console: Any
) -> None:
    """The association that it cannot take ends, which the console sees; the next is served once it may again."""
    async with run_node(settings(workers=1, maximum_associations=1)) as node:
        await is_staffed(node, 1)
        (worker,) = workers(node)
        former = prlimit(worker, RLIMIT_NOFILE)
        prlimit(worker, RLIMIT_NOFILE, (_first_free(worker), former[1]))
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            await ended(raw)
        prlimit(worker, RLIMIT_NOFILE, former)
        await _stores_once_there_is_room(node, thing, console)
        assert workers(node) == [worker]


def _first_free(process_id: int) -> int:
    used = {int(one.name) for one in Path(f"/proc/{process_id}/fd").iterdir()}
    return next(number for number in count() if number not in used)


async def _stores_once_there_is_room(node: StorageNode, thing: Any, console: Any) -> None:
    """What a worker tells of an end, the node hears a moment after the console has seen it."""
    async with asyncio.timeout(20):
        while True:
            async with console(node.port) as raw:
                if await raw.associate() == ACCEPT:
                    assert await raw.store(thing(object_uid="1.2.1")) == 0x0000
                    await raw.release()
                    return
