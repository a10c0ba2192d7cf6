"""A worker and whoever forks it, as the system sees them."""

import os
import signal
from typing import Any

from devices.dicom.client import run_node
from tests.devices.dicom.seen import ACCEPT, children, is_staffed, workers


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
