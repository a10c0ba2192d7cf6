import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devices.dicom.client import run_node
from devices.dicom.echo import echo
from devices.errors import DeviceUnavailable

ECHO_REQUEST, ECHO_RESPONSE = 0x0030, 0x8030
"""Command fields (PS3.7 E.1-1)."""


def pdu_types(stream: bytes | bytearray) -> list[int]:
    """Types of the PDUs of a stream, in order (PS3.8 9.3.1)."""
    found, at = [], 0
    while at < len(stream):
        kind, length = struct.unpack_from(">BxL", stream, at)
        found.append(kind)
        at += 6 + length
    return found


def command_element(number: int, value: int) -> bytes:
    """An element of a command, VR US, implicit VR little endian."""
    return struct.pack("<HHLH", 0x0000, number, 2, value)


@asynccontextmanager
async def overheard(
    port: int, *, change: Callable[[bytes], bytes] = bytes
) -> AsyncIterator[tuple[int, bytearray, bytearray]]:
    """Stand between us and a node: gives a port, what was sent to the node, and what it answered."""
    sent, answered = bytearray(), bytearray()
    carrying: set[asyncio.Task[Any] | None] = set()

    async def carry(
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        heard: bytearray,
        alter: Callable[[bytes], bytes],
    ) -> None:
        try:
            while piece := await reader.read(65536):
                heard += piece
                writer.write(alter(piece))
        except ConnectionError:
            pass  # we abort the link when we have our answer
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying.add(asyncio.current_task())
        from_node, to_node = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, to_node, sent, bytes), carry(from_node, writer, answered, change))
        carrying.discard(asyncio.current_task())

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], sent, answered
        await asyncio.gather(*(task for task in carrying if task is not None))


async def test_a_node_that_knows_us_answers(settings: Any) -> None:
    """A node that lists our title is asked by C-ECHO, answers with success, and is left by a release."""
    async with (
        run_node(settings(allowed_ae_titles=("CHECK",))) as node,
        overheard(node.port) as (port, sent, answered),
    ):
        await echo("127.0.0.1", port, called_ae="RADIONAV", calling_ae="CHECK")
    assert pdu_types(sent) == [0x01, 0x04, 0x05]
    assert pdu_types(answered) == [0x02, 0x04, 0x06]
    assert command_element(0x0100, ECHO_REQUEST) in sent
    assert command_element(0x0100, ECHO_RESPONSE) in answered
    assert command_element(0x0900, 0x0000) in answered


async def test_an_answer_other_than_success_is_said(settings: Any) -> None:
    """A node that answers C-ECHO with 0122H, SOP class not supported (PS3.7 annex C), is not well."""

    def refuse(answer: bytes) -> bytes:
        return answer.replace(command_element(0x0900, 0x0000), command_element(0x0900, 0x0122))

    async with (
        run_node(settings(allowed_ae_titles=("CHECK",))) as node,
        overheard(node.port, change=refuse) as (port, *_),
    ):
        with pytest.raises(DeviceUnavailable, match="answers C-ECHO with status 0x0122"):
            await echo("127.0.0.1", port, called_ae="RADIONAV", calling_ae="CHECK")


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
