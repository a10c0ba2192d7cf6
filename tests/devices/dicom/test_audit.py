"""The audit trail says who sent what and who was refused, and names no patient."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devices.dicom.audit import AuditTrail
from devices.dicom.client import run_node


def lines(folder: Path) -> list[dict[str, Any]]:
    """Every message of the trail, oldest first."""
    files = sorted((folder / ".audit").glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


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
