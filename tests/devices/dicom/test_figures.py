"""The node's figures, which its metrics are made of, say how it stands."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from devices.dicom.client import StorageNode, run_node
from devices.dicom.messages import Figures
from tests.devices.dicom.seen import ACCEPT, REJECT, is_staffed
from tests.devices.dicom.services.asking import PUSH_MODEL, RAW_ACTION, RAW_REQUEST


async def _told(node: StorageNode, is_so: Callable[[Figures], bool]) -> bool:
    """Wait for figures of which something is so."""
    async with asyncio.timeout(30):
        while node.figures is None or not is_so(node.figures):  # noqa: ASYNC110 - another process tells
            await asyncio.sleep(0.02)
    return True


@pytest.mark.parametrize("number", [0, 1])
async def test_associations_are_counted_wherever_they_are_served(settings: Any, console: Any, number: int) -> None:
    """Those open now, how each has ended, and who was turned away, also where a worker serves them."""
    chosen = settings(allowed_ae_titles=("CAMERA",), workers=number)
    async with run_node(chosen) as node, AsyncExitStack() as consoles:
        await is_staffed(node, number)
        one, other, stranger = [await consoles.enter_async_context(console(node.port)) for _ in range(3)]
        answers = [
            await raw.associate(title) for raw, title in ((one, "CAMERA"), (other, "CAMERA"), (stranger, "X"))
        ]
        assert answers == [ACCEPT, ACCEPT, REJECT]
        assert await _told(node, lambda told: told.associations_open == 2)
        await one.release()
        assert await _told(node, lambda told: told.associations_open == 1)
        other.writer.transport.abort()
        assert await _told(node, lambda told: told.associations_open == 0)
        assert node.figures is not None
        assert node.figures.associations_ended == {"released": 1, "broken off": 1}
        assert node.figures.refused["calling AE title"] == 1


async def test_what_waits_is_counted_until_it_has_gone(settings: Any, thing: Any, console: Any) -> None:
    """A report of commitment that nobody takes, and objects without a row in the index."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        there = {"commitment_host": "127.0.0.1", "commitment_port": nobody.getsockname()[1]}
        chosen = settings(allowed_ae_titles=(), senders=[{"ae_title": "CAMERA", **there}])
        async with asyncio.timeout(60), run_node(chosen) as node, console(node.port) as raw:
            assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == ACCEPT
            raw.send(RAW_ACTION, control=3)
            raw.send(RAW_REQUEST, control=2)
            assert raw.status(await raw.answer()) == 0x0000
            assert await _told(node, lambda told: told.commitments_waiting == 1)
            # a row follows when no object has come for a moment
            number = 0
            while node.figures is None or not node.figures.index_waiting:
                assert await raw.store(thing(object_uid=f"1.2.3.{number}")) == 0x0000
                number += 1
            assert await _told(node, lambda told: told.index_waiting == 0)
            assert node.figures.commitments_waiting == 1


async def test_what_waits_for_an_index_that_is_away_is_unknown(settings: Any, thing: Any, console: Any) -> None:
    """Neither none nor any number is told while nobody counts; when it is back and whole, none waits."""
    chosen = settings()
    in_the_way = chosen.folder / ".index" / "index.sqlite"
    in_the_way.mkdir(parents=True)  # no database can be made there
    async with asyncio.timeout(60), run_node(chosen) as node, console(node.port) as raw:
        assert await raw.associate() == ACCEPT
        assert await raw.store(thing()) == 0x0000
        assert await _told(node, lambda told: told.objects == {"new": 1})
        assert node.figures is not None
        assert node.figures.index_waiting is None
        in_the_way.rmdir()
        assert await _told(node, lambda told: told.index_waiting == 0)
