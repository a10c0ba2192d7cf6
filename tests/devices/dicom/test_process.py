"""The node's process: when it does not start, and how it ends."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

import devices
from devices.dicom.client import run_node
from devices.errors import DeviceUnavailable


async def test_a_port_in_use_is_one_plain_sentence(settings: Any) -> None:
    """The node does not start, and the error names the port and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(DeviceUnavailable, match=f"port 127.0.0.1:{port} is in use by another program"):
            async with run_node(settings(port=port)):
                pass


async def test_a_folder_in_use_is_one_plain_sentence(settings: Any) -> None:
    """Two nodes do not share a folder."""
    async with run_node(settings()):
        with pytest.raises(DeviceUnavailable, match="in use by another storage node"):
            async with run_node(settings()):
                pass


async def test_the_process_ends_in_time_with_a_console_connected(settings: Any, console: Any) -> None:
    """Leaving takes less than two seconds while an association is open, and leaves no process."""
    clock = asyncio.get_running_loop().time
    async with AsyncExitStack() as consoles:
        async with run_node(settings()) as node:
            raw = await consoles.enter_async_context(console(node.port))
            assert await raw.associate() == 2
            leaving_s = clock()
        assert clock() - leaving_s < 2.0
    with pytest.raises(ProcessLookupError):
        os.kill(node.process_id, 0)


async def test_sigterm_ends_the_node(settings: Any) -> None:
    """The node ends in order on SIGTERM, and whoever waits for studies is told."""
    async with run_node(settings()) as node:
        os.kill(node.process_id, signal.SIGTERM)
        with pytest.raises(DeviceUnavailable, match="exit code 0"):
            async with asyncio.timeout(15):
                await anext(node.studies())


async def test_the_node_does_not_outlive_a_killed_service(settings: Any) -> None:
    """When the service dies without a word, the node ends and gives its folder and port back."""
    chosen = settings()
    script = (
        "import asyncio, sys\n"
        "from devices.dicom.client import run_node\n"
        "from devices.dicom.settings import NodeSettings\n"
        "async def main():\n"
        "    async with run_node(NodeSettings.model_validate_json(sys.argv[1])) as node:\n"
        "        print('node', node.process_id, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, chosen.model_dump_json()),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(devices.__file__).parents[1],
    )
    assert service.stdout is not None
    async with asyncio.timeout(60):
        while not (line := await service.stdout.readline()).startswith(b"node "):
            assert line
    node = os.pidfd_open(int(line.split()[1]))
    service.kill()
    await service.communicate()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(node, ended.set)
    try:
        async with asyncio.timeout(5):
            await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(node)
        os.close(node)
    async with run_node(chosen):
        pass
