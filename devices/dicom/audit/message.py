"""Messages of the audit trail (PS3.15 A.5.1): what each tells, in codes of PS3.16, of whom and about what."""

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self, TypeAlias

import msgspec

Code: TypeAlias = tuple[str, str]

APPLICATION_ACTIVITY: Final[Code] = ("110100", "Application Activity")
APPLICATION_START: Final[Code] = ("110120", "Application Start")
APPLICATION_STOP: Final[Code] = ("110121", "Application Stop")
INSTANCES_ACCESSED: Final[Code] = ("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED: Final[Code] = ("110104", "DICOM Instances Transferred")
QUERY: Final[Code] = ("110112", "Query")
STUDY_DELETED: Final[Code] = ("110105", "DICOM Study Deleted")
SECURITY_ALERT: Final[Code] = ("110113", "Security Alert")
NODE_AUTHENTICATION: Final[Code] = ("110126", "Node Authentication")
SOURCE_ROLE: Final[Code] = ("110153", "Source Role ID")
DESTINATION_ROLE: Final[Code] = ("110152", "Destination Role ID")
STUDY_UID: Final[Code] = ("110180", "Study Instance UID")
SOP_CLASS_UID: Final[Code] = ("110181", "SOP Class UID")

DELETE: Final = "D"
"""Event action code (PS3.15 A.5.1)."""

TRANSFER: Final = "transfer"
"""Type of the detail that names a transfer (PS3.15 A.5.1, ParticipantObjectDetail)."""

SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE = 0, 4, 8
"""Event outcome indicators (PS3.15 A.5.1)."""


def named_study(study_uid: str, objects: int | None) -> dict[str, Any]:
    """Name a study, and how many of its objects are concerned where that is known."""
    named = {
        "ParticipantObjectTypeCode": 2,
        "ParticipantObjectTypeCodeRole": 3,
        "ParticipantObjectIDTypeCode": coded(STUDY_UID),
        "ParticipantObjectID": study_uid,
    }
    return named if objects is None else named | {"NumberOfInstances": objects}


def encoded(name: str) -> str:
    """Encode hexadecimal digits as the value of a detail, which is base64."""
    return b64encode(bytes.fromhex(name)).decode()


def coded(code: Code) -> dict[str, str]:
    """Give a code with its meaning (PS3.15 A.5.1)."""
    value, meaning = code
    return {"csd-code": value, "codeSystemName": "DCM", "originalText": meaning}


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What one message tells.

    Attributes
    ----------
    event, kind
        What happened, and of which kind where there are several.
    action
        Event action code: C created, R read, U updated, D deleted, E executed.
    outcome
        Event outcome indicator.
    source, destination
        Title and address of who sent to us, or took from us; the address is empty where it is not known.
    is_ours
        Whether we asked, and not the other side.
    person
        Who had it done; empty where that is not known.
    about
        Studies and other objects.
    described
        How it came out, in words.

    """

    event: Code
    kind: Code | None = None
    action: str
    outcome: int = SUCCESS
    source: tuple[str, str] | None = None
    destination: tuple[str, str] | None = None
    is_ours: bool = False
    person: str = ""
    about: list[dict[str, Any]] = field(default_factory=list)
    described: str = ""

    def message(self, node_ae: str, *, at: datetime) -> dict[str, Any]:
        """Make the message of a node by its title, of a time in UTC."""
        identification: dict[str, Any] = {
            "EventID": coded(self.event),
            "EventActionCode": self.action,
            "EventDateTime": at.isoformat(timespec="milliseconds"),
            "EventOutcomeIndicator": self.outcome,
        }
        if self.kind is not None:
            identification["EventTypeCode"] = coded(self.kind)
        if self.described:
            identification["EventOutcomeDescription"] = self.described
        return {
            "EventIdentification": identification,
            "ActiveParticipant": self._participants(node_ae),
            "AuditSourceIdentification": {"AuditSourceID": node_ae},
            "ParticipantObjectIdentification": self.about,
        }

    def _participants(self, node_ae: str) -> list[dict[str, Any]]:
        own = SOURCE_ROLE if self.destination is not None else DESTINATION_ROLE
        participants: list[dict[str, Any]] = [
            {"UserID": node_ae, "UserIsRequestor": self.is_ours, "RoleIDCode": coded(own)}
        ]
        for other, role in ((self.source, SOURCE_ROLE), (self.destination, DESTINATION_ROLE)):
            if other is not None:
                title, address = other
                named = {"UserID": title, "UserIsRequestor": not self.is_ours, "RoleIDCode": coded(role)}
                place = {"NetworkAccessPointTypeCode": 2, "NetworkAccessPointID": address} if address else {}
                participants.append(named | place)
        if self.person:
            participants.append({"UserID": self.person, "UserIsRequestor": True})
        return participants


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What the trail says of a study that lost files.

    Attributes
    ----------
    at
        When it was noted.
    event
        Code of the event.
    study_uid
        The study.
    message
        The whole message, JSON.

    """

    at: datetime
    event: str
    study_uid: str
    message: str

    @classmethod
    def of(cls, message: dict[str, Any]) -> Self:
        """Take it from a message of the trail."""
        identification = message["EventIdentification"]
        return cls(
            at=datetime.fromisoformat(identification["EventDateTime"]),
            event=identification["EventID"]["csd-code"],
            study_uid=message["ParticipantObjectIdentification"][0]["ParticipantObjectID"],
            message=msgspec.json.encode(message).decode(),
        )
