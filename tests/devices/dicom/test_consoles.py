"""The habits of real consoles, played by pynetdicom and DCMTK; and fifty ends without warning."""

import asyncio
import os
import signal
from typing import Any

import pytest
from fastcrc import crc64
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation
from pynetdicom.presentation import PresentationContext, build_context, build_role

from devices.dicom.client import run_node
from devices.dicom.storage.part10 import data_set_offset, is_sound
from tests.devices.dicom.index.rows import until

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG, J2K, RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
CT, NM, PT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.128"
GE_IMPLICIT = "1.2.840.113619.5.2"
PHILIPS_PRIVATE = "1.3.46.670589.2.5.1.1"


def image(sop_class: str, object_uid: str, *, syntax: str = EXPLICIT) -> Dataset:
    """An object as small as one can be."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = sop_class, object_uid
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    made.PatientID = "SIM-0001"
    made.ensure_file_meta()
    made.file_meta.TransferSyntaxUID = syntax  # type: ignore[assignment] # pydicom makes a UID of it
    return made


def send(
    port: int,
    contexts: list[PresentationContext],
    images: list[Dataset],
    *,
    maximum_pdu: int = 16382,
    calling_ae: str = "CONSOLE",
) -> tuple[list[int], list[PresentationContext]]:
    """Send images in one association; gives their statuses and the contexts that were accepted."""
    entity = AE(calling_ae)
    association = entity.associate("127.0.0.1", port, contexts, ae_title="RADIONAV", max_pdu=maximum_pdu)
    assert association.is_established
    accepted = association.accepted_contexts
    statuses = [int(association.send_c_store(one).Status) for one in images]
    association.release()
    return statuses, accepted


async def test_ge_offers_sixty_contexts_with_the_same_class_again(settings: Any) -> None:
    """One association, 51 K PDU, 60 contexts, each class offered with one transfer syntax a time: all accepted."""
    classes = [CT, NM, PT, *(f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(200, 217))]
    contexts = [build_context(one, [syntax]) for one in classes for syntax in (IMPLICIT, EXPLICIT, JPEG)]
    assert len(contexts) == 60
    images = [
        image(CT, "1.2.3.10", syntax=IMPLICIT),
        image(CT, "1.2.3.11"),
        image(NM, "1.2.3.12"),
        image(PT, "1.2.3.13"),
    ]
    async with run_node(settings()) as node:
        statuses, accepted = await asyncio.to_thread(send, node.port, contexts, images, maximum_pdu=51 * 1024)
        async with asyncio.timeout(20):
            study = await anext(node.studies())
    assert statuses == [0] * 4
    assert len(accepted) == 60
    kept = {path.stem: dcmread(path).file_meta.TransferSyntaxUID for path in study.objects}
    assert kept == {"1.2.3.10": IMPLICIT, "1.2.3.11": EXPLICIT, "1.2.3.12": EXPLICIT, "1.2.3.13": EXPLICIT}


async def test_as_many_contexts_as_there_can_be(settings: Any) -> None:
    """128, each class four times, each time with every transfer syntax and another first: all accepted as wished.

    Their identifiers are the odd numbers of one byte (PS3.8 9.3.2.2); the request has more than 100 KB.
    """
    classes = [CT, NM, PT, *(f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(200, 229))]
    wished = (IMPLICIT, EXPLICIT, RLE, JPEG)
    contexts = [build_context(one, [syntax, *ALL_TRANSFER_SYNTAXES]) for syntax in wished for one in classes]
    assert len(contexts) == 128
    assert sum(len(uid) for one in contexts for uid in one.transfer_syntax) > 100_000
    images = [image(CT, "1.2.3.10", syntax=JPEG), image(classes[-1], "1.2.3.11", syntax=JPEG)]
    async with run_node(settings()) as node:
        statuses, accepted = await asyncio.to_thread(send, node.port, contexts, images)
        async with asyncio.timeout(20):
            study = await anext(node.studies())
    assert statuses == [0, 0]
    assert [one.context_id for one in accepted] == list(range(1, 256, 2))
    assert [one.transfer_syntax for one in accepted] == [[syntax] for syntax in wished for _ in classes]
    kept = {path.stem: dcmread(path).file_meta.TransferSyntaxUID for path in study.objects}
    assert kept == {"1.2.3.10": JPEG, "1.2.3.11": JPEG}


async def test_siemens_offers_27_contexts_and_28672_bytes(settings: Any) -> None:
    """27 contexts of three transfer syntaxes, PDUs of 28672 bytes: all accepted, no answer is longer."""
    classes = [CT, NM, PT, *(f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(300, 324))]
    contexts = [build_context(one, [EXPLICIT, IMPLICIT, BIG]) for one in classes]
    images = [image(NM, f"1.2.3.{number}") for number in range(5)]
    async with run_node(settings()) as node:
        statuses, accepted = await asyncio.to_thread(send, node.port, contexts, images, maximum_pdu=28672)
    assert statuses == [0] * 5
    assert [one.transfer_syntax[0] for one in accepted] == [EXPLICIT] * 27


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, JPEG, J2K, RLE])
async def test_every_transfer_syntax_is_kept_as_sent(settings: Any, syntax: str) -> None:
    """Whatever the sender offers alone is accepted, for known and private classes, and nothing is transcoded."""
    images = [image(CT, "1.2.3.1", syntax=syntax), image(PHILIPS_PRIVATE, "1.2.3.2", syntax=syntax)]
    contexts = [build_context(one, [syntax]) for one in (CT, PHILIPS_PRIVATE)]
    async with run_node(settings()) as node:
        statuses, _ = await asyncio.to_thread(send, node.port, contexts, images)
        async with asyncio.timeout(20):
            study = await anext(node.studies())
    assert statuses == [0, 0]
    for path, sent in zip(sorted(study.objects), images, strict=True):
        buffer = DicomBytesIO()
        buffer.is_implicit_VR, buffer.is_little_endian = syntax == IMPLICIT, syntax != BIG
        write_dataset(buffer, sent)
        assert path.read_bytes()[data_set_offset(path) :] == buffer.getvalue()
        assert dcmread(path).file_meta.TransferSyntaxUID == syntax


async def test_a_transfer_syntax_of_a_vendors_own_is_taken_where_there_is_no_other(settings: Any) -> None:
    """Alone it is accepted; the standard's come before it, and so does GE's implicit VR, which can be read."""
    wished = {("1.2.3.4.5",): "1.2.3.4.5", ("1.2.3.4.5", EXPLICIT): EXPLICIT, (GE_IMPLICIT, EXPLICIT): GE_IMPLICIT}
    contexts = [build_context(CT, list(syntaxes)) for syntaxes in wished]
    async with run_node(settings()) as node:
        _, accepted = await asyncio.to_thread(send, node.port, contexts, [])
    assert [one.transfer_syntax for one in accepted] == [[syntax] for syntax in wished.values()]


async def test_the_node_states_its_longest_pdu(settings: Any) -> None:
    """131072 bytes, never 0: GE scanners reject an unlimited one."""
    async with run_node(settings()) as node:

        def offered() -> int:
            entity = AE("CONSOLE")
            association = entity.associate("127.0.0.1", node.port, [build_context(CT)], ae_title="RADIONAV")
            said = association.acceptor.maximum_length
            association.release()
            return int(said or 0)

        assert await asyncio.to_thread(offered) == 131072


async def test_asynchronous_operations_are_declined(settings: Any, console: Any) -> None:
    """A window that is offered is not answered, which means one operation at a time (PS3.7 D.3.3.3)."""
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 0
    async with run_node(settings()) as node:

        def answered() -> tuple[int, int]:
            entity = AE("CONSOLE")
            association = entity.associate(
                "127.0.0.1", node.port, [build_context(CT)], ae_title="RADIONAV", ext_neg=[window]
            )
            said = association.acceptor.asynchronous_operations
            association.release()
            return int(said[0]), int(said[1])

        assert await asyncio.to_thread(answered) == (1, 1)


async def test_who_offers_to_be_asked_is_not(settings: Any) -> None:
    """A peer that would be user and provider of a class is its user: the node asks for none (PS3.7 D.3.3.4)."""
    async with run_node(settings()) as node:

        def accepted() -> PresentationContext:
            entity = AE("CONSOLE")
            association = entity.associate(
                *("127.0.0.1", node.port, [build_context(CT)]),
                ae_title="RADIONAV",
                ext_neg=[build_role(CT, scu_role=True, scp_role=True)],
            )
            (context,) = association.accepted_contexts
            association.release()
            return context

        context = await asyncio.to_thread(accepted)
    assert (context.as_scu, context.as_scp) == (True, False)


async def test_titles_and_uids_may_be_padded(settings: Any, thing: Any, console: Any) -> None:
    """Spaces before and after a title, and a UID padded with a space, are taken as what they mean."""
    async with run_node(settings(allowed_ae_titles=("CAMERA",))) as node, console(node.port) as raw:
        assert await raw.associate("  CAMERA  ") == 2
        assert await raw.store(thing(object_uid="1.2.3.44"), command_uid="1.2.3.44  ") == 0x0000


async def test_a_command_and_its_data_in_one_pdu(settings: Any, thing: Any, console: Any) -> None:
    """dcm4che packs them so; several objects sent before the first answer are stored one after another."""
    things = [thing(object_uid=f"1.2.3.{number}") for number in range(5)]
    async with run_node(settings()) as node, console(node.port) as raw:
        assert await raw.associate() == 2
        for one in things:
            raw.store_in_one(one)
        assert [raw.status(await raw.answer()) for _ in things] == [0] * 5


async def test_a_conflict_is_dealt_with_by_the_senders_rule(settings: Any, thing: Any, console: Any) -> None:
    """Rejected with a status, replaced with the first kept beside, or kept beside the first."""
    for rule, status, plain in (
        ("reject", 0x0111, b"first "),
        ("replace", 0, b"other "),
        ("keep first", 0, b"first "),
    ):
        chosen = settings(
            folder=settings().folder / rule.replace(" ", "-"),
            allowed_ae_titles=(),
            senders=[{"ae_title": "CAMERA", "on_conflict": rule}],
        )
        async with run_node(chosen) as node, console(node.port) as raw:
            assert await raw.associate("CAMERA") == 2
            assert await raw.store(thing()) == 0
            assert await raw.store(thing(note="other ")) == status
        kept = sorted(chosen.folder.glob("1.2.3/*.dcm"), key=lambda path: len(path.name))
        assert kept[0].read_bytes().endswith(plain)
        assert len(kept) == (1 if rule == "reject" else 2)
        assert {path.read_bytes()[-6:] for path in kept} == (
            {plain} if rule == "reject" else {b"first ", b"other "}
        )


@pytest.mark.timeout(600)
async def test_fifty_kills_lose_nothing_that_was_acknowledged(settings: Any, thing: Any, console: Any) -> None:
    """SIGKILL at any moment under load: each acknowledged object is there, whole, and has its row in the index."""
    chosen = settings()
    acknowledged: dict[str, bytes] = {}

    async def load(port: int, number: int) -> None:
        async with console(port) as raw:
            assert await raw.associate(f"CONSOLE{number}") == 2
            for count in range(10_000):
                one = thing(
                    object_uid=f"1.2.{number}.{len(acknowledged)}.{count}", note=f"{os.urandom(400).hex()}"
                )
                if await raw.store(one) == 0x0000:
                    acknowledged[one.object_uid] = one.data_set

    for kill in range(50):
        async with run_node(chosen) as node:
            loads = [asyncio.create_task(load(node.port, number)) for number in range(4)]
            wanted = len(acknowledged) + 1 + kill % 7
            async with asyncio.timeout(60):
                while len(acknowledged) < wanted:  # noqa: ASYNC110 - the tasks set no event
                    await asyncio.sleep(0)
            os.kill(node.process_id, signal.SIGKILL)
            ended = await asyncio.gather(*loads, return_exceptions=True)
            assert all(isinstance(one, asyncio.IncompleteReadError | ConnectionError) for one in ended), ended
    kept = {path.stem: path for path in chosen.folder.glob("1.2.3/*.dcm")}
    assert acknowledged.keys() <= kept.keys()
    for object_uid, data_set in acknowledged.items():
        assert kept[object_uid].read_bytes()[data_set_offset(kept[object_uid]) :] == data_set
    assert all(is_sound(path) for path in kept.values())
    async with run_node(chosen):
        assert not list((chosen.folder / ".incoming").iterdir())
        rows = await until(chosen.folder, None, lambda found: len(found) == len(kept))
    checksums = {row["object_uid"]: int(row["checksum"], 16) for row in rows.values()}
    assert checksums == {path.stem: crc64.xz(path.read_bytes()[data_set_offset(path) :]) for path in kept.values()}
