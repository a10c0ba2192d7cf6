"""What audit messages are made of: codes of what happened and of who took part (PS3.16), studies and transfers."""

from base64 import b64encode
from typing import Any, Final, TypeAlias

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
