import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from devices.dicom.client import StorageNode, run_node
from devices.dicom.storage.part10 import data_set_offset
from devices.dicom.study import ReceivedStudy
from devices.errors import DeviceUnavailable
from devices.readings import DeviceHealth, LinkState
from tests.devices.dicom.seen import refusal

PRIVATE_CLASS = "1.3.46.670589.2.5.1.1"
"""A Philips abstract syntax that no list of storage classes holds."""


async def _next(studies: AsyncIterator[ReceivedStudy]) -> ReceivedStudy:
    async with asyncio.timeout(15):
        return await anext(studies)


def _kept(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*/*.dcm")}


async def _told(node: StorageNode, words: str) -> DeviceHealth:
    async with asyncio.timeout(20), aclosing(node.health_changes()) as changes:
        async for health in changes:
            if words in health.detail:
                return health
    raise AssertionError("the node has ended")


async def test_an_object_is_stored_acknowledged_and_announced(settings: Any, thing: Any, console: Any) -> None:
    """Success is answered, and after the release the study is announced with its file and its sender."""
    one = thing()
    async with run_node(settings()) as node:
        async with console(node.port) as raw:
            assert await raw.associate("CAMERA1") == 2
            assert await raw.store(one) == 0x0000
            await raw.release()
        study = await _next(node.studies())
        assert (node.health.state, node.health.rejected, node.health.detail) == (LinkState.LIVE, 0, "")
    assert (study.study_uid, study.calling_ae) == (one.study_uid, "CAMERA1")
    (path,) = study.objects
    assert path.read_bytes()[data_set_offset(path) :] == one.data_set


async def test_an_unknown_sop_class_is_stored(settings: Any, thing: Any, console: Any) -> None:
    """A private abstract syntax is accepted and its objects kept under their own class."""
    one = thing(sop_class=PRIVATE_CLASS)
    async with run_node(settings()) as node:
        async with console(node.port) as raw:
            assert await raw.associate(sop_class=PRIVATE_CLASS) == 2
            assert await raw.store(one) == 0x0000
        study = await _next(node.studies())
    assert dcmread(study.objects[0]).file_meta.MediaStorageSOPClassUID == PRIVATE_CLASS


async def test_each_change_of_health_is_told(settings: Any, console: Any) -> None:
    """Live, each refusal in words while live, and lost at the end, to every reader; a late one gets the newest."""
    async with (
        run_node(settings(allowed_ae_titles=("CAMERA1",))) as node,
        aclosing(node.health_changes()) as changes,
        aclosing(node.health_changes()) as others,
        asyncio.timeout(15),
    ):
        health = await anext(changes)
        assert (health.state, health.detail, health.rejected) == (LinkState.LIVE, "", 0)
        for number, title in enumerate(("STRANGER", "GUEST"), start=1):
            async with console(node.port) as raw:
                assert await raw.associate(title) == 3
            health = await anext(changes)
            words = f"refused: {title} at 127.0.0.1: calling AE title '{title}' is not in allowed_ae_titles"
            assert (health.state, health.detail, health.rejected) == (LinkState.LIVE, words, number)
        assert await anext(others) == health == node.health
        os.kill(node.process_id, signal.SIGTERM)
        for reader in (changes, others):
            (lost,) = [health async for health in reader]
            assert lost.state is LinkState.LOST
            assert lost.detail.startswith("the storage node's process has ended (exit code 0)")


@pytest.mark.parametrize(
    ("uid", "answer"), [("../../../escape", 0x0117), ("1.2.3;reboot", 0x0117), ("1" * 65, 0x0117)]
)
async def test_a_uid_that_is_a_path_is_refused(
    settings: Any, thing: Any, console: Any, uid: str, answer: int
) -> None:
    """No file appears anywhere, no Success is answered, the refusal is reported and the next console served."""
    chosen = settings()
    async with run_node(chosen) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == 2
            assert await raw.store(thing(object_uid=uid)) == answer
        assert await refusal(node)
        async with console(node.port) as raw:
            assert await raw.associate() == 2
            assert await raw.store(thing(study_uid=uid)) == 0xC000
            assert await raw.store(thing()) == 0x0000
    assert _kept(chosen.folder) == {"1.2.3.4.5.dcm"}
    assert {path.name for path in chosen.folder.parent.iterdir()} == {chosen.folder.name}


async def test_a_request_that_names_another_object_is_refused(settings: Any, thing: Any, console: Any) -> None:
    """The UID of the request must be that of its data set."""
    async with run_node(settings()) as node, console(node.port) as raw:
        assert await raw.associate() == 2
        assert await raw.store(thing(), command_uid="1.9.9") == 0xA900
        assert "its data set says 1.2.3.4.5" in await refusal(node)


async def test_a_connection_lost_in_mid_object_leaves_nothing(settings: Any, thing: Any, console: Any) -> None:
    """Half an object leaves no file, and others are served at once."""
    chosen = settings()
    async with run_node(chosen) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == 2
            raw.begin_store(thing(object_uid="1.2.3.4.6"))
            raw.send(thing().data_set, control=0)
            await raw.writer.drain()
        async with console(node.port) as raw:
            assert await raw.associate() == 2
            assert await raw.store(thing()) == 0x0000
    assert _kept(chosen.folder) == {"1.2.3.4.5.dcm"}
    assert not list((chosen.folder / ".incoming").iterdir())


async def test_a_lost_association_is_said_with_the_study(settings: Any, thing: Any, console: Any) -> None:
    """A study whose console vanished is announced as possibly incomplete."""
    async with run_node(settings()) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == 2
            assert await raw.store(thing()) == 0x0000
        assert "objects may be missing" in (await _next(node.studies())).reason


async def test_an_oversized_pdu_is_dropped_by_its_length(settings: Any, console: Any) -> None:
    """A PDU of 300 MB where 128 KB were offered ends the connection before it is read."""
    async with run_node(settings()) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == 2
            raw.writer.write(b"\x04\x00" + (300_000_000).to_bytes(4, "big") + bytes(20))
            async with asyncio.timeout(5):
                await raw.closed()
        assert "300000000 bytes" in await refusal(node)


async def test_a_message_that_is_none_is_dropped_and_reported(settings: Any, thing: Any, console: Any) -> None:
    """Bytes that are no command set end their own association only, and the refusal says whose."""
    async with run_node(settings()) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == 2
            raw.send(b"\x08\x00\x05\x00garbage", control=3)
            async with asyncio.timeout(5):
                await raw.closed()
        assert "RAW at 127.0.0.1: association ended: malformed message" in await refusal(node)
        async with console(node.port) as raw:
            assert await raw.associate() == 2
            assert await raw.store(thing()) == 0x0000


async def test_a_full_disk_is_answered_with_its_status(settings: Any, thing: Any, console: Any) -> None:
    """Below the floor the answer is 0xA700, nothing is written, and the association stays."""
    chosen = settings(free_floor_mb=10**9)
    async with run_node(chosen) as node, console(node.port) as raw:
        assert await raw.associate() == 2
        assert await raw.store(thing()) == 0xA700
        assert await raw.store(thing()) == 0xA700
        health = await _told(node, "or lower free_floor_mb")
        assert (health.state, health.detail.startswith("refused")) == (LinkState.LIVE, False)
    assert not _kept(chosen.folder)


async def test_two_objects_with_one_uid_are_both_kept(settings: Any, thing: Any, console: Any) -> None:
    """Same bytes again are one copy, other bytes a second file; every answer is Success."""
    async with run_node(settings()) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == 2
            assert [await raw.store(thing(note=note)) for note in ("first ", "first ", "other ")] == [0, 0, 0]
            await raw.release()
        study = await _next(node.studies())
    assert [path.read_bytes()[-6:] for path in study.objects] == [b"first "]
    assert {path.read_bytes()[-6:] for path in study.objects[0].parent.iterdir()} == {b"first ", b"other "}


@pytest.mark.parametrize(("rule", "used"), [("keep first", b"first "), ("replace", b"other ")])
async def test_a_conflict_is_announced_with_its_study(
    settings: Any, thing: Any, console: Any, rule: str, used: bytes
) -> None:
    """The file that is in use and the count of conflicts: at once, after a restart, and in the audit."""
    chosen = settings(allowed_ae_titles=(), senders=[{"ae_title": "CAMERA", "on_conflict": rule}])
    async with run_node(chosen) as node, aclosing(node.studies()) as studies:
        for note, conflicts in (("first ", 0), ("other ", 1)):
            async with console(node.port) as raw:
                assert await raw.associate("CAMERA") == 2
                assert await raw.store(thing(note=note)) == 0x0000
                await raw.release()
            study = await _next(studies)
            assert (study.conflicts, len(study.objects)) == (conflicts, 1)
    async with run_node(chosen) as node:
        again = await _next(node.studies())
    assert (again.conflicts, again.objects) == (1, study.objects)
    assert study.objects[0].read_bytes().endswith(used)
    assert len(_kept(chosen.folder)) == 2
    (noted,) = [message for message in _audited(chosen.folder) if "SOPClass" in json.dumps(message)]
    assert noted["EventIdentification"]["EventActionCode"] == ("U" if rule == "replace" else "C")
    assert noted["ParticipantObjectIdentification"][0]["SOPClass"][0]["Instance"] == [{"UID": "1.2.3.4.5"}]
    assert noted["ActiveParticipant"][1]["UserID"] == "CAMERA"


def _audited(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob(".audit/*.jsonl") for line in path.read_text().splitlines()]


async def test_late_objects_announce_the_study_again(settings: Any, thing: Any, console: Any) -> None:
    """What comes after the study was complete makes a second announcement with every object."""
    async with run_node(settings()) as node, aclosing(node.studies()) as studies:
        for object_uid in ("1.2.3.4.5", "1.2.3.4.6"):
            async with console(node.port) as raw:
                assert await raw.associate() == 2
                assert await raw.store(thing(object_uid=object_uid)) == 0x0000
                await raw.release()
            study = await _next(studies)
    assert len(study.objects) == 2
    assert "came after it was complete" in study.reason


async def test_what_was_acknowledged_survives_a_kill(settings: Any, thing: Any, console: Any) -> None:
    """A node killed in mid-study loses nothing it answered Success for; the next one announces it."""
    chosen, acknowledged = settings(), set()
    async with run_node(chosen) as node:
        async with console(node.port) as raw:
            assert await raw.associate() == 2
            for number in range(20):
                assert await raw.store(thing(object_uid=f"1.2.3.{number}")) == 0x0000
                acknowledged.add(f"1.2.3.{number}.dcm")
            raw.begin_store(thing(object_uid="1.2.3.999"))
            raw.send(thing().data_set, control=0)
            os.kill(node.process_id, signal.SIGKILL)
            await raw.closed()
        with pytest.raises(DeviceUnavailable, match="has ended"):
            await _next(node.studies())
        assert node.health.state == "lost"
    async with run_node(chosen) as node:
        study = await _next(node.studies())
    assert {path.name for path in study.objects} == acknowledged
    assert (study.reason, study.calling_ae) == ("found at start", "RAW")
    assert all(dcmread(path).SOPInstanceUID == path.stem for path in study.objects)
    assert not list((chosen.folder / ".incoming").iterdir())


@pytest.mark.peer("dcmtk")
async def test_dcmtk_is_answered(settings: Any, run: Any) -> None:
    """DCMTK's echoscu is answered, and told the reason when its title is not allowed."""
    async with run_node(settings(allowed_ae_titles=("KNOWN",))) as node:
        code, output = await run("echoscu", "-v", "-aet", "KNOWN", "127.0.0.1", node.port)
        assert (code, "Received Echo Response (Success)" in output) == (0, True)
        code, output = await run("echoscu", "-v", "-aet", "OTHER", "127.0.0.1", node.port)
        assert code != 0
        assert "Calling AE Title Not Recognized" in output


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("program", ["storescu", "dcmsend"])
async def test_dcmtk_sends(settings: Any, thing: Any, run: Any, tmp_path: Path, program: str) -> None:
    """DCMTK's two senders deliver a study, every object with its data set unchanged."""
    things = [thing(object_uid=f"1.2.3.{number}", note=f"note {number:03d}") for number in range(8)]
    files = [one.write(tmp_path / f"{number}.dcm") for number, one in enumerate(things)]
    async with run_node(settings()) as node:
        code, output = await run(program, "127.0.0.1", node.port, *files)
        assert code == 0, output
        study = await _next(node.studies())
    for path in study.objects:
        code, output = await run("dcmftest", path)
        assert code == 0, output
    received = {path.read_bytes()[data_set_offset(path) :] for path in study.objects}
    assert received == {one.data_set for one in things}


@pytest.mark.peer("dcmtk")
async def test_dcmtk_aborts_in_the_middle(settings: Any, thing: Any, run: Any, tmp_path: Path) -> None:
    """After an A-ABORT instead of a release the study is announced, with a warning."""
    file = thing().write(tmp_path / "one.dcm")
    async with run_node(settings()) as node:
        await run("storescu", "--abort", "127.0.0.1", node.port, file)
        assert "objects may be missing" in (await _next(node.studies())).reason


@pytest.mark.peer("dcmtk")
async def test_real_objects_pass_unchanged(settings: Any, samples: Path, run: Any) -> None:
    """PET slices of a real scanner, a JPEG-compressed NM image and a parametric map are stored as they are."""
    files = sorted((samples / "dicom").glob("*.dcm"))
    sent = {dcmread(file).SOPInstanceUID: dcmread(file) for file in files}
    async with run_node(settings()) as node, aclosing(node.studies()) as studies:
        code, output = await run("dcmsend", "127.0.0.1", node.port, *files)
        assert code == 0, output
        received: set[Path] = set()
        while len(received) < len(sent):
            received |= set((await _next(studies)).objects)
        for path in received:
            stored = dcmread(path)
            assert stored == sent[stored.SOPInstanceUID]
