"""Storage commitment with pynetdicom as the console that asks and is told."""

import asyncio
import os
import signal
import socket
import time
from contextlib import aclosing
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.filereader import read_dataset

from devices.dicom.client import run_node
from devices.dicom.services.commitment import (
    Failure,
    Reference,
    Transaction,
    decode_transaction,
    encode_report,
)
from devices.dicom.services.session import HEAD_START_S
from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.upper_layer.associate import AssociateRequest, ProposedContext, encode_associate_request
from devices.dicom.upper_layer.fragments import encode_message
from tests.devices.dicom.services.asking import (
    EXPLICIT,
    IMPLICIT,
    PUSH_MODEL,
    RAW_ACTION,
    RAW_REQUEST,
    SECONDARY_CAPTURE,
    Told,
    ask,
    asked,
    associate,
    explicit,
    listening,
    raw_request,
    store,
)

MISSING, MISMATCH, PROCESSING_FAILURE = 0x0112, 0x0119, 0x0110


async def test_what_is_on_the_disk_is_committed(settings: Any, thing: Any, console: Any) -> None:
    """On the association that asks, every object that is there is reported as committed."""
    told = Told()
    async with run_node(settings()) as node:
        await store(node, thing, console, "1.2.3.1", "1.2.3.2")
        association = await asyncio.to_thread(associate, node.port, told)
        request = asked("1.5.1", (SECONDARY_CAPTURE, "1.2.3.1"), (SECONDARY_CAPTURE, "1.2.3.2"))
        assert await asyncio.to_thread(ask, association, request) == 0x0000
        event, report = await told.first()
        await asyncio.to_thread(association.release)
    assert (event, report.TransactionUID) == (1, "1.5.1")
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == ["1.2.3.1", "1.2.3.2"]
    assert "FailedSOPSequence" not in report


async def test_a_study_is_handed_on_when_all_that_its_sender_lists_is_there(
    settings: Any, thing: Any, console: Any
) -> None:
    """With a quiet time of ten minutes it is announced as soon as commitment is asked for all of it."""
    told = Told()
    async with run_node(settings(quiet_s=600.0)) as node, aclosing(node.studies()) as studies:
        await store(node, thing, console, "1.2.3.1", "1.2.3.2")
        association = await asyncio.to_thread(associate, node.port, told)
        request = asked("1.5.9", (SECONDARY_CAPTURE, "1.2.3.1"), (SECONDARY_CAPTURE, "1.2.3.2"))
        assert await asyncio.to_thread(ask, association, request) == 0x0000
        async with asyncio.timeout(20):
            study = await anext(studies)
        await asyncio.to_thread(association.release)
    assert study.reason == "all 2 objects that its sender lists have come"
    assert len(study.objects) == 2


async def test_what_is_not_there_or_damaged_is_not_committed(settings: Any, thing: Any, console: Any) -> None:
    """An object that is missing, of another class, or changed on the disk is named with its reason."""
    told, chosen = Told(), settings()
    async with run_node(chosen) as node:
        await store(node, thing, console, "1.2.3.1", "1.2.3.2", "1.2.3.3")
        damaged = chosen.folder / "1.2.3" / "1.2.3.2.dcm"
        content = bytearray(damaged.read_bytes())
        content[-1] ^= 1
        damaged.write_bytes(content)
        association = await asyncio.to_thread(associate, node.port, told)
        references = [(SECONDARY_CAPTURE, f"1.2.3.{number}") for number in (1, 2, 4)]
        request = asked("1.5.2", *references, ("1.2.840.10008.5.1.4.1.1.2", "1.2.3.3"))
        assert await asyncio.to_thread(ask, association, request) == 0x0000
        event, report = await told.first()
        await asyncio.to_thread(association.release)
    assert event == 2
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == ["1.2.3.1"]
    failed = {item.ReferencedSOPInstanceUID: item.FailureReason for item in report.FailedSOPSequence}
    assert failed == {"1.2.3.2": PROCESSING_FAILURE, "1.2.3.4": MISSING, "1.2.3.3": MISMATCH}


async def test_the_report_goes_to_the_senders_own_port(settings: Any, thing: Any, console: Any) -> None:
    """Where the sender's rule names an address, the node opens an association there, as SCP."""
    told = Told()
    with listening(told) as port:
        senders = [{"ae_title": "CAMERA", "commitment_host": "127.0.0.1", "commitment_port": port}]
        async with run_node(settings(allowed_ae_titles=(), senders=senders)) as node:
            await store(node, thing, console, "1.2.3.1")
            association = await asyncio.to_thread(associate, node.port, Told())
            assert await asyncio.to_thread(ask, association, asked("1.5.3", (SECONDARY_CAPTURE, "1.2.3.1"))) == 0
            await asyncio.to_thread(association.release)
            event, report = await told.first()
    assert (event, report.TransactionUID) == (1, "1.5.3")


async def test_the_report_waits_for_the_next_association_and_a_restart(
    settings: Any, thing: Any, console: Any
) -> None:
    """A sender that has gone before the report, and a node that was ended, are made up for on its next call."""
    told, chosen = Told(), settings()
    pending = chosen.folder / ".commitments"
    async with run_node(chosen) as node:
        await store(node, thing, console, "1.2.3.1")
        async with console(node.port) as raw:
            # asks, and is gone before an answer
            assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
            raw.send(RAW_ACTION, control=3)
            raw.send(RAW_REQUEST, control=2)
            await raw.answer()
    assert len(list(pending.glob("*.json"))) == 1
    async with run_node(chosen) as node:
        association = await asyncio.to_thread(associate, node.port, told)
        event, report = await told.first()
        await asyncio.to_thread(association.release)
        assert (event, report.TransactionUID) == (1, "1.5.4")
        async with asyncio.timeout(20):
            while list(pending.glob("*.json")):  # noqa: ASYNC110 - another process removes it
                await asyncio.sleep(0.01)


async def test_a_report_to_the_senders_own_port_survives_a_kill(settings: Any, thing: Any, console: Any) -> None:
    """Nobody listens there until the node has been killed: the next start calls the port by itself, and once."""
    told = Told()
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        senders = [{"ae_title": "CAMERA", "commitment_host": "127.0.0.1", "commitment_port": port}]
        chosen = settings(allowed_ae_titles=(), senders=senders)
        async with run_node(chosen) as node:
            await store(node, thing, console, "1.2.3.1")
            association = await asyncio.to_thread(associate, node.port, Told())
            assert await asyncio.to_thread(ask, association, asked("1.5.3", (SECONDARY_CAPTURE, "1.2.3.1"))) == 0
            os.kill(node.process_id, signal.SIGKILL)
            await asyncio.to_thread(association.join)
    pending = chosen.folder / ".commitments"
    assert len(list(pending.glob("*.json"))) == 1
    with listening(told, port=port):
        async with asyncio.timeout(60), run_node(chosen):
            event, report = await told.first()
            while list(pending.glob("*.json")):  # noqa: ASYNC110 - another process removes it
                await asyncio.sleep(0.01)
        async with run_node(chosen) as node:
            await store(node, thing, console, "1.2.3.2")
    assert (event, report.TransactionUID) == (1, "1.5.3")
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == ["1.2.3.1"]
    assert len(told.reports) == 1


async def test_a_report_goes_to_nobody_else(settings: Any, thing: Any, console: Any) -> None:
    """Another sender that comes first, and could be told, is not: whose the objects are is not its business."""
    async with run_node(settings()) as node:
        await store(node, thing, console, "1.2.3.1")
        async with console(node.port) as raw:
            assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
            raw.send(RAW_ACTION, control=3)
            raw.send(RAW_REQUEST, control=2)
            assert raw.status(await raw.answer()) == 0x0000
            await raw.release()
        async with console(node.port) as other, console(node.port) as raw, asyncio.timeout(20):
            assert await other.associate("PETCT", sop_class=PUSH_MODEL) == 2
            assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
            assert (await raw.answer())[0] == 0x04  # the report
            await other.release()


async def test_a_report_that_is_not_answered_comes_again(settings: Any, thing: Any, console: Any) -> None:
    """A sender that releases its association instead of answering is told again on its next."""
    told, chosen = Told(), settings()
    async with run_node(chosen) as node:
        await store(node, thing, console, "1.2.3.1")
        async with console(node.port) as raw:
            assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
            raw.send(RAW_ACTION, control=3)
            raw.send(RAW_REQUEST, control=2)
            assert raw.status(await raw.answer()) == 0x0000
            assert (await raw.answer())[0] == 0x04  # the report
            await raw.release()
        association = await asyncio.to_thread(associate, node.port, told)
        event, report = await told.first()
        await asyncio.to_thread(association.release)
        assert (event, report.TransactionUID) == (1, "1.5.4")


async def test_a_report_leaves_a_new_association_its_time(settings: Any, thing: Any, console: Any) -> None:
    """It follows the acceptance after the head start, since pynetdicom aborts on one that comes with it."""
    async with run_node(settings()) as node:
        await store(node, thing, console, "1.2.3.1")
        async with console(node.port) as raw:
            assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
            raw.send(RAW_ACTION, control=3)
            raw.send(RAW_REQUEST, control=2)
            assert raw.status(await raw.answer()) == 0x0000
            assert (await raw.answer())[0] == 0x04  # the report
            await raw.release()
        async with console(node.port) as raw:
            assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
            accepted_s = time.perf_counter()
            assert (await raw.answer())[0] == 0x04
            assert time.perf_counter() - accepted_s > 0.9 * HEAD_START_S


async def test_a_long_report_comes_in_pdus_that_its_sender_takes(settings: Any, console: Any) -> None:
    """Of 500 objects, none of them there: each PDU is as long as its sender has said that it takes, or shorter."""
    objects = [f"1.2.3.{number}" for number in range(500)]
    async with run_node(settings()) as node, console(node.port) as raw, asyncio.timeout(20):
        assert await raw.associate("CAMERA", sop_class=PUSH_MODEL) == 2
        raw.send(RAW_ACTION, control=3)
        request = raw_request("1.5.4", *objects)
        for place in range(0, len(request), 16_000):
            raw.send(request[place : place + 16_000], control=2 if place + 16_000 >= len(request) else 0)
        assert raw.status(await raw.answer()) == 0x0000
        report = b""
        while objects[-1].encode() not in report:
            kind, content = await raw.answer()
            assert (kind, len(content) <= 16384) == (4, True)
            report += content
    assert len(report) > 2 * 16384


async def test_commitment_that_is_offered_twice_is_served_in_both_contexts(
    settings: Any, thing: Any, console: Any
) -> None:
    """A sender that offers a context for each transfer syntax asks in whichever it likes, and is told."""
    syntaxes = {1: IMPLICIT, 3: EXPLICIT}
    offer = AssociateRequest(
        called_ae="RADIONAV",
        calling_ae="CAMERA",
        contexts=tuple(
            ProposedContext(context_id=number, abstract_syntax=PUSH_MODEL, transfer_syntaxes=(syntax,))
            for number, syntax in syntaxes.items()
        ),
    )
    async with run_node(settings()) as node, console(node.port) as raw:
        raw.writer.write(encode_associate_request(offer))
        assert (await raw.answer())[0] == 2
        raw.writer.write(encode_message(3, RAW_ACTION, RAW_REQUEST, maximum_pdu_bytes=16384))
        assert raw.status(await raw.answer()) == 0x0000
        await raw.answer()  # the command of the report
        kind, report = await raw.answer()
        assert (kind, b"1.5.4" in report) == (4, True)


async def test_a_request_that_is_none_is_answered_by_status(settings: Any) -> None:
    """Another action, and a request without objects, are refused; the association goes on."""
    async with run_node(settings()) as node:
        association = await asyncio.to_thread(associate, node.port, Told())
        request = asked("1.5.5", (SECONDARY_CAPTURE, "1.2.3.1"))
        assert await asyncio.to_thread(lambda: ask(association, request, action=2)) == 0x0123
        assert await asyncio.to_thread(ask, association, asked("1.5.6")) == 0x0115
        await asyncio.to_thread(association.release)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_report_is_read_by_pydicom(syntax: str) -> None:
    """An independent reader finds what was committed and what failed, in both transfer syntaxes."""
    first, second = (Reference(sop_class_uid=SECONDARY_CAPTURE, object_uid=f"1.{number}") for number in (1, 22))
    transaction = Transaction(
        transaction_uid="1.5.7",
        calling_ae="CAMERA",
        references=(first, second),
        failures=(Failure(reference=second, reason=MISSING),),
    )
    event, data_set = encode_report(transaction, transfer_syntax=syntax)
    read = read_dataset(BytesIO(data_set), is_implicit_VR=syntax == IMPLICIT, is_little_endian=True)
    assert event == 2
    assert read.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.1"
    assert read.FailedSOPSequence[0].ReferencedSOPInstanceUID == "1.22"
    assert read.FailedSOPSequence[0].FailureReason == MISSING


def test_a_transaction_that_is_a_path_is_refused() -> None:
    """No file is named after what is no UID."""
    path = explicit(8, 0x1195, b"UI", b"../../x\0")
    with pytest.raises(UnreadableObject, match="Transaction UID"):
        decode_transaction(path + RAW_REQUEST[14:], transfer_syntax=EXPLICIT, calling_ae="CAMERA")


@given(st.binary(max_size=300))
def test_garbage_is_no_request(content: bytes) -> None:
    """No bytes make the reader raise anything but its own refusal."""
    with pytest.raises(UnreadableObject):
        decode_transaction(content, transfer_syntax=EXPLICIT, calling_ae="CAMERA")
