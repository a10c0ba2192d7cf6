import asyncio
from typing import Any

import pytest

from devices.dicom.client import run_node
from devices.dicom.echo import echo
from devices.errors import DeviceUnavailable


async def test_a_node_that_knows_us_answers(settings: Any) -> None:
    """C-ECHO to a node that lists our title returns without an error."""
    async with run_node(settings(allowed_ae_titles=("CHECK",))) as node:
        await echo("127.0.0.1", node.port, called_ae="RADIONAV", calling_ae="CHECK")


async def test_a_title_that_is_not_known_is_said(settings: Any) -> None:
    """The error says that our title must be entered at the other side."""
    async with run_node(settings(allowed_ae_titles=())) as node:
        with pytest.raises(DeviceUnavailable, match="does not know our AE title CHECK"):
            await echo("127.0.0.1", node.port, called_ae="RADIONAV", calling_ae="CHECK")


async def test_nobody_there_is_said() -> None:
    """A port where nothing listens is told from a refusal."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(DeviceUnavailable, match="nothing answers there"):
        await echo("127.0.0.1", port, called_ae="RADIONAV", calling_ae="CHECK")


async def test_a_port_that_is_not_dicom_is_said() -> None:
    """A server that closes the connection is told from one that refuses."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        with pytest.raises(DeviceUnavailable, match="is this a DICOM port"):
            await echo("127.0.0.1", server.sockets[0].getsockname()[1], called_ae="RADIONAV", calling_ae="CHECK")
