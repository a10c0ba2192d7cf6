"""What the audit trail in a node's folder says."""

import json
from pathlib import Path
from typing import Any


def lines(folder: Path) -> list[dict[str, Any]]:
    """Every message of the trail, oldest first."""
    files = sorted((folder / ".audit").glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def transfers(folder: Path) -> list[tuple[str, str, str, int, int]]:
    """Notes of transfers: who, from where, the study, how many objects, and the outcome."""
    return [
        (
            message["ActiveParticipant"][1]["UserID"],
            message["ActiveParticipant"][1]["NetworkAccessPointID"],
            study["ParticipantObjectID"],
            study["NumberOfInstances"],
            message["EventIdentification"]["EventOutcomeIndicator"],
        )
        for message in lines(folder)
        if message["EventIdentification"]["EventID"]["csd-code"] == "110104"
        for study in message["ParticipantObjectIdentification"]
    ]
