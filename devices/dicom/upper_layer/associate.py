"""A-ASSOCIATE PDUs: what is asked of an association, and what is answered (PS3.8 9.3.2 to 9.3.4)."""

import struct
from dataclasses import dataclass
from typing import Final

from devices.dicom.upper_layer.pdus import (
    ASSOCIATE_AC,
    ASSOCIATE_RQ,
    FIXED_PDU_BYTES,
    MAXIMUM_PDU_BYTES,
    MalformedPdu,
)

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedContext:
    """A presentation context as proposed: what, and in which encodings."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSelection:
    """Which roles the requestor would take for a SOP class (PS3.7 D.3.3.4)."""

    sop_class_uid: str
    is_scu: bool
    is_scp: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRequest:
    """An A-ASSOCIATE-RQ.

    Attributes
    ----------
    called_ae, calling_ae
        Titles, without their padding.
    contexts
        In the order proposed.
    maximum_pdu_bytes
        Longest P-DATA the requestor takes; 0 for any.
    roles
        Role selections; other extended negotiation is not kept, which declines it.
    implementation_class_uid, implementation_version
        What the requestor calls its software.
    is_version_1
        Whether bit 0 of the protocol version is set (PS3.8 table 9-11).

    """

    called_ae: str
    calling_ae: str
    contexts: tuple[ProposedContext, ...]
    maximum_pdu_bytes: int = MAXIMUM_PDU_BYTES
    roles: tuple[RoleSelection, ...] = ()
    implementation_class_uid: str = ""
    implementation_version: str = ""
    application_context: str = APPLICATION_CONTEXT
    is_version_1: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedContext:
    """The answer to one presentation context; a ``reason`` other than 0 refuses it (PS3.8 table 9-18)."""

    context_id: int
    transfer_syntax: str
    reason: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateAccept:
    """An A-ASSOCIATE-AC."""

    contexts: tuple[AcceptedContext, ...]
    maximum_pdu_bytes: int = MAXIMUM_PDU_BYTES
    roles: tuple[RoleSelection, ...] = ()
    implementation_class_uid: str = ""
    implementation_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateReject:
    """An A-ASSOCIATE-RJ: result, source and reason (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int


def decode_reject(content: bytes) -> AssociateReject:
    """Decode an A-ASSOCIATE-RJ; raises ``MalformedPdu``."""
    if len(content) != FIXED_PDU_BYTES:
        raise MalformedPdu(f"an A-ASSOCIATE-RJ of {len(content)} bytes")
    return AssociateReject(result=content[1], source=content[2], reason=content[3])


def encode_associate_request(request: AssociateRequest) -> bytes:
    """Encode an A-ASSOCIATE-RQ (PS3.8 table 9-11)."""
    contexts = b"".join(
        _item(
            0x20,
            struct.pack(">B3x", context.context_id)
            + _item(0x30, context.abstract_syntax.encode())
            + b"".join(_item(0x40, syntax.encode()) for syntax in context.transfer_syntaxes),
        )
        for context in request.contexts
    )
    titles = request.called_ae.encode().ljust(16) + request.calling_ae.encode().ljust(16)
    return _associate(ASSOCIATE_RQ, titles, contexts, request)


def encode_associate_accept(accept: AssociateAccept, *, titles: bytes) -> bytes:
    """Encode an A-ASSOCIATE-AC (PS3.8 table 9-17); ``titles`` are the request's own, sent back as they came."""
    contexts = b"".join(
        _item(
            0x21,
            struct.pack(">BxBx", context.context_id, context.reason)
            + _item(0x40, context.transfer_syntax.encode()),
        )
        for context in accept.contexts
    )
    return _associate(ASSOCIATE_AC, titles, contexts, accept)


def _associate(kind: int, titles: bytes, contexts: bytes, said: AssociateRequest | AssociateAccept) -> bytes:
    user = _item(0x51, struct.pack(">L", said.maximum_pdu_bytes))
    user += _item(0x52, said.implementation_class_uid.encode())
    for role in said.roles:
        uid = role.sop_class_uid.encode()
        user += _item(0x54, struct.pack(">H", len(uid)) + uid + bytes((role.is_scu, role.is_scp)))
    if said.implementation_version:
        user += _item(0x55, said.implementation_version.encode())
    head = struct.pack(">H2x32s32x", 1, titles)
    return _pdu(kind, head + _item(0x10, APPLICATION_CONTEXT.encode()) + contexts + _item(0x50, user))


def _pdu(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxL", kind, len(content)) + content


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def read_titles(content: bytes) -> bytes:
    """Take called and calling title from an A-ASSOCIATE PDU as they came, 32 bytes."""
    return content[4:36]


def decode_associate_request(content: bytes) -> AssociateRequest:
    """Decode an A-ASSOCIATE-RQ; raises ``MalformedPdu``."""
    version, items = _opened(content)
    contexts = tuple(_proposed(value) for kind, value in items if kind == 0x20)
    identifiers = [context.context_id for context in contexts]
    if len(set(identifiers)) != len(identifiers) or not all(identifier & 1 for identifier in identifiers):
        raise MalformedPdu(f"presentation context identifiers are not different odd numbers: {identifiers}")
    user = _user_information(items)
    return AssociateRequest(
        called_ae=_text(content[4:20]),
        calling_ae=_text(content[20:36]),
        contexts=contexts,
        maximum_pdu_bytes=_maximum_length(user),
        roles=_roles(user),
        implementation_class_uid=_text(_first(user, 0x52)),
        implementation_version=_text(_first(user, 0x55)),
        application_context=_text(_first(items, 0x10)),
        is_version_1=bool(version & 1),
    )


def decode_associate_accept(content: bytes) -> AssociateAccept:
    """Decode an A-ASSOCIATE-AC; raises ``MalformedPdu``."""
    _, items = _opened(content)
    contexts = []
    for kind, value in items:
        if kind == 0x21:
            if len(value) < 4:
                raise MalformedPdu("a presentation context without its identifier")
            syntax = _text(_first(_items(value[4:]), 0x40))
            contexts.append(AcceptedContext(context_id=value[0], reason=value[2], transfer_syntax=syntax))
    user = _user_information(items)
    return AssociateAccept(
        contexts=tuple(contexts),
        maximum_pdu_bytes=_maximum_length(user),
        roles=_roles(user),
        implementation_class_uid=_text(_first(user, 0x52)),
        implementation_version=_text(_first(user, 0x55)),
    )


def _opened(content: bytes) -> tuple[int, list[tuple[int, bytes]]]:
    if len(content) < 68:
        raise MalformedPdu(f"an A-ASSOCIATE of {len(content)} bytes, which end before its items")
    return int.from_bytes(content[:2], "big"), _items(content[68:])


def _items(content: bytes) -> list[tuple[int, bytes]]:
    found, place = [], 0
    while place < len(content):
        if len(content) - place < 4:
            raise MalformedPdu(f"{len(content) - place} bytes after the last item of an A-ASSOCIATE")
        kind, length = struct.unpack_from(">BxH", content, place)
        place += 4 + length
        if place > len(content):
            raise MalformedPdu(
                f"item {kind:#04x} of an A-ASSOCIATE goes {place - len(content)} bytes past its end"
            )
        found.append((kind, content[place - length : place]))
    return found


def _first(items: list[tuple[int, bytes]], kind: int) -> bytes:
    return next((value for found, value in items if found == kind), b"")


def _text(value: bytes) -> str:
    # padded with spaces or nulls, which the standard forbids for UIDs here and which are sent
    return value.decode("ascii", errors="replace").strip("\0 ")


def _user_information(items: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return _items(_first(items, 0x50))


def _proposed(value: bytes) -> ProposedContext:
    if len(value) < 4:
        raise MalformedPdu("a presentation context without its identifier")
    syntaxes = _items(value[4:])
    return ProposedContext(
        context_id=value[0],
        abstract_syntax=_text(_first(syntaxes, 0x30)),
        transfer_syntaxes=tuple(_text(syntax) for kind, syntax in syntaxes if kind == 0x40),
    )


def _maximum_length(user: list[tuple[int, bytes]]) -> int:
    value = _first(user, 0x51)
    if value and len(value) != 4:
        raise MalformedPdu(f"a maximum length of {len(value)} bytes")
    return int.from_bytes(value, "big")  # not said means any (PS3.8 D.1)


def _roles(user: list[tuple[int, bytes]]) -> tuple[RoleSelection, ...]:
    roles = []
    for kind, value in user:
        if kind == 0x54:
            length = int.from_bytes(value[:2], "big")
            if len(value) != length + 4:
                raise MalformedPdu(f"a role selection of {len(value)} bytes for a UID of {length}")
            roles.append(
                RoleSelection(sop_class_uid=_text(value[2:-2]), is_scu=bool(value[-2]), is_scp=bool(value[-1]))
            )
    return tuple(roles)
