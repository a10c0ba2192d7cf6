"""PDUs and command sets of the DICOM upper layer: there and back, against pynetdicom's bytes, and garbage."""

import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_ECHO_RQ, C_ECHO_RSP
from pynetdicom.dimse_primitives import C_ECHO
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RP, P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA

from devices.dicom.services.commands import (
    Command,
    Field,
    MalformedCommand,
    Status,
    decode_command,
    encode_request,
    encode_response,
)
from devices.dicom.upper_layer import associate, fragments, pdus
from devices.dicom.upper_layer.associate import (
    AcceptedContext,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    ProposedContext,
    RoleSelection,
)
from devices.dicom.upper_layer.pdus import MalformedPdu

BROKEN = Path(__file__).parent / "dicom"
"""Inputs that a reader of PDUs must refuse."""

uids = st.from_regex(r"[1-9](\.[1-9][0-9]{0,3}){1,12}", fullmatch=True)
titles = st.from_regex(r"[A-Z][A-Z0-9 ]{0,14}[A-Z0-9]", fullmatch=True)
contexts = st.builds(
    ProposedContext,
    context_id=st.integers(0, 127).map(lambda number: 2 * number + 1),
    abstract_syntax=uids,
    transfer_syntaxes=st.lists(uids, min_size=1, max_size=4).map(tuple),
)
requests = st.builds(
    AssociateRequest,
    called_ae=titles,
    calling_ae=titles,
    contexts=st.lists(contexts, min_size=1, max_size=12, unique_by=lambda one: one.context_id).map(tuple),
    maximum_pdu_bytes=st.integers(0, 2**32 - 1),
    roles=st.lists(
        st.builds(RoleSelection, sop_class_uid=uids, is_scu=st.booleans(), is_scp=st.booleans()), max_size=3
    ).map(tuple),
    implementation_class_uid=uids,
    implementation_version=titles,
)


@given(requests)
def test_a_request_comes_back_as_it_went(request: AssociateRequest) -> None:
    """Encoding and decoding an A-ASSOCIATE-RQ changes nothing, for any number of contexts."""
    assert associate.decode_associate_request(associate.encode_associate_request(request)[6:]) == request


@given(requests)
def test_pynetdicom_reads_our_request(request: AssociateRequest) -> None:
    """An independent decoder finds the same titles, contexts and maximum length."""
    theirs = A_ASSOCIATE_RQ()
    theirs.decode(associate.encode_associate_request(request))
    found = [(one.context_id, str(one.abstract_syntax)) for one in theirs.presentation_context]
    assert found == [(one.context_id, one.abstract_syntax) for one in request.contexts]
    assert theirs.calling_ae_title.strip() == request.calling_ae
    assert theirs.user_information is not None
    assert theirs.user_information.maximum_length == request.maximum_pdu_bytes


def test_pynetdicom_reads_our_acceptance() -> None:
    """An independent decoder finds which contexts were accepted, and the titles as they came."""
    accept = AssociateAccept(
        contexts=(
            AcceptedContext(context_id=1, transfer_syntax="1.2.840.10008.1.2"),
            AcceptedContext(context_id=3, transfer_syntax="1.2.840.10008.1.2", reason=4),
        ),
        implementation_class_uid="1.2.3",
        implementation_version="RADIONAV",
    )
    theirs = A_ASSOCIATE_AC()
    written = associate.encode_associate_accept(accept, titles=b"RADIONAV".ljust(16) + b"CONSOLE".ljust(16))
    theirs.decode(written)
    assert [(one.context_id, one.result) for one in theirs.presentation_context] == [(1, 0), (3, 4)]
    assert theirs.called_ae_title.strip() == "RADIONAV"
    assert theirs.user_information is not None
    assert theirs.user_information.maximum_length == 131072
    assert associate.decode_associate_accept(written[6:]) == accept


def test_the_short_pdus_are_those_of_the_standard() -> None:
    """A-RELEASE-RP, A-ABORT and A-ASSOCIATE-RJ byte for byte as PS3.8 tables 9-21, 9-25 and 9-26 lay them out."""
    assert pdus.encode_fixed(pdus.RELEASE_RP) == A_RELEASE_RP().encode() == bytes.fromhex("06000000000400000000")
    assert pdus.encode_fixed(pdus.ABORT, source=2, reason=1) == bytes.fromhex("07000000000400000201")
    rejection = pdus.encode_fixed(pdus.ASSOCIATE_RJ, result=1, source=1, reason=3)
    theirs = A_ASSOCIATE_RJ()
    theirs.decode(rejection)
    assert (theirs.result, theirs.source, theirs.reason_diagnostic) == (1, 1, 3)
    assert associate.decode_reject(rejection[6:]) == AssociateReject(result=1, source=1, reason=3)


@given(
    st.integers(0, 127).map(lambda number: 2 * number + 1),
    st.binary(min_size=1, max_size=300),
    st.none() | st.binary(max_size=300),
    st.integers(64, 200) | st.just(0),
)
def test_a_message_of_any_length_fits_what_the_peer_takes(
    context_id: int, command: bytes, data_set: bytes | None, limit: int
) -> None:
    """No PDU is longer than the peer takes, the last fragment of each part says so, and the parts come back."""
    written = memoryview(fragments.encode_message(context_id, command, data_set, maximum_pdu_bytes=limit))
    parts: dict[bool, bytes] = {}
    ended: list[bool] = []
    place = 0
    while place < len(written):
        kind, length = pdus.read_header(written, place)
        assert kind == pdus.P_DATA_TF
        assert not limit or length <= limit
        for fragment in fragments.read_fragments(written[place + 6 : place + 6 + length]):
            assert fragment.context_id == context_id
            assert fragment.is_command not in ended
            parts[fragment.is_command] = parts.get(fragment.is_command, b"") + bytes(fragment.content)
            ended += [fragment.is_command] * fragment.is_last
        place += 6 + length
    assert parts == ({True: command} if data_set is None else {True: command, False: data_set})
    assert ended == list(parts)


def test_a_command_and_its_data_may_share_a_pdu() -> None:
    """Two fragments in one P-DATA-TF, as dcm4che packs them, are both found."""
    both = bytes.fromhex("0000000401030102000000030100aa")
    found = list(fragments.read_fragments(memoryview(both)))
    assert [(one.is_command, one.is_last, bytes(one.content)) for one in found] == [
        (True, True, b"\x01\x02"),
        (False, False, b"\xaa"),
    ]


@given(st.binary(max_size=300))
def test_garbage_is_refused_with_one_kind_of_error(content: bytes) -> None:
    """No bytes make the decoders raise anything but their own refusal."""
    for decode in (associate.decode_associate_request, associate.decode_associate_accept, associate.decode_reject):
        try:
            decode(content)
        except MalformedPdu:
            continue
    with suppress(MalformedPdu):
        assert sum(len(one.content) + 6 for one in fragments.read_fragments(memoryview(content))) == len(content)
    with suppress(MalformedCommand):
        decode_command(content)


@given(requests, st.data())
def test_a_damaged_request_is_read_or_refused(request: AssociateRequest, data: st.DataObject) -> None:
    """A request with some bytes changed or cut off raises nothing but the refusal."""
    content = bytearray(associate.encode_associate_request(request)[6:])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        content[place] = data.draw(st.integers(0, 255))
    with suppress(MalformedPdu):
        associate.decode_associate_request(bytes(content[: data.draw(st.integers(0, len(content)))]))


@pytest.mark.parametrize("path", sorted(BROKEN.glob("request-*.hex")), ids=lambda path: path.stem)
def test_lying_requests_are_refused(path: Path) -> None:
    """Each kept A-ASSOCIATE-RQ contradicts itself, and is refused."""
    with pytest.raises(MalformedPdu):
        associate.decode_associate_request(bytes.fromhex(path.read_text()))


@pytest.mark.parametrize("path", sorted(BROKEN.glob("data-*.hex")), ids=lambda path: path.stem)
def test_lying_fragments_are_refused(path: Path) -> None:
    """Each kept P-DATA-TF contradicts itself, and is refused."""
    with pytest.raises(MalformedPdu):
        list(fragments.read_fragments(memoryview(bytes.fromhex(path.read_text()))))


def test_an_echo_is_answered_as_pynetdicom_answers_it() -> None:
    """The C-ECHO-RSP is byte for byte that of pynetdicom, and its request is read."""
    asked, answered = C_ECHO(), C_ECHO()
    asked.MessageID = answered.MessageIDBeingRespondedTo = 7
    asked.AffectedSOPClassUID = answered.AffectedSOPClassUID = "1.2.840.10008.1.1"
    answered.Status = 0x0000
    request, response = C_ECHO_RQ(), C_ECHO_RSP()
    request.primitive_to_message(asked)
    response.primitive_to_message(answered)
    command = decode_command(_only_command(request.encode_msg(1, 16384)))
    assert (command.field, command.message_id, command.has_data_set) == (Field.C_ECHO, 7, False)
    assert encode_response(command, Status.SUCCESS) == _only_command(response.encode_msg(1, 16384))


def _only_command(encoded: Iterable[P_DATA]) -> bytes:
    (primitive,) = encoded
    pdu = P_DATA_TF()
    pdu.from_primitive(primitive)
    (fragment,) = fragments.read_fragments(memoryview(pdu.encode())[6:])
    return bytes(fragment.content)


@given(st.integers(1, 65535), uids, uids)
def test_a_command_comes_back_as_it_went(message_id: int, sop_class: str, instance: str) -> None:
    """Encoding and decoding a request keeps its identifiers, padding removed."""
    command = decode_command(
        encode_request(
            Field.C_STORE,
            message_id,
            has_data_set=True,
            affected_sop_class=sop_class,
            affected_sop_instance=instance,
            priority=0,
        )
    )
    found = (command.field, command.message_id, command.sop_class_uid, command.sop_instance_uid)
    assert found == (Field.C_STORE, message_id, sop_class, instance)
    assert command.has_data_set


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<HHLH", 0, 0x0100, 2, 1),
        struct.pack("<HHLH", 0, 0x0110, 2, 1),
        struct.pack("<HHLH", 8, 0x0018, 2, 1),
        struct.pack("<HHL", 0, 0x0100, 0xFFFFFFFF),
        b"\0\0\0",
    ],
    ids=["no message id", "no command field", "another group", "a lying length", "cut short"],
)
def test_what_is_no_command_is_refused(content: bytes) -> None:
    """A command set without what every command has, or that does not fit together, is refused."""
    with pytest.raises(MalformedCommand):
        decode_command(content)


def test_a_uid_of_65_characters_is_read() -> None:
    """What no UID may be still comes out of a command, so that its sender can be answered by status."""
    long = "1" * 65
    command: Command = decode_command(
        encode_request(Field.C_STORE, 1, has_data_set=True, affected_sop_class="1.2", affected_sop_instance=long)
    )
    assert command.sop_instance_uid == long
