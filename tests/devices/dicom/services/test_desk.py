"""When a report of storage commitment is sent, told on a node within the test, whose retries take an hour."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from devices.clock import monotonic
from devices.dicom.client import run_node
from devices.dicom.retrying import Retrying
from devices.dicom.services import docket
from devices.dicom.services.commands import Status
from devices.dicom.services.commitment import Failure, Reference, Transaction
from devices.dicom.services.desk import MOST_PENDING, CommitmentDesk
from devices.dicom.services.events import Cause, Event, Refusal
from devices.dicom.services.provider import DeskFull, Provider
from devices.dicom.services.verification import look_into
from devices.dicom.storage.store import ObjectStore
from tests.devices.dicom.seen import resident_kb
from tests.devices.dicom.services.asking import (
    PUSH_MODEL,
    RAW_ACTION,
    RAW_REQUEST,
    Told,
    listening,
    raw_request,
)
from tests.devices.dicom.services.desks import AT_ONCE, TRANSACTION, Disk, desk_of, serving


async def test_a_sender_in_mid_object_is_told_after_it(settings: Any, thing: Any, console: Any) -> None:
    """A report for which its sender has no time comes with the next answer, not when it would be tried again."""
    chosen, release = settings(), threading.Event()
    with Disk(1) as disk:
        async with asyncio.timeout(60), serving(chosen, disk) as (port, provider), console(port) as raw:
            assert isinstance(provider.desk, CommitmentDesk)
            reporting = asyncio.create_task(provider.desk.run())
            assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
            raw.send(RAW_ACTION, control=3)
            raw.send(RAW_REQUEST, control=2)
            raw.begin_store(thing())
            assert raw.status(await raw.answer()) == 0x0000
            (pending,) = (chosen.folder / ".commitments").glob("*.json")
            while b'"failures":null' in pending.read_bytes():  # noqa: ASYNC110 - the desk replaces it
                await asyncio.sleep(0.01)
            asked = disk.asked
            try:
                disk.submit(release.wait)  # the object is made durable behind that
                raw.send(thing().data_set, control=2)
                while disk.asked < asked + 2:  # noqa: ASYNC110 - the store sets no event
                    await asyncio.sleep(0.01)
                assert not provider.sessions[0].is_reachable, "it waits for the answer to its object"
            finally:
                release.set()
            assert raw.status(await raw.answer()) == 0x0000
            assert (await raw.answer())[0] == 0x04  # the report
            reporting.cancel()
            await asyncio.wait((reporting,))


async def test_a_long_request_holds_nobody_up(settings: Any, console: Any) -> None:
    """A request for 20,000 objects is read on a thread for the disk: the loop that serves others does less."""
    request = raw_request("1.5.4", *(f"1.2.3.{number}" for number in range(20_000)))
    chosen = settings()
    with Disk(1) as disk:
        async with asyncio.timeout(60), serving(chosen, disk) as (port, _), console(port) as raw:
            assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
            before_s = time.thread_time()
            raw.send(RAW_ACTION, control=3)
            for place in range(0, len(request), 100_000):
                raw.send(request[place : place + 100_000], control=2 if place + 100_000 >= len(request) else 0)
            assert raw.status(await raw.answer()) == 0x0000
            loop_s = time.thread_time() - before_s
    assert len(docket.kept(chosen.folder)) == 1
    assert loop_s < disk.busy_s


async def test_a_request_that_is_none_is_refused_after_it_was_read(settings: Any, console: Any) -> None:
    """Cut short it gets the status for it, the sentence says why, and the association goes on."""
    with Disk(1) as disk:
        async with asyncio.timeout(60), serving(settings(), disk) as (port, provider), console(port) as raw:
            told = list[Event]()
            provider.notify = told.append
            assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
            for request, status in ((RAW_REQUEST[:-4], 0x0115), (RAW_REQUEST, 0x0000)):
                raw.send(RAW_ACTION, control=3)
                raw.send(request, control=2)
                assert raw.status(await raw.answer()) == status
    (refusal,) = (one for one in told if isinstance(one, Refusal) and one.cause is Cause.OBJECT)
    assert refusal.reason.startswith("a request for commitment: ")


def test_a_sender_that_takes_no_reports_shuts_out_no_other(settings: Any) -> None:
    """It is refused when it has half of all places; others have room, and each of their requests is kept."""
    chosen, answers = settings(), list[Status]()
    with ExitStack() as closing:
        store = closing.enter_context(ObjectStore.open(chosen.folder, free_floor_mb=0))
        disk = closing.enter_context(ThreadPoolExecutor(1))
        provider = Provider(settings=chosen, store=store, notify=lambda _: None)
        desk = CommitmentDesk(provider, chosen.folder, disk=disk, timing=chosen.timing, clock=monotonic)

        def ask(calling_ae: str, number: int) -> None:
            reference = Reference(sop_class_uid="1.2.840.10008.5.1.4.1.1.7", object_uid="1.2.3")
            transaction = Transaction(
                transaction_uid=f"1.2.{number}", calling_ae=calling_ae, references=(reference,)
            )
            desk.accept(transaction, answers.append)

        for number in range(MOST_PENDING // 2):
            ask("GREEDY", number)
        with pytest.raises(DeskFull, match=r"500 requests for commitment of 'GREEDY' wait .* of 500 in all"):
            ask("GREEDY", MOST_PENDING)
        for number in range(MOST_PENDING // 4):
            ask("CAMERA", number)
        with pytest.raises(DeskFull):
            ask("CAMERA", MOST_PENDING)
        ask("PETCT", 0)
        # asked for again while it waits it is the same transaction, and answered so
        desk.accept(Transaction(transaction_uid="1.2.0", calling_ae="GREEDY", references=()), answers.append)()
    assert answers == [Status.SUCCESS]


async def test_a_request_without_end_ends_its_association(
    settings: Any, console: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is longer than any list of objects is not gathered in memory, and nothing is kept of it."""
    monkeypatch.setattr("devices.dicom.services.committing.LONGEST_REQUEST_BYTES", 2 * len(RAW_REQUEST))
    chosen = settings()
    with Disk(1) as disk:
        async with asyncio.timeout(60), serving(chosen, disk) as (port, _), console(port) as raw:
            assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
            raw.send(RAW_ACTION, control=3)
            for _ in range(3):
                raw.send(RAW_REQUEST, control=0)
            assert (await raw.answer())[0] == 0x07
    assert not docket.kept(chosen.folder)


async def test_a_sender_that_is_away_is_called_ever_more_seldom(settings: Any) -> None:
    """Whoever answers at its address hangs up: after each time the next call comes twice as long after."""
    called_s = list[float]()

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called_s.append(monotonic())
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server, asyncio.timeout(60):
        port = server.sockets[0].getsockname()[1]
        sender = {"ae_title": "CAMERA", "commitment_host": "127.0.0.1", "commitment_port": port}
        chosen = settings(allowed_ae_titles=(), senders=[sender])
        with ObjectStore.open(chosen.folder, free_floor_mb=0) as store, Disk(1) as disk:
            docket.keep(docket.place(chosen.folder, TRANSACTION), TRANSACTION)
            desk = desk_of(chosen, store, disk, retrying=Retrying(first_s=0.05, longest_s=3600.0))
            running = asyncio.create_task(desk.run())
            while len(called_s) < 5:  # noqa: ASYNC110 - the server sets no event
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.wait([running])
    pauses_s = [later_s - earlier_s for earlier_s, later_s in pairwise(called_s)]
    assert all(pause_s >= due_s for pause_s, due_s in zip(pauses_s, (0.05, 0.1, 0.2, 0.4), strict=True))


async def test_a_disk_that_refuses_an_outcome_ends_nothing(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outcome that cannot be kept for the time being is kept later, and the study is read once."""
    chosen, looked = settings(), list[str]()

    def counted(store: ObjectStore, transaction: Transaction) -> tuple[Failure, ...]:
        looked.append(transaction.transaction_uid)
        return look_into(store, transaction)

    monkeypatch.setattr("devices.dicom.services.desk.look_into", counted)
    reference = Reference(sop_class_uid="1.2.840.10008.5.1.4.1.1.7", object_uid="1.2.3")
    request = Transaction(transaction_uid="1.5.4", calling_ae="CAMERA", references=(reference,))
    path = docket.place(chosen.folder, request)
    in_the_way = path.with_name(f".{path.name}.new")
    with ExitStack() as closing:
        store = closing.enter_context(ObjectStore.open(chosen.folder, free_floor_mb=0))
        docket.keep(path, request)
        in_the_way.mkdir()  # what is written there is refused
        disk = closing.enter_context(Disk(1))
        desk = desk_of(chosen, store, disk, retrying=AT_ONCE)
        running = asyncio.create_task(desk.run())
        async with asyncio.timeout(60):
            while disk.asked < 4:  # noqa: ASYNC110 - tried more than once
                await asyncio.sleep(0.01)
            assert docket.read(path).failures is None
            assert not running.done()
            in_the_way.rmdir()
            while docket.read(path).failures is None:  # noqa: ASYNC110 - the desk replaces it
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait((running,))
    assert desk.waiting == 1
    assert looked == ["1.5.4"]


async def test_a_report_that_is_answered_is_not_sent_again(settings: Any) -> None:
    """Where the disk will not let go of a transaction that its sender has heard of, only that is tried again."""
    told = Told()
    with ExitStack() as closing:
        port = closing.enter_context(listening(told))
        sender = {"ae_title": "CAMERA", "commitment_host": "127.0.0.1", "commitment_port": port}
        chosen = settings(allowed_ae_titles=(), senders=[sender])
        store = closing.enter_context(ObjectStore.open(chosen.folder, free_floor_mb=0))
        reference = Reference(sop_class_uid="1.2.840.10008.5.1.4.1.1.7", object_uid="1.2.3")
        request = Transaction(transaction_uid="1.5.4", calling_ae="CAMERA", references=(reference,))
        path = docket.place(chosen.folder, request)
        docket.keep(path, request)
        disk = closing.enter_context(Disk(1))
        disk.refused = (4, 5)  # after listing, looking and encoding
        desk = desk_of(chosen, store, disk, retrying=AT_ONCE)
        running = asyncio.create_task(desk.run())
        async with asyncio.timeout(60):
            await told.first()
            while path.exists():  # noqa: ASYNC110 - the desk removes it
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait((running,))
    assert len(told.reports) == 1
    assert disk.asked == 6


async def test_what_waits_is_not_in_memory(settings: Any, console: Any) -> None:
    """Twenty requests for 10,000 objects each that cannot be reported take no more of the node than one does."""
    chosen = settings(workers=0)
    objects = [f"1.2.3.{number}" for number in range(10_000)]
    async with run_node(chosen) as node:

        async def ask(number: int) -> None:
            request = raw_request(f"1.5.{number}", *objects)
            async with console(node.port) as raw:
                assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
                raw.send(RAW_ACTION, control=3)
                for place in range(0, len(request), 100_000):
                    raw.send(request[place : place + 100_000], control=2 if place + 100_000 >= len(request) else 0)
                assert raw.status(await raw.answer()) == 0x0000

        await ask(0)
        before_kb = resident_kb(node)
        for number in range(1, 21):
            await ask(number)
        assert len(docket.kept(chosen.folder)) == 21
        # two megabytes each in memory, and what one that is looked into takes for a while
        assert resident_kb(node) - before_kb < 20_000


def test_a_request_that_is_still_being_written_is_promised_to_nobody(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a second association the same one gets no success of the first, whose disk may refuse; later it does."""
    chosen = settings()
    is_writing, may_go_on, keep = threading.Event(), threading.Event(), docket.keep
    refusals = [OSError("no space left on the device")]

    def slow(path: Path, transaction: Transaction) -> None:
        is_writing.set()
        may_go_on.wait(60)
        if refusals:
            raise refusals.pop()
        keep(path, transaction)

    monkeypatch.setattr(docket, "keep", slow)
    first, second, third, fourth = list[Status](), list[Status](), list[Status](), list[Status]()
    with ObjectStore.open(chosen.folder, free_floor_mb=0) as store, ThreadPoolExecutor(1) as disk:
        desk = desk_of(chosen, store, disk)
        taking = disk.submit(desk.accept, TRANSACTION, first.append)
        assert is_writing.wait(60)
        desk.accept(TRANSACTION, second.append)()
        may_go_on.set()
        taking.result(60)()
        desk.accept(TRANSACTION, third.append)()
        desk.accept(TRANSACTION, fourth.append)()
    assert (first, second) == ([Status.PROCESSING_FAILURE], [Status.PROCESSING_FAILURE])
    assert (third, fourth) == ([Status.SUCCESS], [Status.SUCCESS])


async def test_a_request_that_came_before_the_desk_looked_is_settled_once(settings: Any) -> None:
    """On the disk already when it lists what an earlier end left, it is not taken for one of that."""
    chosen = settings()
    with ObjectStore.open(chosen.folder, free_floor_mb=0) as store, Disk(1) as disk:
        desk = desk_of(chosen, store, disk)
        conclude = desk.accept(TRANSACTION, lambda _: None)
        running = asyncio.create_task(desk.run())
        async with asyncio.timeout(60):
            while not disk.asked:  # noqa: ASYNC110 - the desk sets no event
                await asyncio.sleep(0.01)
            await asyncio.wrap_future(disk.submit(lambda: None))
            conclude()
            for _ in range(10):
                await asyncio.sleep(0.01)
            settling = [each for each in asyncio.all_tasks() if each.get_name().startswith("dicom commitment")]
            running.cancel()
            await asyncio.wait([running])
    assert len(settling) == 1
