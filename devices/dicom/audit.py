"""Who sent what, when, from where, and what was refused: the audit trail of PS3.15 A.5, as lines of JSON.

One message a line, in the shape of the standard's schema (A.5.1): what happened, who took part, about what. It
holds UIDs and titles, and no patient's name.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
import structlog

FOLDER: Final = ".audit"

Code: TypeAlias = tuple[str, str]

log = structlog.get_logger()

APPLICATION_ACTIVITY: Final[Code] = ("110100", "Application Activity")
APPLICATION_START: Final[Code] = ("110120", "Application Start")
APPLICATION_STOP: Final[Code] = ("110121", "Application Stop")
INSTANCES_TRANSFERRED: Final[Code] = ("110104", "DICOM Instances Transferred")
SECURITY_ALERT: Final[Code] = ("110113", "Security Alert")
NODE_AUTHENTICATION: Final[Code] = ("110126", "Node Authentication")
SOURCE_ROLE: Final[Code] = ("110153", "Source Role ID")
DESTINATION_ROLE: Final[Code] = ("110152", "Destination Role ID")
STUDY_UID: Final[Code] = ("110180", "Study Instance UID")

SUCCESS, MINOR_FAILURE = 0, 4
"""Event outcome indicators (PS3.15 A.5.1)."""


def _today() -> datetime:
    return datetime.now(tz=UTC)


class AuditTrail:
    """Writes the trail, one file a day.

    Parameters
    ----------
    folder
        The store's; the trail is in a subfolder that nothing removes by itself.
    ae_title
        The node's.
    wall_time
        Gives the time now, in UTC.

    """

    def __init__(self, folder: Path, *, ae_title: str, wall_time: Callable[[], datetime] = _today) -> None:
        self._folder = folder / FOLDER
        self._ae_title = ae_title
        self._wall_time = wall_time
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def started(self) -> None:
        """Note that the node has begun."""
        self._write(APPLICATION_ACTIVITY, APPLICATION_START, action="E")

    def stopped(self) -> None:
        """Note that the node ends in order."""
        self._write(APPLICATION_ACTIVITY, APPLICATION_STOP, action="E")

    def transferred(
        self, calling_ae: str, address: str, studies: Mapping[str, int], *, was_released: bool
    ) -> None:
        """Note what an association has brought: for each study how many objects were acknowledged."""
        for study_uid, objects in studies.items():
            self._write(
                INSTANCES_TRANSFERRED,
                action="C",
                outcome=SUCCESS if was_released else MINOR_FAILURE,
                source=(calling_ae, address),
                about=[
                    {
                        "ParticipantObjectTypeCode": 2,
                        "ParticipantObjectTypeCodeRole": 3,
                        "ParticipantObjectIDTypeCode": _coded(STUDY_UID),
                        "ParticipantObjectID": study_uid,
                        "NumberOfInstances": objects,
                    }
                ],
            )

    def refused(self, calling_ae: str, address: str, reason: str) -> None:
        """Note a connection, an association or an object that was not accepted."""
        self._write(
            SECURITY_ALERT,
            NODE_AUTHENTICATION,
            action="E",
            outcome=MINOR_FAILURE,
            source=(calling_ae, address),
            described=reason,
        )

    def _write(
        self,
        event: Code,
        kind: Code | None = None,
        *,
        action: str,
        outcome: int = SUCCESS,
        source: tuple[str, str] | None = None,
        about: list[dict[str, Any]] | None = None,
        described: str = "",
    ) -> None:
        now = self._wall_time()
        identification: dict[str, Any] = {
            "EventID": _coded(event),
            "EventActionCode": action,
            "EventDateTime": now.isoformat(timespec="milliseconds"),
            "EventOutcomeIndicator": outcome,
        }
        if kind is not None:
            identification["EventTypeCode"] = _coded(kind)
        if described:
            identification["EventOutcomeDescription"] = described
        participants = [
            {"UserID": self._ae_title, "UserIsRequestor": False, "RoleIDCode": _coded(DESTINATION_ROLE)}
        ]
        if source is not None:
            calling_ae, address = source
            participants.append(
                {
                    "UserID": calling_ae,
                    "UserIsRequestor": True,
                    "RoleIDCode": _coded(SOURCE_ROLE),
                    "NetworkAccessPointTypeCode": 2,
                    "NetworkAccessPointID": address,
                }
            )
        message = {
            "EventIdentification": identification,
            "ActiveParticipant": participants,
            "AuditSourceIdentification": {"AuditSourceID": self._ae_title},
            "ParticipantObjectIdentification": about or [],
        }
        try:
            with (self._folder / f"{now:%Y-%m-%d}.jsonl").open("ab") as file:
                file.write(msgspec.json.encode(message) + b"\n")
        except OSError as exc:  # a full disk must not end the node: objects are refused, with their own status
            log.error("the audit trail cannot be written", folder=str(self._folder), reason=str(exc))  # noqa: TRY400 - the sentence says it


def _coded(code: Code) -> dict[str, str]:
    value, meaning = code
    return {"csd-code": value, "codeSystemName": "DCM", "originalText": meaning}
