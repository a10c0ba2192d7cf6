"""What no console should send: it leaves no file and no memory behind, and the next console is served."""

import asyncio
import os
import resource
import signal
import struct
import zlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest

from devices.dicom.client import StorageNode, run_node
from devices.dicom.node import DISK_THREADS
from devices.readings import DeviceHealth
from tests.devices.dicom.trail import transfers

ABORT, REJECT, ACCEPT = 7, 3, 2

ASSOCIATE_REQUEST, RELEASE_REQUEST, RELEASE_REPLY = 1, 5, 6
PDU_TYPES = [ASSOCIATE_REQUEST, ACCEPT, REJECT, 4, RELEASE_REPLY, 0x16, 0xFF]


async def ended(raw: Any) -> None:
    """Wait until the node has ended the connection."""
    async with asyncio.timeout(20):
        await raw.closed()


async def serves(node: StorageNode, thing: Any, console: Any, *, from_address: str = "127.0.0.1") -> None:
    """Store one object, as a console does that has done nothing wrong."""
    async with asyncio.timeout(20), console(node.port, from_address=from_address) as raw:
        assert await raw.associate() == ACCEPT
        assert await raw.store(thing(object_uid="1.9.9")) == 0x0000
        await raw.release()


async def is_refused(node: StorageNode, words: str) -> bool:
    """Wait for a refusal that says so."""
    async with asyncio.timeout(20), aclosing(node.health_changes()) as changes:
        async for health in changes:
            if words in health.detail:
                return True
    return False


def left(folder: Path) -> set[str]:
    """Files in the node's folder but the one of ``serves``."""
    return {path.name for path in folder.glob("[!.]*/*")} - {"1.9.9.dcm"} | {
        path.name for path in (folder / ".incoming").iterdir()
    }


def children(process_id: int) -> list[int]:
    """Processes that a process has forked."""
    return list(map(int, Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()))


def workers(node: StorageNode) -> list[int]:
    """Processes of the node's workers, which another process of its forks."""
    (foreman,) = children(node.process_id)
    return children(foreman)


async def is_staffed(node: StorageNode, number: int) -> None:
    """Wait until so many workers are there: they are forked when the node listens already."""
    async with asyncio.timeout(20):
        while len(workers(node)) != number:  # noqa: ASYNC110 - another process forks them
            await asyncio.sleep(0.01)


def resident_kb(node: StorageNode) -> int:
    """Most memory that the node's processes ever had, together."""
    found = 0
    for number in (node.process_id, *children(node.process_id), *workers(node)):
        lines = Path(f"/proc/{number}/status").read_text().splitlines()
        found += next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return found


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
            assert (await raw.answer())[0] == ABORT
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


async def test_five_hundred_silent_connections(settings: Any, thing: Any, console: Any) -> None:
    """From many addresses they make room for whoever speaks, also from one of those, and take little memory."""
    chosen = settings()
    async with run_node(chosen) as node:
        await is_staffed(node, chosen.crew_size)
        before_kb = resident_kb(node)
        silent = [
            await asyncio.open_connection("127.0.0.1", node.port, local_addr=(f"127.0.{number % 100}.9", 0))
            for number in range(500)
        ]
        await serves(node, thing, console, from_address="127.0.7.9")
        assert resident_kb(node) - before_kb < 20_000
        for _, writer in silent:
            writer.close()


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


async def test_a_deflate_bomb(settings: Any, thing: Any, console: Any) -> None:
    """A data set that inflates to 1 GB is identified by its head, and costs no more memory than that."""
    one = thing()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = packer.compress(one.data_set + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 1_000_000_000))
    bomb += b"".join(packer.compress(bytes(10_000_000)) for _ in range(20)) + packer.flush()
    async with run_node(settings()) as node, console(node.port) as raw:
        assert await raw.associate(transfer_syntax="1.2.840.10008.1.2.1.99") == ACCEPT
        before_kb = resident_kb(node)
        raw.begin_store(one)
        for place in range(0, len(bomb), 16000):
            raw.send(bomb[place : place + 16000], control=2 if place + 16000 >= len(bomb) else 0)
        assert raw.status(await raw.answer()) == 0x0000
        assert resident_kb(node) - before_kb < 30_000


@pytest.mark.parametrize("number", [0, 1])
async def test_memory_is_given_back_after_a_flood(settings: Any, thing: Any, console: Any, number: int) -> None:
    """Memory and threads of sixty associations that broke off in mid-object are free, here and in a worker."""

    def held_kb() -> int:
        """What the node and its workers hold now."""
        lines = [Path(f"/proc/{one}/status").read_text().splitlines() for one in (node.process_id, *workers(node))]
        return sum(int(line.split()[1]) for status in lines for line in status if line.startswith("VmRSS"))

    def threads() -> int:
        """Threads of the node and its workers now."""
        return sum(len(list(Path(f"/proc/{one}/task").iterdir())) for one in (node.process_id, *workers(node)))

    async def flood(node: StorageNode, times: int) -> None:
        for _ in range(times):
            ended = broken_off(node)
            async with AsyncExitStack() as consoles:
                for count in range(60):
                    raw = await consoles.enter_async_context(console(node.port))
                    assert await raw.associate(f"C{count}") == ACCEPT
                    raw.begin_store(thing(object_uid=f"1.2.{count}"))
                    raw.send(bytes(120_000), control=0)
                    await raw.writer.drain()
            while broken_off(node) < ended + 60:  # noqa: ASYNC110 - the node tells it from time to time
                await asyncio.sleep(0.05)

    async with run_node(settings(workers=number, maximum_associations=100)) as node:
        await is_staffed(node, number)
        before = threads()
        async with asyncio.timeout(100):
            await flood(node, 2)
            before_kb = held_kb()
            await flood(node, 4)
            # 14 MB of buffers each time; what threads are served from grows by some pages
            assert held_kb() - before_kb < 20_000
            while threads() > before + DISK_THREADS:  # noqa: ASYNC110 - each ends after it has told its end
                await asyncio.sleep(0.01)


def broken_off(node: StorageNode) -> int:
    """How many of its associations ended in mid-object, as it last told."""
    return node.figures.associations_ended.get("broken off", 0) if node.figures else 0


async def test_memory_does_not_grow_with_an_object(settings: Any, thing: Any, console: Any) -> None:
    """An object of 200 MB streams to the disk in a few megabytes of memory."""
    size = 200_000_000
    head = thing().data_set + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, size)
    chosen = settings()
    async with run_node(chosen) as node, console(node.port) as raw:
        assert await raw.associate() == ACCEPT
        before_kb = resident_kb(node)
        raw.begin_store(thing())
        raw.send(head, control=0)
        for place in range(0, size, 100_000):
            raw.send(bytes(100_000), control=2 if place + 100_000 == size else 0)
            await raw.writer.drain()
        assert raw.status(await raw.answer()) == 0x0000
        assert resident_kb(node) - before_kb < 8_000
    (kept,) = chosen.folder.glob("*/*.dcm")
    assert kept.stat().st_size > size


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
        async with console(node.port, from_address="127.0.0.4") as raw:
            assert await raw.associate("CAMERA") == REJECT
        assert await is_refused(node, "127.0.0.4 is in none of the networks of 'CAMERA'")
        for called, answer in (("RADIONAV", ACCEPT), ("OTHER", REJECT)):
            async with console(node.port, from_address="127.0.0.2") as raw:
                assert await raw.associate("CAMERA", called_ae=called) == answer
                if answer == ACCEPT:
                    await raw.release()
        assert await is_refused(node, "called AE title 'OTHER'")


async def test_an_abort_with_something_after_it_harms_nobody_else(settings: Any, thing: Any, console: Any) -> None:
    """What comes in one piece with an abort is dropped; the worker's other association goes on."""
    async with run_node(settings(workers=1)) as node, console(node.port) as other:
        assert await other.associate("OTHER") == ACCEPT
        assert await other.store(thing(object_uid="1.2.3.1")) == 0
        for late in (struct.pack(">BxL", 5, 4) + bytes(4), struct.pack(">BxLLBB", 4, 8, 4, 1, 3) + b"ab"):
            async with console(node.port) as raw:
                assert await raw.associate() == ACCEPT
                assert await raw.store(thing(object_uid="1.2.3.2")) == 0
                raw.writer.write(struct.pack(">BxL", 7, 4) + bytes(4) + late)
                await raw.closed()
        assert await other.store(thing(object_uid="1.2.3.3")) == 0
        await other.release()


async def test_a_lost_worker_takes_its_own_associations_only(settings: Any, thing: Any, console: Any) -> None:
    """Others go on, the study says that objects may be missing, and the audit trail has what was acknowledged."""
    chosen = settings(workers=2)
    async with run_node(chosen) as node:
        async with AsyncExitStack() as consoles:
            raws = [await consoles.enter_async_context(console(node.port)) for _ in range(4)]
            for number, raw in enumerate(raws):
                assert await raw.associate() == ACCEPT
                assert await raw.store(thing(object_uid=f"1.2.{number}", study_uid=f"1.3.{number}")) == 0x0000
            os.kill(workers(node)[0], signal.SIGKILL)
            statuses = await asyncio.gather(
                *(raw.store(thing(object_uid="1.2.9", study_uid="1.3.9")) for raw in raws), return_exceptions=True
            )
            assert statuses.count(0x0000) == 2
            assert await is_refused(node, "the worker that served it is lost")
        await serves(node, thing, console)
        async with asyncio.timeout(20), aclosing(node.studies()) as studies:
            async for study in studies:
                if "objects may be missing" in study.reason:
                    break
    brought = {(study_uid, objects) for _, _, study_uid, objects, _ in transfers(chosen.folder)}
    assert {(f"1.3.{number}", 1) for number in range(4)} <= brought


async def test_a_lost_worker_is_replaced_and_health_says_so(settings: Any, thing: Any, console: Any) -> None:
    """The first at once, the next after a while, in which the health names it; each new one serves."""
    async with run_node(settings(workers=1)) as node, asyncio.timeout(30), aclosing(node.health_changes()) as told:
        seen = {await _kill(node, set())}
        seen.add(await _kill(node, seen))  # its place was taken at once: a reader of the newest may see no gap
        assert await _until(
            told, "1 of its workers missing", "is lost: its process has ended; another is started in 1 s"
        )
        await serves(node, thing, console)  # the node itself, meanwhile
        assert await _until(told)
        (third,) = workers(node)
        assert third not in seen
        async with console(node.port) as raw:
            assert await raw.associate() == ACCEPT
            assert await raw.store(thing(object_uid="1.9.9")) == 0x0000
            os.kill(third, signal.SIGKILL)
            await ended(raw)  # so it was the new worker that served
        assert await _until(told, "another is started in 2 s")


async def _kill(node: StorageNode, former: set[int]) -> int:
    """Kill the only worker, as soon as it is another than those before."""
    while not (found := set(workers(node)) - former):  # noqa: ASYNC110 - another process forks it
        await asyncio.sleep(0.01)
    (worker,) = found
    os.kill(worker, signal.SIGKILL)
    return worker


async def _until(told: AsyncGenerator[DeviceHealth, None], *words: str) -> bool:
    """Wait until the health says all of it; without words, until no worker is missing."""
    async for health in told:
        if all(word in health.detail for word in words) and bool(words) == ("missing" in health.detail):
            return True
    return False


async def test_without_whoever_forks_them_the_node_serves_itself(settings: Any, thing: Any, console: Any) -> None:
    """Where no worker can be had any more the health says why, and consoles are served all the same."""
    async with run_node(settings(workers=1)) as node, asyncio.timeout(30), aclosing(node.health_changes()) as told:
        (foreman,), (worker,) = children(node.process_id), workers(node)
        os.kill(foreman, signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)
        assert await _until(told, "no worker can be started")
        await serves(node, thing, console)


@pytest.mark.parametrize("number", [0, 1, 4])
async def test_with_any_number_of_workers_a_study_is_whole(
    settings: Any, thing: Any, console: Any, number: int
) -> None:
    """Four consoles send one study at once, also without workers; it is announced with every object."""

    async def send(port: int, console_number: int) -> None:
        async with console(port) as raw:
            assert await raw.associate() == ACCEPT
            for count in range(10):
                assert await raw.store(thing(object_uid=f"1.2.{console_number}.{count}")) == 0x0000
            await raw.release()

    async with run_node(settings(workers=number)) as node:
        await is_staffed(node, number)
        await asyncio.gather(*(send(node.port, one) for one in range(4)))
        async with asyncio.timeout(20), aclosing(node.studies()) as studies:
            async for study in studies:
                if len(study.objects) == 40:
                    break
