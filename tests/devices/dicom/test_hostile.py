"""What no console should send: it leaves no file behind, and the next console is served."""

import asyncio
import resource
import struct
from typing import Any

import pytest

from devices.dicom.client import run_node
from tests.devices.dicom.seen import (
    ABORT,
    ACCEPT,
    ASSOCIATE_REQUEST,
    REJECT,
    RELEASE_REPLY,
    ended,
    is_refused,
    is_staffed,
    left,
    resident_kb,
    serves,
    workers,
)

PDU_TYPES = [ASSOCIATE_REQUEST, ACCEPT, REJECT, 4, RELEASE_REPLY, 0x16, 0xFF]


@pytest.mark.parametrize("kind", PDU_TYPES)
async def test_a_wrong_pdu_before_the_request(settings: Any, thing: Any, console: Any, kind: int) -> None:
    """Whatever comes first and is no whole A-ASSOCIATE-RQ is answered by an A-ABORT."""
    async with run_node(settings()) as node:
        async with console(node.port) as raw:
            raw.writer.write(struct.pack(">BxL", kind, 4) + bytes(4))
            assert (await raw.answer())[0] == ABORT
            await ended(raw)
        await serves(node, thing, console)


@pytest.mark.parametrize("kind", PDU_TYPES)
async def test_a_wrong_pdu_in_mid_object(settings: Any, thing: Any, console: Any, kind: int) -> None:
    """A PDU that does not belong in an association aborts it, and what had come of an object is removed."""
    chosen = settings()
    async with run_node(chosen) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            raw.begin_store(thing())
            raw.send(thing().data_set, control=0)
            raw.writer.write(struct.pack(">BxL", kind, 4) + bytes(4))
            assert (await raw.answer())[0] == ABORT
            await ended(raw)
        await serves(node, thing, console)
        assert not left(chosen.folder)


async def test_an_abort_in_mid_object(settings: Any, thing: Any, console: Any) -> None:
    """A console that aborts is not answered, and what had come of its object is removed."""
    chosen = settings()
    async with run_node(chosen) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            raw.begin_store(thing())
            raw.send(thing().data_set, control=0)
            raw.writer.write(struct.pack(">BxL", ABORT, 4) + bytes(4))
            async with asyncio.timeout(20):
                assert await raw.reader.read() == b""
        await serves(node, thing, console)
        assert not left(chosen.folder)


async def test_a_wrong_pdu_after_the_release(settings: Any, thing: Any, console: Any) -> None:
    """What follows a release is ignored, but for a request, which is answered by an A-ABORT."""
    async with run_node(settings()) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            await raw.release()
            raw.writer.write(struct.pack(">BxL", 4, 10) + struct.pack(">LBB", 6, 1, 3) + bytes(4))
            assert await raw.associate() == ABORT
        await serves(node, thing, console)


@pytest.mark.parametrize(
    "pdu",
    [
        struct.pack(">BxL", 4, 300_000_000),
        struct.pack(">BxL", 4, 0xFFFFFFFF),
        struct.pack(">BxL", 1, 600_000),
        struct.pack(">BxLL", 4, 10, 100) + b"\x01\x03" + bytes(4),
        struct.pack(">BxLL", 4, 6, 0) + b"\x01\x03",
        struct.pack(">BxLLBB", 4, 8, 4, 77, 3) + b"ab",
        struct.pack(">BxLLBB", 4, 8, 4, 1, 2) + b"ab",
    ],
    ids=[
        "300 MB",
        "4 GB",
        "long request",
        "fragment past the end",
        "empty fragment",
        "no such context",
        "no command",
    ],
)
async def test_lengths_and_contexts_that_lie(settings: Any, thing: Any, console: Any, pdu: bytes) -> None:
    """The association is aborted without reading on, in a few megabytes of memory."""
    async with run_node(settings()) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            before_kb = resident_kb(node)
            raw.writer.write(pdu)
            async with asyncio.timeout(20):  # sooner than for want of the rest
                assert (await raw.answer())[0] == ABORT
            await ended(raw)
        await serves(node, thing, console)
        assert resident_kb(node) - before_kb < 8_000


async def test_a_command_without_end(settings: Any, thing: Any, console: Any) -> None:
    """A command set that goes on past 64 KB is aborted."""
    async with run_node(settings()) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            for _ in range(20):
                raw.send(bytes(8000), control=1)
            async with asyncio.timeout(20):  # sooner than for silence
                assert (await raw.answer())[0] == ABORT
        assert await is_refused(node, "a command set of more than 65536 bytes")
        await serves(node, thing, console)


async def test_an_object_without_end(settings: Any, thing: Any, console: Any) -> None:
    """An object above ``maximum_object_mb`` aborts its association, and its file is gone."""
    chosen = settings(maximum_object_mb=1)
    async with run_node(chosen) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            raw.begin_store(thing())
            for _ in range(101):
                raw.send(bytes(10_000), control=0)
            assert (await raw.answer())[0] == ABORT
        assert await is_refused(node, "maximum_object_mb")
        await serves(node, thing, console)
        assert not left(chosen.folder)


async def test_a_disk_that_refuses_in_mid_object(settings: Any, thing: Any, console: Any) -> None:
    """The answer is 0xA700 and nothing of the object is left; the association goes on, and stores when it can."""
    chosen = settings(workers=1)
    async with run_node(chosen) as node, console(node.port) as raw:
        await is_staffed(node, 1)
        (worker,) = workers(node)
        assert await raw.associate() == ACCEPT
        # to a process whose files may have 1 MB at most a write fails as on a full disk, after a part of it
        _, most = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (1_000_000, most))
        raw.begin_store(thing())
        for count in range(20):
            raw.send(bytes(100_000), control=2 if count == 19 else 0)
        assert raw.status(await raw.answer()) == 0xA700
        assert not left(chosen.folder)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (most, most))
        assert await raw.store(thing(object_uid="1.9.9")) == 0x0000
        assert await is_refused(node, "could not be written")
        assert not left(chosen.folder)


async def test_a_byte_a_second(settings: Any, thing: Any, console: Any) -> None:
    """A request that trickles in is given up after the time for one; so is a PDU in an association."""
    async with run_node(settings(request_time_s=0.3, pdu_time_s=0.3)) as node:
        async with console(node.port) as raw:
            raw.writer.write(b"\x01\x00\x00\x00")
            await ended(raw)
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            raw.writer.write(b"\x04\x00\x00\x00")
            assert (await raw.answer())[0] == ABORT
        assert await is_refused(node, "not complete within")
        await serves(node, thing, console)


@pytest.mark.parametrize("number", [0, 1])
async def test_bytes_that_never_stop_trickling(settings: Any, thing: Any, console: Any, number: int) -> None:
    """The time for a request, and for a PDU of an association, is from its first byte: another buys none."""

    async def trickle(raw: Any, head: bytes) -> None:
        raw.writer.write(head)
        while not raw.reader.at_eof():
            raw.writer.write(b"\0")
            await asyncio.sleep(0.05)

    async with run_node(settings(workers=number, request_time_s=0.3, pdu_time_s=0.3)) as node:
        for is_asked_for in (False, True):
            async with console(node.port) as raw, asyncio.timeout(10):
                if is_asked_for:
                    assert await raw.associate() == ACCEPT
                kind = 4 if is_asked_for else ASSOCIATE_REQUEST
                trickling = asyncio.create_task(trickle(raw, struct.pack(">BxL", kind, 10_000)))
                await ended(raw)
                trickling.cancel()
        await serves(node, thing, console)


async def test_silence(settings: Any, thing: Any, console: Any) -> None:
    """An association on which nothing is said is aborted, and one that takes too long as well."""
    async with run_node(settings(idle_time_s=0.3)) as node, console(node.port) as raw:
        assert await raw.associate() == ACCEPT
        assert (await raw.answer())[0] == ABORT
        await serves(node, thing, console)
    async with run_node(settings(total_time_s=0.3)) as node, console(node.port) as raw:
        assert await raw.associate() == ACCEPT
        assert (await raw.answer())[0] == ABORT


@pytest.mark.parametrize("end", ["rejected", "released"])
@pytest.mark.parametrize("number", [0, 1])
async def test_who_does_not_hang_up_is_hung_up_on(settings: Any, console: Any, number: int, end: str) -> None:
    """After a rejection or a release it is the console that closes (PS3.8 9.1.4): for so long, and no longer."""
    chosen = settings(workers=number, request_time_s=0.3, allowed_ae_titles=("CAMERA",))
    async with run_node(chosen) as node, console(node.port) as raw:
        if end == "rejected":
            assert await raw.associate("STRANGER") == REJECT
        else:
            assert await raw.associate("CAMERA") == ACCEPT
            await raw.release()
        await ended(raw)


@pytest.mark.parametrize("number", [0, 1])
async def test_one_that_never_falls_silent_ends_in_time(
    settings: Any, thing: Any, console: Any, number: int
) -> None:
    """The time for an association as a whole holds where object follows object too, here and in a worker."""
    async with run_node(settings(workers=number, total_time_s=1.0)) as node, asyncio.timeout(20):
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            while await raw.store(thing()) == 0x0000:
                pass
        assert await is_refused(node, "the association took 1 s")


async def test_what_is_no_dicom_at_all(settings: Any, thing: Any, console: Any) -> None:
    """A TLS greeting on the plain port and a web request are answered by an abort and closed."""
    async with run_node(settings()) as node:
        for greeting in (bytes.fromhex("1603010200010001fc0303"), b"GET / HTTP/1.1\r\n\r\n"):
            async with console(node.port) as raw:
                raw.writer.write(greeting)
                assert (await raw.answer())[0] == ABORT
                await ended(raw)
        await serves(node, thing, console)


@pytest.mark.parametrize("damage", ["cut short", "a lying length", "left over", "no data set at all"])
async def test_a_damaged_data_set(settings: Any, thing: Any, console: Any, damage: str) -> None:
    """An object that does not hold together is answered 0xC000 and not kept; the association goes on."""
    chosen, one = settings(), thing()
    data_set = {
        "cut short": one.data_set[:-3],
        "a lying length": one.data_set + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 1_000_000) + bytes(100),
        "left over": one.data_set + b"\x7f\x01",
        "no data set at all": b"",
    }[damage]
    async with run_node(chosen) as node, console(node.port) as raw:
        assert await raw.associate() == ACCEPT
        raw.begin_store(one)
        raw.send(data_set, control=2)
        assert raw.status(await raw.answer()) == 0xC000
        assert await raw.store(thing(object_uid="1.9.9")) == 0x0000
        assert not left(chosen.folder)
