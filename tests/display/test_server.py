"""The server in a process that ends as a whole."""

import asyncio
import dataclasses
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import msgspec
import pytest
from fastapi import FastAPI
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from acquisition.tracking.desk import Standing
from devices.clock import monotonic
from display.access.admission import LOOKED_AT_EVERY_S
from display.access.sign_in import TOLD_WITHIN_S
from display.app import Exhibits, create_app
from display.hub import Hub
from display.messages.access import SignIn
from display.messages.feed import SUBPROTOCOL, Hello, ServerMessage, State
from display.messages.study import StudyChoice, StudyList
from display.server import LINGERS_S, AddressInUse, Server, listen
from display.shelf import Shelf
from tests.display.access.test_admission import VIEW, Door
from tests.display.page.calibrated import ScriptedCalibrator
from tests.display.recorded import kept_nowhere, proceed, unjoined, unreported, unswept, untrended
from tests.display.resected import refuse
from tests.display.test_app import HELLO, choose, state


def exhibits() -> Exhibits:
    return Exhibits(
        hub=Hub(),
        shelf=Shelf(),
        hello=lambda: HELLO,
        studies=lambda: StudyList(revision=0, studies=()),
        choose=choose,
        report=unreported,
        frames=unjoined,
        resect=refuse,
        proceed=proceed,
        journal=kept_nowhere(),
        trend=untrended(),
        path=unswept(),
        clock=monotonic,
    )


@asynccontextmanager
async def serving(
    shown: Exhibits, app: FastAPI | None = None
) -> AsyncIterator[tuple[Server, asyncio.Task[None], int]]:
    """A running server, ended within its time."""
    listener = listen("127.0.0.1", 0)
    server = Server(app or create_app(shown))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield server, task, listener.getsockname()[1]
    finally:
        server.close()
        async with asyncio.timeout(2.5):
            await task
        listener.close()


def serving_displays() -> set[str]:
    """Names of the tasks that serve connected displays."""
    return {name for task in asyncio.all_tasks() if (name := task.get_name()).startswith("display ")}


def test_a_port_in_use_is_said_in_a_sentence() -> None:
    """Which address, why, and what to do; no descriptor is left."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUse, match=rf"127\.0\.0\.1:{port} .*in use.*set another port"):
            listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_said_too() -> None:
    """192.0.2.1 (RFC 5737) is nobody's own address."""
    with pytest.raises(AddressInUse, match=r"192\.0\.2\.1:0 cannot be listened on"):
        listen("192.0.2.1", 0)


def test_a_freed_port_can_be_taken_at_once() -> None:
    """A service that is restarted does not wait for the connections of the former one to be forgotten."""
    listener = listen("127.0.0.1", 0)
    address = listener.getsockname()
    with socket.create_connection(address), listener.accept()[0] as served:
        served.close()
        listener.close()
    with listen(*address) as taken:
        assert taken.getsockname() == address


async def test_it_ends_within_two_seconds_with_displays_connected() -> None:
    """One display reads, one never does and sends nothing: neither holds the service up, both are told goodbye."""
    shown = exhibits()
    async with (
        serving(shown) as (server, task, port),
        connect(f"ws://127.0.0.1:{port}/v1/feed", subprotocols=[Subprotocol(SUBPROTOCOL)]) as reading,
        connect(f"ws://127.0.0.1:{port}/v1/feed", subprotocols=[Subprotocol(SUBPROTOCOL)]),
    ):
        hello = msgspec.json.decode(await reading.recv(), type=ServerMessage)
        assert isinstance(hello, Hello)
        await reading.send('{"type":"next","last_seq":-1}')
        shown.hub.publish(state(0))
        began_s = monotonic()
        server.close()
        async with asyncio.timeout(2):
            await reading.wait_closed()
        assert reading.close_code is not None
        async with asyncio.timeout(2):
            await asyncio.shield(task)
        assert monotonic() - began_s < 2.0
    assert shown.hub._waiting == set()


async def test_who_waits_for_news_as_it_ends_is_answered(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A calibration that is followed, an act that takes its time: 503 with why, and not a word in the log."""
    calibrator, following, choosing = ScriptedCalibrator(), asyncio.Event(), asyncio.Event()
    changed = calibrator.desk.changed

    async def follow(after: int, *, longest_s: float) -> Standing:
        following.set()
        return await changed(after, longest_s=longest_s)

    async def choose_for_ever(_choice: StudyChoice) -> str | None:
        choosing.set()
        await asyncio.Event().wait()
        return None

    monkeypatch.setattr(calibrator.desk, "changed", follow)
    shown = dataclasses.replace(exhibits(), choose=choose_for_ever)
    app = create_app(shown, calibrator=calibrator)
    choice = {"study_uid": "1.2", "patient_id": "7", "patient_name": "A^B", "revision": 0}
    async with serving(shown, app) as (server, task, port), httpx2.AsyncClient(timeout=60.0) as client:
        waiting = (
            asyncio.create_task(client.get(f"http://127.0.0.1:{port}/v1/calibrations?after=0")),
            asyncio.create_task(client.post(f"http://127.0.0.1:{port}/v1/procedure", json=choice)),
        )
        async with asyncio.timeout(60):
            await following.wait()
            await choosing.wait()
            server.close()
            answers = [await each for each in waiting]
            await asyncio.shield(task)
    assert [(answer.status_code, answer.text) for answer in answers] == [(503, "radionav is being ended")] * 2
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_display_that_breaks_off_leaves_nothing() -> None:
    """A tablet whose network dies is forgotten: its tasks end and nobody waits for it."""
    shown = exhibits()
    async with serving(shown) as (_, task, port):
        display = await connect(f"ws://127.0.0.1:{port}/v1/feed", subprotocols=[Subprotocol(SUBPROTOCOL)])
        await display.recv()
        await display.send('{"type":"next","last_seq":-1}')
        async with asyncio.timeout(5):
            while not shown.hub._waiting:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.005)
        assert serving_displays() == {"display listening", "display answering", "display heartbeat"}
        display.transport.abort()
        await display.wait_closed()
        async with asyncio.timeout(5):
            while shown.hub._waiting or serving_displays():  # noqa: ASYNC110 - they set no event
                await asyncio.sleep(0.005)
        assert not task.done(), "the server went with it"


async def test_who_reads_nothing_is_gone_within_a_second_of_its_token(tmp_path: Path) -> None:
    """What it was sent fills its buffers, so that it cannot even be told: its socket is closed all the same."""
    assert LOOKED_AT_EVERY_S + TOLD_WITHIN_S + LINGERS_S < 1.0
    shown, door = exhibits(), Door(tmp_path)
    for _ in range(300):
        shown.journal.add("marked", {"words": "x" * 100_000})
    async with serving(shown, create_app(shown, admission=door.admission)) as (server, _, port):
        url, spoken = f"ws://127.0.0.1:{port}/v1/events", [Subprotocol(SUBPROTOCOL)]
        stalled = await connect(url, subprotocols=spoken, compression=None)
        stalled.transport.pause_reading()
        await stalled.send(msgspec.json.encode(SignIn(token=VIEW)).decode())
        await stalled.send('{"type":"follow","since_seq":0}')
        async with asyncio.timeout(30):
            while not any(is_stuck(each) for each in server.server_state.connections):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        door.admission._tokens = {}
        door.admission._tell()
        async with asyncio.timeout(15):
            while server.server_state.connections:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        stalled.transport.abort()
        await stalled.wait_closed()


def is_stuck(connection: object) -> bool:
    """Whether nothing more can be written to a connection until its other end reads."""
    return isinstance(connection, WebSocketsSansIOProtocol) and not connection.writable.is_set()


async def test_twenty_displays_wait_for_no_stalled_tablet() -> None:
    """One asks and reads nothing any more, another never asks: 18 others get each frame that they want."""
    shown, others = exhibits(), 18
    async with serving(shown) as (_, _, port), AsyncExitStack() as stack:
        url, spoken = f"ws://127.0.0.1:{port}/v1/feed", [Subprotocol(SUBPROTOCOL)]
        displays = [await stack.enter_async_context(connect(url, subprotocols=spoken)) for _ in range(others + 2)]
        stalled, *_ = displays
        stalled.transport.pause_reading()
        await stalled.send('{"type":"next","last_seq":-1}')
        reading = displays[2:]
        for seq in range(5):
            for display in reading:
                await display.send(f'{{"type":"next","last_seq":{seq - 1}}}')
            async with asyncio.timeout(30):
                while len(shown.hub._waiting) < others:  # noqa: ASYNC110 - it sets no event
                    await asyncio.sleep(0.005)
            shown.hub.publish(state(seq))
            async with asyncio.timeout(30):
                got = await asyncio.gather(*(next_state(display) for display in reading))
            assert got == [seq] * others
        stalled.transport.resume_reading()


async def next_state(display: ClientConnection) -> int:
    """Number of the next state that comes."""
    async for message in display:
        received = msgspec.json.decode(message, type=ServerMessage)
        if isinstance(received, State):
            return received.seq
    raise ConnectionError("the display was closed")


async def test_a_small_frame_does_not_wait_for_the_one_before() -> None:
    """Nagle's algorithm is off on each display's connection: a state would wait 40 ms for its heartbeat's ACK."""
    is_sent_at_once: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    class Serving(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted = transport.get_extra_info("socket")
            is_sent_at_once.set_result(bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            transport.close()

    with listen("127.0.0.1", 0) as listener:
        async with await asyncio.get_running_loop().create_server(Serving, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            async with asyncio.timeout(20):
                assert await is_sent_at_once
            writer.close()
            await writer.wait_closed()
