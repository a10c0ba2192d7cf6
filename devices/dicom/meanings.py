"""What the node's statuses, rejections and failures mean, in words, for its conformance statement."""

from typing import Final

from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityWorklistInformationFind,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from devices.dicom.services import negotiation
from devices.dicom.services.commands import Status
from devices.dicom.services.commitment import CLASS_CONFLICT, NO_SUCH_INSTANCE, PROCESSING_FAILURE
from devices.dicom.services.querying import MOST_ANSWERS
from devices.dicom.web.parts import MOST_PARTS

STORAGE_STATUSES: Final[dict[Status, str]] = {
    Status.SUCCESS: "the object is on the disk: file synchronised, moved into place, folder synchronised",
    Status.DUPLICATE_SOP_INSTANCE: "other bytes are there under its UID and the sender's rule is to reject them",
    Status.INVALID_OBJECT_INSTANCE: "the Affected SOP Instance or Class UID is no UID",
    Status.OUT_OF_RESOURCES: "less than `free_floor_mb` is free, or the disk refuses; nothing is kept",
    Status.DATA_SET_MISMATCH: "request and data set name different objects",
    Status.CANNOT_UNDERSTAND: "the data set is cut short, has a lying length, or has no study or object UID",
}

QUERY_STATUSES: Final[dict[Status, str]] = {
    Status.PENDING: "a match follows",
    Status.PENDING_WITHOUT_KEYS: "a match follows, and some of the keys asked for are not known here",
    Status.SUCCESS: "these were all",
    Status.CANCELLED: "it was cancelled (C-CANCEL)",
    Status.OUT_OF_RESOURCES: f"more match than the {MOST_ANSWERS} that were sent: ask for less",
    Status.DATA_SET_MISMATCH: "no level of the model, no unique key of a level above, a value of a wrong kind",
    Status.UNABLE_TO_PROCESS: "the index cannot be used",
}

ACTION_STATUSES: Final[dict[Status, str]] = {
    Status.SUCCESS: "the request is on the disk and will be reported on",
    Status.PROCESSING_FAILURE: "the disk refuses",
    Status.INVALID_ARGUMENT: "the data set holds no transaction UID or no objects, or a UID that is none",
    Status.NO_SUCH_ACTION: "the action type is not 1",
    Status.RESOURCE_LIMITATION: "too many requests of its sender wait until it takes their reports; "
    "one sender has at most half of the 1000 places",
}

FAILURES: Final[dict[int, str]] = {
    PROCESSING_FAILURE: "it cannot be read back, or not as it was received",
    NO_SUCH_INSTANCE: "it is not there",
    CLASS_CONFLICT: "it is there under another SOP class",
}

REJECTIONS: Final = {
    negotiation.CALLING_AE_UNKNOWN: "the calling AE title may not send (or query), or not from that network",
    negotiation.CALLED_AE_UNKNOWN: "the called AE title is not the node's",
    negotiation.LOCAL_LIMIT_EXCEEDED: "as many associations as allowed are open, in total or of that sender",
}


ASKED: Final = (
    ("worklist", ModalityWorklistInformationFind),
    ("", PatientRootQueryRetrieveInformationModelFind),
    ("query", StudyRootQueryRetrieveInformationModelFind),
    ("pull", StudyRootQueryRetrieveInformationModelMove),
    ("pull", StudyRootQueryRetrieveInformationModelGet),
)
"""Commands, and the SOP classes that they ask for; empty for a class that none does."""


ANSWERS: Final = (0x0000, 0xB000, 0xB006, 0xB007, 0x0110, 0x0111, 0x0122, 0x0124, 0x0213, 0xA700, 0xA900, 0xC000)
"""Statuses of C-STORE as user that are stated."""


WEB_STATUSES: Final[dict[int, str]] = {
    200: "every object is stored and durable; or what was asked for follows",
    202: "some objects are stored and durable, others have failed: the answer names each",
    204: "nothing matches",
    400: "the body is not in parts or is cut short; a UID is none; a key is not known or has a wrong value",
    401: "no token, or none of a client",
    403: "the client may not store; or the request is for another name, or from another's page",
    404: "it is not there",
    406: "it is not to be had in an acceptable media type or transfer syntax",
    408: "nothing came for `idle_time_s`, or too little for `minimum_bytes_per_s`",
    409: "no object is stored: the answer says why",
    413: f"an object above `maximum_object_mb`, or more than {MOST_PARTS} parts",
    415: 'the body is not multipart/related; type="application/dicom"',
    503: "as many connections as allowed are open, or the index cannot be used",
    507: "no object is stored for want of room on the disk",
}
