"""Who trickles: one that brings next to nothing keeps nobody out, and a slow one that works is not cut off."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from devices.clock import monotonic
from devices.dicom.client import StorageNode, run_node
from tests.devices.dicom.certificates import certify
from tests.devices.dicom.conftest import RawConsole
from tests.devices.dicom.seen import ABORT, ACCEPT, REJECT, children, is_refused, is_staffed, left, serves, workers
from tests.devices.dicom.trail import lines

Trickle: TypeAlias = Callable[[RawConsole, Any], Awaitable[None]]

PAUSE_S: Final = 0.05
"""Between two drops: far below every limit on silence here."""

LINE_BYTES_PER_S: Final = 8000
"""A line of 64 kbit/s."""


def _echo() -> bytes:
    # PS3.7 table 9.3-12, implicit VR little endian
    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    body = b"".join(
        (
            element(0x0002, b"1.2.840.10008.1.1\0"),
            element(0x0100, struct.pack("<H", 0x0030)),
            element(0x0110, struct.pack("<H", 1)),
            element(0x0800, struct.pack("<H", 0x0101)),
        )
    )
    return element(0x0000, struct.pack("<L", len(body))) + body


async def _one_object_by_bytes(raw: RawConsole, thing: Any) -> None:
    """Begin an object, and send a whole PDU of one byte of it now and then."""
    raw.begin_store(thing())
    while True:
        raw.send(b"\x08", control=0)
        await asyncio.sleep(PAUSE_S)


async def _a_command_by_bytes(raw: RawConsole, thing: Any) -> None:
    """Begin a command, and send a whole PDU of one byte of it now and then."""
    while True:
        raw.send(b"\0", control=1)
        await asyncio.sleep(PAUSE_S)


async def _only_questions(raw: RawConsole, thing: Any) -> None:
    """Ask again and again whether the node is there, as fast as it answers."""
    while True:
        raw.send(_echo(), control=3)
        assert raw.status(await raw.answer()) == 0x0000
        await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def _trickling(raw: RawConsole, thing: Any, trickle: Trickle) -> AsyncIterator[None]:
    async def until_cut() -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, AssertionError):
            await trickle(raw, thing)

    task = asyncio.create_task(until_cut())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _secured(node: StorageNode, certificate: Path) -> AsyncIterator[RawConsole]:
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    reader, writer = await asyncio.open_connection("127.0.0.1", node.tls_port, ssl=context)
    try:
        yield RawConsole(reader, writer)
    finally:
        writer.transport.abort()


def threads(node: StorageNode) -> int:
    """How many the node's processes have."""
    every = (node.process_id, *children(node.process_id), *workers(node))
    return sum(len(list(Path(f"/proc/{one}/task").iterdir())) for one in every)


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize(
    "way",
    [
        ("worker", _one_object_by_bytes),
        ("worker", _a_command_by_bytes),
        ("worker", _only_questions),
        ("node", _one_object_by_bytes),
        ("node over TLS", _one_object_by_bytes),
    ],
)
async def test_ten_that_trickle_keep_nobody_out(
    settings: Any, thing: Any, console: Any, run: Any, way: tuple[str, Trickle]
) -> None:
    """All places are one title's that is never silent, and a console gets one of them within seconds.

    The first of the ten goes for it; why stands in health, audit trail and figures. The other nine are left alone.
    """
    served_by, trickle = way
    beside = settings().folder.parent
    key, certificate = await asyncio.to_thread(certify, beside, "node")
    number = int(served_by == "worker")
    chosen = settings(
        workers=number,
        idle_time_s=10,
        allowed_ae_titles=("SICK", "CAMERA"),
        tls={"port": 0, "certificate": certificate, "key": key},
    )
    file = thing(object_uid="1.9.9").write(beside / "one.dcm")
    async with run_node(chosen) as node, AsyncExitStack() as open_ones, asyncio.timeout(40):
        await is_staffed(node, number)
        at_rest = threads(node)
        raws = []
        for _ in range(10):
            connecting = _secured(node, certificate) if served_by == "node over TLS" else console(node.port)
            raws.append(await open_ones.enter_async_context(connecting))
            assert await raws[-1].associate("SICK") == ACCEPT
            await open_ones.enter_async_context(_trickling(raws[-1], thing, trickle))
        code, output = 1, ""
        while code:  # a console tries again
            code, output = await run(
                "storescu", "-aet", "CAMERA", "-aec", "RADIONAV", "127.0.0.1", node.port, file
            )
        assert await is_refused(node, "'CAMERA' needed its place"), output
        assert node.figures is not None
        while "displaced" not in node.figures.refused:  # noqa: ASYNC110 - another process tells
            await asyncio.sleep(PAUSE_S)
        assert node.figures.refused["displaced"] == 1
        assert node.figures.associations_open == 9
        await open_ones.aclose()
        while threads(node) > at_rest + 10:  # noqa: ASYNC110 - those for the disk stay
            await asyncio.sleep(PAUSE_S)
        while left(chosen.folder):  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(PAUSE_S)
    (told,) = [line for line in lines(chosen.folder) if "needed its place" in str(line)]
    assert told["EventIdentification"]["EventOutcomeIndicator"] == 4
    assert "SICK" in str(told)


async def test_who_trickles_most_takes_nobody_elses_place(settings: Any, thing: Any, console: Any) -> None:
    """One more of the title that has nine ends one of its own, not the only one of another that trickles too."""
    chosen = settings(idle_time_s=6, workers=0)
    async with run_node(chosen) as node, AsyncExitStack() as open_ones, asyncio.timeout(40):
        raws = []
        for title in ("CAMERA", *["SICK"] * 9):
            raws.append(await open_ones.enter_async_context(console(node.port)))
            assert await raws[-1].associate(title) == ACCEPT
            await open_ones.enter_async_context(_trickling(raws[-1], thing, _one_object_by_bytes))
        answer = REJECT
        while answer == REJECT:
            async with console(node.port) as raw:
                answer = await raw.associate("SICK")
                if answer == ACCEPT:
                    await raw.release()
        assert await is_refused(node, "'SICK' needed its place")
        assert not raws[0].reader.at_eof()
        assert raws[1].reader.at_eof() or (await raws[1].answer())[0] == ABORT


async def test_its_own_limit_is_no_trap_for_a_console(settings: Any, thing: Any, console: Any) -> None:
    """A console whose former associations trickle, as through a failing switch, gets in for one of them."""
    senders = [{"ae_title": "CAMERA", "maximum_associations": 2}]
    chosen = settings(idle_time_s=6, workers=1, allowed_ae_titles=(), senders=senders)
    async with run_node(chosen) as node, AsyncExitStack() as open_ones, asyncio.timeout(40):
        for _ in range(2):
            raw = await open_ones.enter_async_context(console(node.port))
            assert await raw.associate("CAMERA") == ACCEPT
            await open_ones.enter_async_context(_trickling(raw, thing, _one_object_by_bytes))
        answer = REJECT
        while answer == REJECT:
            async with console(node.port) as raw:
                answer = await raw.associate("CAMERA")
                if answer == ACCEPT:
                    assert await raw.store(thing(object_uid="1.9.9")) == 0x0000
                    await raw.release()
        assert await is_refused(node, "'CAMERA' needed its place")


@pytest.mark.parametrize("number", [0, 1])
async def test_a_message_that_trickles_is_given_up(settings: Any, thing: Any, console: Any, number: int) -> None:
    """Also while there is room: after the time for silence its association ends, and nothing is left of it."""
    chosen = settings(workers=number, idle_time_s=1)
    async with run_node(chosen) as node, console(node.port) as raw, asyncio.timeout(20):
        assert await raw.associate("SICK") == ACCEPT
        async with _trickling(raw, thing, _one_object_by_bytes):
            assert (await raw.answer())[0] == ABORT
        assert await is_refused(node, "bytes/s, 500 are the least (minimum_bytes_per_s)")
        assert node.figures is not None
        while "pace" not in node.figures.refused:  # noqa: ASYNC110 - another process tells
            await asyncio.sleep(PAUSE_S)
        assert not left(chosen.folder)
        await serves(node, thing, console)


@pytest.mark.parametrize("number", [0, 1])
async def test_a_slow_line_is_not_cut(settings: Any, thing: Any, console: Any, number: int) -> None:
    """An object at 64 kbit/s comes whole though others want its place all the time, and they are rejected."""
    chosen = settings(workers=number, idle_time_s=2, maximum_associations=1)
    long = thing(note="slow " * 9600)
    async with run_node(chosen) as node, console(node.port) as raw, asyncio.timeout(40):
        assert await raw.associate("CAMERA") == ACCEPT
        raw.begin_store(long)
        began_s, sent, content = monotonic(), 0, long.data_set
        while sent < len(content):
            due = min(len(content), 1 + int((monotonic() - began_s) * LINE_BYTES_PER_S))
            raw.send(content[sent:due], control=2 if due == len(content) else 0)
            sent = due
            async with console(node.port) as other:
                assert await other.associate("OTHER") == REJECT
        assert monotonic() - began_s > 2 * chosen.idle_time_s
        assert raw.status(await raw.answer()) == 0x0000
