"""The node answers queries: as DCMTK and pynetdicom ask them, and as nobody should."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind as PatientRoot,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as StudyRoot,
)

from devices.dicom.client import StorageNode, run_node
from devices.dicom.index.answering import Answering
from devices.dicom.index.catalogue import Catalogue
from devices.dicom.services.querying import LEVELS, MOST_ANSWERS, QueryRefused, decode_question
from devices.dicom.storage.elements import encode_element
from tests.devices.dicom.index.rows import until
from tests.devices.dicom.index.test_attributes import EXPLICIT, spect, write

IMPLICIT = "1.2.840.10008.1.2"

STUDIES = (
    ("1.2.1", "P-1", "Müller^Jörg", "20260101", "0930", ("CT", "NM", "NM")),
    ("1.2.2", "P-2", "Doe^Jane", "20260215", "101500.25", ("PT",)),
    ("1.2.3", "P-2", "Doe^Jane", "20261128", "2359", ("CT",)),
    ("1.2.4", "P-3", "山田^太郎", "", "", ("NM",)),
)
"""UID, patient's ID and name, date, time, modality of each object."""

HELD = sum(len(modalities) for *_, modalities in STUDIES)

Served: TypeAlias = Callable[..., AbstractAsyncContextManager[StorageNode]]


def _fill(folder: Path) -> None:
    folder.mkdir()
    for study, patient_id, name, date, time, modalities in STUDIES:
        for number, modality in enumerate(modalities, start=1):
            one = spect()
            one.StudyInstanceUID, one.PatientID, one.PatientName = study, patient_id, name
            one.StudyDate, one.StudyTime, one.StudyDescription = date, time, "Schilddrüse" if number else ""
            one.Modality, one.SeriesInstanceUID = modality, f"{study}.{1 + (modality == 'NM')}"
            one.SOPInstanceUID, one.InstanceNumber = f"{study}.9.{number}", str(number)
            one.AccessionNumber = f"A{study[-1]}"
            write(folder, one, EXPLICIT)


@pytest.fixture
def served(settings: Any) -> Served:
    """Run a node that holds ``STUDIES``, and lets ASKER query and CAMERA not."""

    @asynccontextmanager
    async def run(**changes: object) -> AsyncIterator[StorageNode]:
        senders = [{"ae_title": "ASKER", "may_query": True, "networks": ["127.0.0.1/32"]}]
        chosen = settings(**{"allowed_ae_titles": ("CAMERA",), "senders": senders} | changes)
        if not chosen.folder.exists():
            _fill(chosen.folder)
        async with run_node(chosen) as node:
            await until(chosen.folder, chosen.index, lambda found: len(found) >= HELD)
            yield node

    return run


def _ask(
    port: int, model: Any, *, title: str = "ASKER", cancel: bool = False, syntax: str = IMPLICIT, **keys: Any
) -> tuple[list[Dataset], list[int]]:
    """Ask as pynetdicom does; gives the answers and every status."""
    ae = AE(ae_title=title)
    ae.add_requested_context(model, syntax)
    association = ae.associate("127.0.0.1", port, ae_title="RADIONAV")
    try:
        assert association.is_established, "not let in"
        query = Dataset()
        query.SpecificCharacterSet = "ISO_IR 192"
        for keyword, value in keys.items():
            setattr(query, keyword, value)
        answers, statuses = [], []
        for status, identifier in association.send_c_find(query, model):
            statuses.append(status.Status)
            if identifier is not None:
                answers.append(identifier)
                if cancel:
                    association.send_c_cancel(1, query_model=model)
        return answers, statuses
    finally:
        association.abort()


async def _asked(node: StorageNode, model: Any, **keys: Any) -> tuple[list[Dataset], list[int]]:
    return await asyncio.to_thread(_ask, node.port, model, **keys)


def _uids(answers: Iterable[Dataset]) -> list[str]:
    return sorted(str(answer.StudyInstanceUID) for answer in answers)


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("model", ["-S", "-P"])
async def test_findscu_finds_at_every_level(served: Served, run: Any, tmp_path: Path, model: str) -> None:
    """Studies, series and images of one patient, each with what was asked for, by DCMTK's own program."""

    async def find(node: StorageNode, level: str, *keys: str) -> list[Dataset]:
        folder = tmp_path / level
        folder.mkdir()
        asked = [part for key in (f"QueryRetrieveLevel={level}", *keys) for part in ("-k", key)]
        code, output = await run(
            *("findscu", model, "-aet", "ASKER", "-aec", "RADIONAV", *asked, "-X", "-od", folder),
            *("127.0.0.1", node.port),
        )
        assert code == 0, output
        return [dcmread(path) for path in sorted(folder.iterdir())]

    async with served() as node:
        above = ["PatientID=P-1"]
        if model == "-P":
            (patient,) = await find(
                node,
                "PATIENT",
                "PatientID=P-1",
                "PatientName",
                "PatientBirthDate",
                "NumberOfPatientRelatedStudies",
            )
            assert (patient.PatientName, patient.PatientBirthDate) == ("Müller^Jörg", "19610204")
            assert patient.NumberOfPatientRelatedStudies == 1
        (study,) = await find(
            node,
            "STUDY",
            *above,
            *("StudyInstanceUID", "StudyDate", "StudyDescription"),
            *("ModalitiesInStudy", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
        )
        assert (study.StudyInstanceUID, study.StudyDate) == ("1.2.1", "20260101")
        assert (list(study.ModalitiesInStudy), study.StudyDescription) == (["CT", "NM"], "Schilddrüse")
        assert (study.NumberOfStudyRelatedSeries, study.NumberOfStudyRelatedInstances) == (2, 3)
        series = await find(
            node,
            "SERIES",
            *above,
            *("StudyInstanceUID=1.2.1", "SeriesInstanceUID"),
            *("Modality=NM", "NumberOfSeriesRelatedInstances"),
        )
        assert [(one.SeriesInstanceUID, one.NumberOfSeriesRelatedInstances) for one in series] == [("1.2.1.2", 2)]
        images = await find(
            node,
            "IMAGE",
            *above,
            *("StudyInstanceUID=1.2.1", "SeriesInstanceUID=1.2.1.2"),
            *("SOPInstanceUID", "InstanceNumber", "Rows", "SOPClassUID"),
        )
        assert [(one.SOPInstanceUID, one.InstanceNumber, one.Rows) for one in images] == [
            ("1.2.1.9.2", 2, 64),
            ("1.2.1.9.3", 3, 64),
        ]


MATCHING: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "1234"),
    ({"PatientName": "*"}, "1234"),
    ({"PatientName": "doe^*"}, "23"),
    ({"PatientName": "M?ller^J*"}, "1"),
    ({"PatientName": "山田*"}, "4"),
    ({"PatientID": "P-2"}, "23"),
    ({"PatientID": "P?2"}, "23"),
    ({"PatientID": "p-2"}, ""),
    ({"StudyDate": "20260101"}, "1"),
    ({"StudyDate": "20260101-20260228"}, "12"),
    ({"StudyDate": "20260201-"}, "23"),
    ({"StudyDate": "-20260201"}, "1"),
    ({"StudyTime": "0900-1200"}, "12"),
    ({"StudyInstanceUID": ["1.2.1", "1.2.4", "1.2.77"]}, "14"),
    ({"ModalitiesInStudy": "NM"}, "14"),
    ({"AccessionNumber": "A3"}, "3"),
)
"""Keys, and the last digits of the studies that they match."""


async def test_what_matches_is_found(served: Served, database: str | None) -> None:
    """Universal, single value, wildcard, range and list of UIDs match as the standard says, on both databases."""
    async with served(index=database) as node:
        for number, (keys, found) in enumerate(MATCHING):
            wanted = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""} | keys
            syntax = (IMPLICIT, EXPLICIT)[number % 2]
            answers, statuses = await _asked(node, StudyRoot, syntax=syntax, **wanted)
            assert _uids(answers) == [f"1.2.{digit}" for digit in found], keys
            assert statuses == [0xFF00] * len(found) + [0]


async def test_what_is_asked_for_comes_back_and_what_is_not_known_is_said(served: Served) -> None:
    """An unknown key is told by the status; what is asked for is in the answer, and nothing else is."""
    async with served() as node:
        answers, statuses = await _asked(
            *(node, StudyRoot),
            QueryRetrieveLevel="STUDY",
            PatientID="P-1",
            PatientComments="",
            InstanceAvailability="",
        )
    assert statuses == [0xFF01, 0]
    (answer,) = answers
    assert {element.keyword for element in answer} == {
        *("QueryRetrieveLevel", "InstanceAvailability", "PatientID", "StudyInstanceUID")
    }
    assert answer.InstanceAvailability == "ONLINE"


LEVEL, PATIENT_ID, NAME, DATE = 0x00080052, 0x00100020, 0x00100010, 0x00080020
STUDY_UID, SERIES_UID = 0x0020000D, 0x0020000E


@pytest.mark.parametrize(
    ("model", "keys", "words"),
    [
        (StudyRoot, {}, "no level"),
        (StudyRoot, {LEVEL: b"PATIENT ", PATIENT_ID: b"P-1 "}, "no level"),
        (StudyRoot, {LEVEL: b"SERIES"}, "Study Instance UID"),
        (StudyRoot, {LEVEL: b"SERIES", STUDY_UID: b"1.2.1\\1.2.2\0"}, "Study Instance UID"),
        (StudyRoot, {LEVEL: b"IMAGE ", STUDY_UID: b"1.2.1\0"}, "Series Instance UID"),
        (PatientRoot, {LEVEL: b"STUDY ", NAME: b"* "}, "Patient ID"),
        (PatientRoot, {LEVEL: b"STUDY ", PATIENT_ID: b"P*"}, "Patient ID"),
        (StudyRoot, {LEVEL: b"STUDY ", DATE: b"January "}, "no date"),
        (StudyRoot, {LEVEL: b"STUDY ", STUDY_UID: b"1.2.x\0"}, "no UID"),
        (StudyRoot, {LEVEL: b"STUDY ", NAME: b"x" * 2000}, "too long"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    tmp_path: Path, model: str, keys: dict[int, bytes], words: str
) -> None:
    """Nothing is looked for everywhere because somebody forgot to say where; the sentence says what is wanted."""
    Catalogue.to_write(tmp_path, None).close()
    content = b"".join(encode_element(tag, b"", value, is_explicit=False) for tag, value in sorted(keys.items()))
    with pytest.raises(QueryRefused, match=words) as refused:
        Answering(tmp_path, None)(decode_question(content, model=model, transfer_syntax=IMPLICIT))
    assert refused.value.status == 0xA900


@given(st.binary(max_size=200), st.sampled_from([IMPLICIT, EXPLICIT]), st.sampled_from([PatientRoot, StudyRoot]))
def test_garbage_is_refused_as_a_question(content: bytes, syntax: str, model: Any) -> None:
    """Whatever bytes come in place of an identifier, they are a question of some level or refused in words."""
    level = struct.pack("<HH2sH", 8, 0x52, b"CS", 6) if syntax == EXPLICIT else struct.pack("<HHL", 8, 0x52, 6)
    for tried in (content, level + b"STUDY " + content):
        with suppress(QueryRefused):
            assert decode_question(tried, model=model, transfer_syntax=syntax).level in LEVELS[model]


async def test_only_who_is_listed_to_query_may(served: Served, console: Any) -> None:
    """Who may only send is not let query and still sends; a stranger is rejected; an open site answers anybody."""
    async with served() as node:
        with pytest.raises(AssertionError, match="not let in"):
            await _asked(node, StudyRoot, title="CAMERA", QueryRetrieveLevel="STUDY")
        assert "may_query" in node.health.detail
        with pytest.raises(AssertionError, match="not let in"):
            await _asked(node, StudyRoot, title="STRANGER", QueryRetrieveLevel="STUDY")

        def mixed() -> tuple[list[str], list[str]]:
            ae = AE(ae_title="CAMERA")
            for sop_class in (StudyRoot, CTImageStorage):
                ae.add_requested_context(sop_class, IMPLICIT)
            association = ae.associate("127.0.0.1", node.port, ae_title="RADIONAV")
            association.release()
            contexts = association.accepted_contexts, association.rejected_contexts
            accepted, rejected = ([str(one.abstract_syntax) for one in some] for some in contexts)
            return accepted, rejected

        assert await asyncio.to_thread(mixed) == ([CTImageStorage], [StudyRoot])
    async with served(allowed_ae_titles=("*",), senders=()) as node:
        answers, _ = await _asked(node, StudyRoot, title="ANYBODY", QueryRetrieveLevel="STUDY", PatientID="P-1")
        assert _uids(answers) == ["1.2.1"]


async def test_who_asked_is_in_the_audit_without_a_name(served: Served, settings: Any) -> None:
    """The trail has the asker's title and address, and the studies that were told of; no patient's name."""
    async with served() as node:
        await _asked(node, StudyRoot, QueryRetrieveLevel="STUDY", PatientName="DOE*")
    (trail,) = (settings().folder / ".audit").glob("*.jsonl")
    messages = [json.loads(line) for line in trail.read_text().splitlines()]
    (query,) = [one for one in messages if one["EventIdentification"]["EventID"]["csd-code"] == "110112"]
    assert [one["ParticipantObjectID"] for one in query["ParticipantObjectIdentification"]] == ["1.2.3", "1.2.2"]
    asker = query["ActiveParticipant"][1]
    assert (asker["UserID"], asker["NetworkAccessPointID"]) == ("ASKER", "127.0.0.1")
    assert "doe" not in trail.read_text().lower()


async def test_more_than_are_sent_is_said_at_the_end(served: Served, settings: Any) -> None:
    """After the last answer that is sent comes a failure, so that nobody takes a part for all."""
    folder = settings().folder
    _fill(folder)
    for number in range(MOST_ANSWERS + 1 - HELD):
        one = spect()
        one.StudyInstanceUID, one.PatientID, one.SOPInstanceUID = f"1.3.{number}", "MANY", f"1.3.{number}.9"
        write(folder, one, EXPLICIT)
    studies = MOST_ANSWERS + 1 - HELD + len(STUDIES)
    assert studies <= MOST_ANSWERS
    async with served() as node:
        await until(folder, None, lambda found: len(found) == MOST_ANSWERS + 1)
        answers, statuses = await _asked(node, StudyRoot, QueryRetrieveLevel="STUDY")
        assert (len(answers), statuses[-1]) == (studies, 0)
        for number in range(len(STUDIES)):
            one = spect()
            one.StudyInstanceUID, one.SOPInstanceUID = f"1.4.{number}", f"1.4.{number}.9"
            write(folder, one, EXPLICIT)
    async with served() as node:
        await until(folder, None, lambda found: len(found) == MOST_ANSWERS + 1 + len(STUDIES))
        answers, statuses = await _asked(node, StudyRoot, QueryRetrieveLevel="STUDY")
    assert (len(answers), statuses[-1]) == (MOST_ANSWERS, 0xA700)


async def test_without_its_index_the_node_says_that_it_cannot_answer(settings: Any, tmp_path: Path) -> None:
    """A database that is away makes no empty answer, which would say that there is no such patient."""
    chosen = settings(index="postgresql://nobody@127.0.0.1:1/none", folder=tmp_path / "other")
    async with run_node(chosen) as node:
        answers, statuses = await _asked(node, StudyRoot, QueryRetrieveLevel="STUDY")
    assert (answers, statuses) == ([], [0xC001])


def _find(message_id: int, field: int = 0x0020) -> bytes:
    elements = [(0x0002, StudyRoot.encode() + b"\0"), (0x0100, struct.pack("<H", field))]
    named = 0x0110 if field == 0x0020 else 0x0120
    elements += [(named, struct.pack("<H", message_id)), (0x0700, b"\0\0")]
    elements += [(0x0800, struct.pack("<H", 0x0001 if field == 0x0020 else 0x0101))]
    body = b"".join(struct.pack("<HHL", 0, number, len(value)) + value for number, value in sorted(elements))
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


STUDY_LEVEL = struct.pack("<HHL", 8, 0x52, 6) + b"STUDY "


@pytest.mark.parametrize(("cancelled", "statuses"), [(7, [0xFE00]), (9, [0xFF00] * 4 + [0])])
async def test_a_cancelled_query_ends(served: Served, console: Any, cancelled: int, statuses: list[int]) -> None:
    """No answer follows a cancellation; one of another message changes nothing, and the association goes on."""
    async with served() as node, console(node.port) as raw:
        assert await raw.associate("ASKER", sop_class=StudyRoot, transfer_syntax=IMPLICIT) == 2
        raw.send(_find(7), control=3)
        raw.send(STUDY_LEVEL, control=2)
        raw.send(_find(cancelled, 0x0FFF), control=3)
        answered: list[int] = []
        while not answered or answered[-1] == 0xFF00:
            answer = await raw.answer()
            if b"\x00\x00\x00\x09\x02\x00" in answer[1]:  # an identifier may come in a PDU of its own
                answered.append(raw.status(answer))
        assert answered == statuses
        raw.send(_find(8), control=3)
        raw.send(STUDY_LEVEL, control=2)
        assert raw.status(await raw.answer()) == 0xFF00


async def test_a_request_before_the_answer_to_the_last_ends_the_association(served: Served, console: Any) -> None:
    """Asynchronous operations were not negotiated: a second query within the first is a fault of the peer's."""
    async with served() as node, console(node.port) as raw:
        assert await raw.associate("ASKER", sop_class=StudyRoot, transfer_syntax=IMPLICIT) == 2
        for message_id in (1, 2):
            raw.send(_find(message_id), control=3)
            raw.send(STUDY_LEVEL, control=2)
        kind, _ = await raw.answer()
        while kind == 0x04:
            kind, _ = await raw.answer()
        assert kind == 0x07
        assert _uids((await _asked(node, StudyRoot, QueryRetrieveLevel="STUDY", PatientID="P-1"))[0]) == ["1.2.1"]
