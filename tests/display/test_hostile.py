"""What a stranger may send: refused, while every display that was there goes on being served."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from display.app import Exhibits, create_app
from display.messages.feed import ServerMessage, State
from display.server import MOST_CONNECTIONS
from tests.display.test_app import state
from tests.display.test_server import exhibits, serving

SPOKEN = [Subprotocol("radionav.v1")]
PATIENCE_S = 60.0


@contextlib.asynccontextmanager
async def looking(port: int) -> AsyncIterator[ClientConnection]:
    """A display that was there before the stranger."""
    async with connect(f"ws://127.0.0.1:{port}/v1/feed", subprotocols=SPOKEN) as display:
        await display.recv()
        yield display


async def is_served(display: ClientConnection, shown: Exhibits, seq: int) -> None:
    """See that a display gets the next state."""
    await display.send(json.dumps({"type": "next", "last_seq": seq - 1}))
    shown.hub.publish(state(seq))
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message: ServerMessage = msgspec.json.decode(await display.recv(), type=ServerMessage)
            if isinstance(message, State):
                assert message.seq == seq
                return


async def test_more_connections_than_it_holds_are_closed_and_others_served() -> None:
    """Hundreds that say nothing: those beyond the limit are closed at once, and the display notices none of it."""
    shown = exhibits()
    async with serving(shown) as (_, _, port), looking(port) as display:
        strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS + 100)]
        try:
            await is_served(display, shown, 0)
            async with asyncio.timeout(PATIENCE_S):
                ends = [asyncio.create_task(reader.read(1)) for reader, _ in strangers]
                while sum(end.done() for end in ends) < 100:  # noqa: ASYNC110 - the other side closes them
                    await asyncio.sleep(0.02)
            # not those that came first, which a while later are closed because they ask for nothing
            assert not any(end.done() for end in ends[: MOST_CONNECTIONS // 2])
            await is_served(display, shown, 1)
        finally:
            for _, writer in strangers:
                writer.close()
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            await asyncio.gather(*(writer.wait_closed() for _, writer in strangers), return_exceptions=True)


async def test_who_asks_for_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a word, or a request that never ends, holds no place for long; a display holds its own."""
    monkeypatch.setattr("display.server.FIRST_REQUEST_WITHIN_S", 0.2)
    shown = exhibits()
    async with serving(shown) as (_, _, port), looking(port) as display:
        for said in (b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(writer):
                writer.write(said)
                async with asyncio.timeout(PATIENCE_S):
                    with contextlib.suppress(ConnectionResetError):
                        assert await reader.read() == b""
        await is_served(display, shown, 0)


async def test_a_megabyte_is_refused_and_others_served() -> None:
    """The connection that sent it is closed as too big (1009)."""
    shown = exhibits()
    async with serving(shown) as (_, _, port), looking(port) as display, looking(port) as stranger:
        await stranger.send("x" * 1_000_000)
        async with asyncio.timeout(PATIENCE_S):
            await stranger.wait_closed()
        assert stranger.close_code == 1009
        await is_served(display, shown, 0)


MESSAGES = st.one_of(
    st.text(max_size=300),
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
        max_leaves=12,
    ).map(json.dumps),
    st.sampled_from(("next", "ping", "sign_in", "follow")).flatmap(
        lambda kind: st.dictionaries(
            st.sampled_from(("last_seq", "client_ms", "token", "since_seq", "x")),
            st.integers() | st.text(max_size=5) | st.floats(),
        ).map(lambda fields: json.dumps({"type": kind, **fields}))
    ),
)


@pytest.mark.parametrize("path", ["/v1/feed", "/v1/events"])
async def test_whatever_is_said_on_a_socket_nobody_else_notices(path: str) -> None:
    """Text, bytes, JSON of any shape, messages that are almost ours: answered, refused or closed, never more."""
    shown, said = exhibits(), list[str | bytes]()

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    @given(st.lists(MESSAGES, min_size=1, max_size=4))
    def draw(messages: list[str | bytes]) -> None:
        said.extend(messages)

    draw()
    async with serving(shown) as (_, serving_task, port), looking(port) as display:
        for message in said:
            async with connect(f"ws://127.0.0.1:{port}{path}", subprotocols=SPOKEN) as stranger:
                with contextlib.suppress(ConnectionClosed):
                    await stranger.send(message)
        assert not serving_task.done()
        await is_served(display, shown, 0)


def test_no_request_makes_the_server_fail() -> None:
    """Whatever the HTTP interface's own description allows, and any body: an answer, never a fault of ours."""
    app = create_app(exhibits())
    schema = schemathesis.openapi.from_dict(app.openapi())
    with TestClient(app, base_url="http://127.0.0.1") as client:
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()

            @settings(max_examples=25, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
            @given(operation.as_strategy(), st.binary(max_size=200) | MESSAGES)
            def ask(case: schemathesis.Case[Any], body: str | bytes) -> None:
                content = body.encode() if isinstance(body, str) else body
                wants_body = case.method not in {"GET", "HEAD"}
                answer = client.request(
                    case.method, case.formatted_path, params=case.query, content=content if wants_body else None
                )
                assert answer.status_code < 500, (case.method, answer.url, content)

            ask()
