"""Who is let in, and how many at a time."""

import asyncio
import os
import resource
import signal
from contextlib import AsyncExitStack
from typing import Any

import pytest

from devices.dicom.client import run_node
from devices.dicom.door import SPARE_CONNECTIONS, WAITING_CONNECTIONS
from tests.devices.dicom.seen import ACCEPT, REJECT, descriptors, ended, is_refused, refusal


async def test_who_asked_while_the_node_was_busy_is_not_silent(settings: Any, console: Any) -> None:
    """Twenty consoles at one address that ask at once are all let in, though nobody heard them for a while."""
    async with run_node(settings(maximum_associations=20)) as node, AsyncExitStack() as consoles:
        os.kill(node.process_id, signal.SIGSTOP)
        try:
            every = [await consoles.enter_async_context(console(node.port)) for _ in range(20)]
            asking = [asyncio.create_task(raw.associate(f"C{number}")) for number, raw in enumerate(every)]
            await asyncio.sleep(0)  # each has asked
        finally:
            os.kill(node.process_id, signal.SIGCONT)
        async with asyncio.timeout(20):
            assert await asyncio.gather(*asking) == [ACCEPT] * 20


async def test_each_limit_on_associations_is_its_own(settings: Any, console: Any) -> None:
    """A sender has its own limit below the node's, and one that has reached it does not keep others out."""
    senders = [{"ae_title": "FIRST", "maximum_associations": 1}, {"ae_title": "SECOND"}]
    async with run_node(settings(allowed_ae_titles=(), senders=senders)) as node, AsyncExitStack() as consoles:
        answers = []
        for title in ("FIRST", "FIRST", "SECOND"):
            raw = await consoles.enter_async_context(console(node.port))
            answers.append(await raw.associate(title))
    assert answers == [ACCEPT, REJECT, ACCEPT]


async def test_a_sender_is_who_calls_whom_from_where(settings: Any, console: Any) -> None:
    """Its title alone is not enough: the network must be its own, and so must what it calls the node."""
    senders = [
        {"ae_title": "CAMERA", "networks": ["127.0.0.2/32"]},
        {"ae_title": "SCANNER", "networks": ["127.0.0.4/32"]},
    ]
    async with run_node(settings(allowed_ae_titles=(), senders=senders)) as node:
        async with console(node.port, from_address="127.0.0.3") as raw:
            await ended(raw)
        assert await is_refused(node, "nobody may send from there")
        async with console(node.port, from_address="127.0.0.4") as raw:
            assert await raw.associate("CAMERA") == REJECT
        assert await is_refused(node, "127.0.0.4 is in none of the networks of 'CAMERA'")
        for called, answer in (("RADIONAV", ACCEPT), ("OTHER", REJECT)):
            async with console(node.port, from_address="127.0.0.2") as raw:
                assert await raw.associate("CAMERA", called_ae=called) == answer
                if answer == ACCEPT:
                    await raw.release()
        assert await is_refused(node, "called AE title 'OTHER'")


@pytest.mark.parametrize("allowed", [(), ("CAMERA1",)])
async def test_who_is_not_allowed_is_rejected(settings: Any, console: Any, allowed: tuple[str, ...]) -> None:
    """With nobody allowed nobody is let in, and with a list only those on it; the refusal names the title."""
    async with run_node(settings(allowed_ae_titles=allowed)) as node:
        async with console(node.port) as raw:
            assert await raw.associate("STRANGER") == REJECT
        assert "'STRANGER' is not in allowed_ae_titles" in await refusal(node)
        if allowed:
            async with console(node.port) as raw:
                assert await raw.associate("CAMERA1") == ACCEPT


async def test_connections_that_go_away_do_not_keep_others_out(settings: Any, console: Any) -> None:
    """After many that closed without a word, as port scanners and health checks do, there is room at once."""
    async with run_node(settings(maximum_associations=2)) as node:
        for _ in range(20):
            async with console(node.port) as raw:
                raw.writer.write(b"GET / HTTP/1.1\r\n\r\n")
                await raw.closed()
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT


async def test_silent_connections_do_not_keep_others_out(settings: Any, thing: Any, console: Any) -> None:
    """Fifty connections that say nothing from one address leave room for a console at another, and at the same."""
    async with run_node(settings()) as node:
        silent = [await asyncio.open_connection("127.0.0.1", node.port) for _ in range(50)]
        assert "say nothing" in await refusal(node)
        for address in ("127.0.0.2", "127.0.0.1"):
            async with console(node.port, from_address=address) as raw:
                assert await raw.associate() == ACCEPT
                assert await raw.store(thing()) == 0x0000
        for _, writer in silent:
            writer.close()


async def test_silent_connections_from_everywhere_do_not_keep_others_out(
    settings: Any, thing: Any, console: Any
) -> None:
    """From however many addresses, the newest so many are kept; a console gets in, and one that works stays."""
    kept = 1 + WAITING_CONNECTIONS
    chosen = settings(maximum_associations=2, workers=0, request_time_s=60)
    async with run_node(chosen) as node, AsyncExitStack() as consoles:
        working = await consoles.enter_async_context(console(node.port))
        assert await working.associate() == ACCEPT
        silent = [
            await consoles.enter_async_context(console(node.port, from_address=f"127.0.1.{number}"))
            for number in range(1, 12)
            for _ in range(SPARE_CONNECTIONS)
        ]
        for raw in silent[:-kept]:
            await ended(raw)
        assert await is_refused(node, "another connection needed the room")
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            await raw.release()
        await ended(silent[-kept])
        assert not any(raw.reader.at_eof() for raw in silent[2 - kept :])
        assert await working.store(thing()) == 0x0000


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
async def test_who_was_turned_away_and_stays_does_not_keep_others_out(
    settings: Any, console: Any, address: str
) -> None:
    """A hundred that were rejected and do not hang up leave room for a console, at their address and elsewhere."""
    chosen = settings(allowed_ae_titles=("CAMERA",), request_time_s=60)
    async with run_node(chosen) as node, AsyncExitStack() as consoles, asyncio.timeout(30):
        for _ in range(100):
            raw = await consoles.enter_async_context(console(node.port))
            assert await raw.associate("STRANGER") == REJECT
        async with console(node.port, from_address=address) as raw:
            assert await raw.associate("CAMERA") == ACCEPT


async def test_a_node_out_of_descriptors_lets_in_who_speaks(settings: Any, console: Any) -> None:
    """With room for four more files a connection that says nothing makes room for one that asks."""
    async with run_node(settings(workers=0, request_time_s=60)) as node, AsyncExitStack() as consoles:
        used = descriptors(node)
        _, most = resource.prlimit(node.process_id, resource.RLIMIT_NOFILE)
        resource.prlimit(node.process_id, resource.RLIMIT_NOFILE, (used + 4, most))
        for number in range(12):
            await consoles.enter_async_context(console(node.port, from_address=f"127.0.1.{number + 1}"))
        async with console(node.port) as raw, asyncio.timeout(20):
            assert await raw.associate() == ACCEPT


async def test_more_associations_than_allowed_are_rejected(settings: Any, console: Any) -> None:
    """The one too many is rejected, not left waiting, and the reason is reported."""
    async with run_node(settings(maximum_associations=2)) as node, AsyncExitStack() as consoles:
        answers = []
        for _ in range(3):
            raw = await consoles.enter_async_context(console(node.port))
            answers.append(await raw.associate())
        assert answers == [2, 2, 3]
        assert "2 associations are open already" in await refusal(node)
