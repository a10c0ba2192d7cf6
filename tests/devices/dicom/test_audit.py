"""The audit trail says who sent what and who was refused, and names no patient."""

import json
import os
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devices.dicom.audit.trail import AuditTrail
from devices.dicom.client import run_node
from devices.dicom.services.transfers import OpenTransfer, make_up
from tests.devices.dicom.trail import lines, transfers


async def test_a_transfer_and_a_refusal_are_written(settings: Any, thing: Any, console: Any) -> None:
    """Start, the stranger with address and reason, the study with its count of objects, stop; no name, no ID."""
    chosen = settings(allowed_ae_titles=("CAMERA",))
    async with run_node(chosen) as node:
        async with console(node.port) as raw:
            assert await raw.associate("STRANGER") == 3
        async with console(node.port) as raw:
            assert await raw.associate("CAMERA") == 2
            for number in range(3):
                assert await raw.store(thing(object_uid=f"1.2.3.{number}")) == 0
            await raw.release()
    started, refused, transferred, stopped = lines(chosen.folder)
    assert started["EventIdentification"]["EventTypeCode"]["csd-code"] == "110120"
    assert stopped["EventIdentification"]["EventTypeCode"]["csd-code"] == "110121"
    assert refused["EventIdentification"]["EventOutcomeIndicator"] == 4
    assert "STRANGER" in refused["EventIdentification"]["EventOutcomeDescription"]
    assert refused["ActiveParticipant"][1]["NetworkAccessPointID"] == "127.0.0.1"
    assert transferred["EventIdentification"]["EventID"]["csd-code"] == "110104"
    assert transferred["ActiveParticipant"][1]["UserID"] == "CAMERA"
    (study,) = transferred["ParticipantObjectIdentification"]
    assert (study["ParticipantObjectID"], study["NumberOfInstances"]) == ("1.2.3", 3)
    assert "SIM-0001" not in json.dumps([started, refused, transferred, stopped])


def test_each_day_has_its_file(tmp_path: Path) -> None:
    """What is written after midnight is in another file; an association that broke off is a failure."""
    now = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    audit = AuditTrail(tmp_path, ae_title="RADIONAV", wall_time=lambda: now)
    audit.started()
    now = datetime(2026, 11, 23, 0, 1, tzinfo=UTC)
    audit.transferred("CAMERA", "10.0.0.7", Counter({"1.2.3": 7}), was_released=False)
    assert {path.name for path in (tmp_path / ".audit").iterdir()} == {"2026-11-22.jsonl", "2026-11-23.jsonl"}
    assert lines(tmp_path)[1]["EventIdentification"]["EventOutcomeIndicator"] == 4


def took_part(message: dict[str, Any]) -> list[tuple[str, bool, str, str]]:
    """Who took part: title, whether he asked, code of his role (CID 402), address."""
    return [
        (
            one["UserID"],
            one["UserIsRequestor"],
            one.get("RoleIDCode", {}).get("csd-code", ""),
            one.get("NetworkAccessPointID", ""),
        )
        for one in message["ActiveParticipant"]
    ]


def test_a_message_says_who_asked_and_which_way_objects_went(tmp_path: Path) -> None:
    """PS3.15 A.5.3: code 110153 is the source, 110152 the destination; a person has no role."""
    source, destination = "110153", "110152"
    audit = AuditTrail(tmp_path, ae_title="RADIONAV")
    audit.transferred("CAMERA", "10.0.0.7", {"1.2.3": 7}, was_released=True)
    audit.disclosed("READER", "10.0.0.8", {"1.2.3": 7}, is_query=False)
    audit.sent(("PACS", "10.0.0.9"), "1.2.3", 7, asked_by="ada@or3")
    audit.asked(("PACS", "10.0.0.9"), "1.2.840.10008.5.1.4.31", asked_by="ada@or3", failure="no answer")
    brought, given, sent, asked = lines(tmp_path)
    assert took_part(brought) == [("RADIONAV", False, destination, ""), ("CAMERA", True, source, "10.0.0.7")]
    assert took_part(given) == [("RADIONAV", False, source, ""), ("READER", True, destination, "10.0.0.8")]
    ours = [("RADIONAV", True, source, ""), ("PACS", False, destination, "10.0.0.9"), ("ada@or3", True, "", "")]
    assert took_part(sent) == took_part(asked) == ours
    actions = [one["EventIdentification"]["EventActionCode"] for one in (brought, given, sent, asked)]
    outcomes = [one["EventIdentification"]["EventOutcomeIndicator"] for one in (brought, given, sent, asked)]
    assert (actions, outcomes) == (["C", "R", "R", "E"], [0, 0, 0, 4])
    (query,) = asked["ParticipantObjectIdentification"]
    assert (query["ParticipantObjectTypeCodeRole"], query["ParticipantObjectID"]) == (24, "1.2.840.10008.5.1.4.31")
    assert {one["AuditSourceIdentification"]["AuditSourceID"] for one in lines(tmp_path)} == {"RADIONAV"}


def test_a_full_disk_costs_a_note_and_not_the_node(tmp_path: Path) -> None:
    """What may be lost is lost, what must not is refused, and a line that was cut short is passed over."""
    audit = AuditTrail(tmp_path, ae_title="RADIONAV", wall_time=lambda: datetime(2026, 11, 22, tzinfo=UTC))
    audit.missing("1.2.3", 7)
    day = tmp_path / ".audit" / "2026-11-22.jsonl"
    with day.open("ab") as file:
        file.write(b'{"EventIdentification":{"EventActionCode":"D"\n')
    audit.deleted("1.2.4", 7, deleted_by="ada@or3", reason="older than 30 days")
    assert [removal.study_uid for removal in audit.removals()] == ["1.2.3", "1.2.4"]
    day.unlink()
    day.mkdir()
    audit.refused("STRANGER", "10.0.0.7", "not allowed")
    with pytest.raises(OSError, match="Is a directory"):
        audit.transferred("CAMERA", "10.0.0.7", {"1.2.3": 7}, was_released=True)


@pytest.mark.parametrize("workers", [0, 1])
async def test_transfers_that_a_kill_cut_short_are_noted_at_the_next_start(
    settings: Any, thing: Any, console: Any, workers: int
) -> None:
    """SIGKILL with two associations open: each has its note once, with its count; what was noted is not again."""
    chosen = settings(workers=workers)
    async with run_node(chosen) as node:
        async with console(node.port) as raw:
            assert await raw.associate("DONE") == 2
            assert await raw.store(thing(object_uid="1.2.3.99")) == 0
            await raw.release()
        await anext(node.studies())  # told of after the note: a kill between release and note makes it a failure
        async with console(node.port) as one, console(node.port, from_address="127.0.0.2") as other:
            assert await one.associate("GAMMA") == 2
            assert await other.associate("PETCT") == 2
            for number in range(5):
                assert await one.store(thing(object_uid=f"1.2.3.{number}")) == 0
                assert await other.store(thing(object_uid=f"1.2.3.1{number}", study_uid=f"1.2.{number % 2}")) == 0
            os.kill(node.process_id, signal.SIGKILL)
            await one.closed()
            await other.closed()
    for _ in range(2):
        async with run_node(chosen):
            pass
        assert sorted(transfers(chosen.folder)) == [
            ("DONE", "127.0.0.1", "1.2.3", 1, 0),
            ("GAMMA", "127.0.0.1", "1.2.3", 5, 4),
            ("PETCT", "127.0.0.2", "1.2.0", 3, 4),
            ("PETCT", "127.0.0.2", "1.2.1", 2, 4),
        ]


def test_a_note_that_was_written_before_the_kill_is_not_written_again(tmp_path: Path) -> None:
    """Killed between the note and the end of the transfer's file, and again half through making up for it."""
    audit = AuditTrail(tmp_path, ae_title="RADIONAV")
    transfer = OpenTransfer(tmp_path, calling_ae="GAMMA", address="10.0.0.7")
    for study_uid in ("1.2.3", "1.2.3", "1.2.4"):
        transfer.add(study_uid)
    audit.transferred("GAMMA", "10.0.0.7", {"1.2.3": 2}, was_released=True, name=transfer.name)
    for _ in range(2):
        make_up(tmp_path, audit)
        assert transfers(tmp_path) == [
            ("GAMMA", "10.0.0.7", "1.2.3", 2, 0),
            ("GAMMA", "10.0.0.7", "1.2.4", 1, 4),
        ]
    assert not list((tmp_path / ".audit" / "open").iterdir())


def test_a_transfer_that_cannot_be_noted_waits_for_the_next_start(tmp_path: Path) -> None:
    """With no room for the note its file stays; one that is damaged stays too, and hinders no other."""
    # a day that is not looked through for earlier notes: reading succeeds, and writing fails
    audit = AuditTrail(tmp_path, ae_title="RADIONAV", wall_time=lambda: datetime(2001, 1, 1, tzinfo=UTC))
    transfer = OpenTransfer(tmp_path, calling_ae="GAMMA", address="10.0.0.7")
    transfer.add("1.2.3")
    damaged = tmp_path / ".audit" / "open" / ("0" * 32)
    damaged.write_bytes(b'{"calling')
    (today := tmp_path / ".audit" / "2001-01-01.jsonl").mkdir()
    make_up(tmp_path, audit)
    today.rmdir()
    make_up(tmp_path, audit)
    assert transfers(tmp_path) == [("GAMMA", "10.0.0.7", "1.2.3", 1, 4)]
    assert list(damaged.parent.iterdir()) == [damaged]
