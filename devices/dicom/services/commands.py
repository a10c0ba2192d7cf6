"""Command sets of DIMSE messages (PS3.7): always group 0000, always implicit VR little endian.

Ours instead of pynetdicom's, which decodes a UID of more than 64 characters by aborting the association.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

LONGEST_COMMAND_BYTES: Final = 65536

RESPONSE: Final = 0x8000
"""Set in the command field of a response (PS3.7 E.1)."""

DATA_SET: Final = 0x0001
NO_DATA_SET: Final = 0x0101


class Field(IntEnum):
    """Command field of the requests that are sent to or by this node (PS3.7 table E.1-1)."""

    C_STORE = 0x0001
    C_FIND = 0x0020
    C_ECHO = 0x0030
    C_CANCEL = 0x0FFF
    N_EVENT_REPORT = 0x0100
    N_ACTION = 0x0130


class Status(IntEnum):
    """Statuses answered (PS3.7 annex C, PS3.4 tables B.2-1 and C.4-1)."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    INVALID_ARGUMENT = 0x0115
    INVALID_OBJECT_INSTANCE = 0x0117
    DUPLICATE_SOP_INSTANCE = 0x0111
    NO_SUCH_ACTION = 0x0123
    UNRECOGNISED_OPERATION = 0x0211
    RESOURCE_LIMITATION = 0x0213
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    UNABLE_TO_PROCESS = 0xC001
    CANCELLED = 0xFE00
    PENDING = 0xFF00
    PENDING_WITHOUT_KEYS = 0xFF01
    """Some of the keys asked for are not known here."""


# Elements of group 0000 (PS3.7 table E.1-1)
GROUP_LENGTH: Final = 0x0000
AFFECTED_SOP_CLASS: Final = 0x0002
REQUESTED_SOP_CLASS: Final = 0x0003
COMMAND_FIELD: Final = 0x0100
MESSAGE_ID: Final = 0x0110
MESSAGE_ID_RESPONDED_TO: Final = 0x0120
PRIORITY: Final = 0x0700
DATA_SET_TYPE: Final = 0x0800
STATUS: Final = 0x0900
ERROR_COMMENT: Final = 0x0902
AFFECTED_SOP_INSTANCE: Final = 0x1000
REQUESTED_SOP_INSTANCE: Final = 0x1001
EVENT_TYPE: Final = 0x1002
ACTION_TYPE: Final = 0x1008


class MalformedCommand(ValueError):
    """Raised when bytes sent as a command set are none, or lack what every command has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One decoded command set.

    Attributes
    ----------
    field
        What is asked or answered: a ``Field``, with ``RESPONSE`` in an answer, or what we do not know.
    message_id
        Message ID of a request, or of the request that is answered.
    has_data_set
        Whether a data set follows.
    elements
        Every element's value by its number in group 0000.

    """

    field: int
    message_id: int
    has_data_set: bool
    elements: Mapping[int, bytes]

    @property
    def sop_class_uid(self) -> str:
        """Affected or requested SOP Class UID, as it came but for padding."""
        return self._uid(AFFECTED_SOP_CLASS) or self._uid(REQUESTED_SOP_CLASS)

    @property
    def sop_instance_uid(self) -> str:
        """Affected or requested SOP Instance UID, as it came but for padding."""
        return self._uid(AFFECTED_SOP_INSTANCE) or self._uid(REQUESTED_SOP_INSTANCE)

    @property
    def is_response(self) -> bool:
        """Whether it answers a request."""
        return bool(self.field & RESPONSE)

    def number(self, element: int) -> int | None:
        """Value of an element of VR US; None where it is missing or none."""
        value = self.elements.get(element, b"")
        return int.from_bytes(value, "little") if len(value) == 2 else None

    def _uid(self, element: int) -> str:
        return self.elements.get(element, b"").decode("ascii", errors="replace").strip("\0 ")


def decode_command(content: bytes) -> Command:
    """Decode a command set.

    Raises
    ------
    MalformedCommand
        Where it does not fit together or lacks its command field or message ID.

    """
    elements: dict[int, bytes] = {}
    place, end = 0, len(content)
    while place < end:
        if end - place < 8:
            raise MalformedCommand(f"{end - place} bytes after the last element of a command set")
        group, element, length = struct.unpack_from("<HHL", content, place)
        place += 8 + length
        if group != 0 or place > end:
            raise MalformedCommand(f"({group:04X},{element:04X}) of {length} bytes is no element of a command set")
        elements[element] = content[place - length : place]
    command = Command(field=0, message_id=0, has_data_set=False, elements=elements)
    field = command.number(COMMAND_FIELD)
    if field is None:
        raise MalformedCommand("a command set without its Command Field (0000,0100)")
    asked = MESSAGE_ID_RESPONDED_TO if field & RESPONSE or field == Field.C_CANCEL else MESSAGE_ID
    message_id = command.number(asked)
    if message_id is None:
        raise MalformedCommand(f"a command set without (0000,{asked:04X})")
    has_data_set = command.number(DATA_SET_TYPE) not in {NO_DATA_SET, None}
    return Command(field=field, message_id=message_id, has_data_set=has_data_set, elements=elements)


LONGEST_COMMENT: Final = 64
"""Characters of an Error Comment (VR LO)."""


def encode_response(request: Command, status: int, *, has_data_set: bool = False, comment: str = "") -> bytes:
    """Encode the answer to a request, with the identifiers that it came with, and why in words."""
    said = comment[:LONGEST_COMMENT]
    named: tuple[tuple[int, int | str], ...] = (
        (AFFECTED_SOP_CLASS, request.sop_class_uid),
        (COMMAND_FIELD, request.field | RESPONSE),
        (MESSAGE_ID_RESPONDED_TO, request.message_id),
        (DATA_SET_TYPE, DATA_SET if has_data_set else NO_DATA_SET),
        (STATUS, int(status)),
        (ERROR_COMMENT, said + " " * (len(said) % 2)),
        (AFFECTED_SOP_INSTANCE, request.sop_instance_uid),
    )
    return _encode(named)


def encode_request(field: Field, message_id: int, *, has_data_set: bool, **named: int | str) -> bytes:
    """Encode a request; ``named`` are elements by the lower-case names of this module's constants."""
    elements = [(_NUMBERS[name], value) for name, value in named.items()]
    fixed = (
        (COMMAND_FIELD, int(field)),
        (MESSAGE_ID, message_id),
        (DATA_SET_TYPE, DATA_SET if has_data_set else NO_DATA_SET),
    )
    return _encode((*fixed, *elements))


_NUMBERS: Final[Mapping[str, int]] = {
    "affected_sop_class": AFFECTED_SOP_CLASS,
    "requested_sop_class": REQUESTED_SOP_CLASS,
    "priority": PRIORITY,
    "affected_sop_instance": AFFECTED_SOP_INSTANCE,
    "requested_sop_instance": REQUESTED_SOP_INSTANCE,
    "event_type": EVENT_TYPE,
    "action_type": ACTION_TYPE,
}


def _encode(named: tuple[tuple[int, int | str], ...]) -> bytes:
    body = b"".join(_element(number, value) for number, value in sorted(named) if value != "")
    return struct.pack("<HHLL", 0, GROUP_LENGTH, 4, len(body)) + body


def _element(number: int, value: int | str) -> bytes:
    if isinstance(value, int):
        return struct.pack("<HHLH", 0, number, 2, value)
    text = value.encode("ascii", errors="replace")
    text += b"\0" * (len(text) % 2)
    return struct.pack("<HHL", 0, number, len(text)) + text
