"""Every PDU in every state in which one can come, and any bytes: the table is followed, nothing is raised."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.dicom.upper_layer import associate, pdus
from devices.dicom.upper_layer.assembly import BUFFER_BYTES
from devices.dicom.upper_layer.associate import (
    AcceptedContext,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    ProposedContext,
)
from devices.dicom.upper_layer.association import Association
from devices.dicom.upper_layer.fragments import Fragment, encode_message
from devices.dicom.upper_layer.pdus import ASSOCIATE_PDU_BYTES
from devices.dicom.upper_layer.states import TRANSITIONS, Action, Event, State
from devices.dicom.upper_layer.timing import Timing
from devices.dicom.upper_layer.user import Channel

BROKEN = Path(__file__).parents[3] / "wire" / "dicom"
"""Inputs that once broke what reads them."""

REQUEST = AssociateRequest(
    called_ae="RADIONAV",
    calling_ae="CONSOLE",
    contexts=(ProposedContext(context_id=1, abstract_syntax="1.2.840.10008.1.1", transfer_syntaxes=("1.2",)),),
    roles=(),
    implementation_class_uid="1.2.3",
    implementation_version="X",
)
ACCEPT = AssociateAccept(
    contexts=(AcceptedContext(context_id=1, transfer_syntax="1.2"),),
    roles=(),
    implementation_class_uid="1.2.3",
    implementation_version="X",
)
_RQ = associate.encode_associate_request(REQUEST)

PDUS = {
    Event.ASSOCIATE_RQ_PDU: _RQ,
    Event.ASSOCIATE_AC_PDU: associate.encode_associate_accept(ACCEPT, titles=associate.read_titles(_RQ[6:])),
    Event.ASSOCIATE_RJ_PDU: pdus.encode_fixed(pdus.ASSOCIATE_RJ, result=1, source=1, reason=1),
    Event.P_DATA_PDU: encode_message(1, b"command", maximum_pdu_bytes=16384),
    Event.RELEASE_RQ_PDU: pdus.encode_fixed(pdus.RELEASE_RQ),
    Event.RELEASE_RP_PDU: pdus.encode_fixed(pdus.RELEASE_RP),
    Event.ABORT_PDU: pdus.encode_fixed(pdus.ABORT),
    Event.INVALID_PDU: struct.pack(">BxL", 0x09, 4) + bytes(4),
}


class Wire:
    """A connection that keeps what was written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_open = True

    def write(self, content: bytes) -> None:
        """Keep it."""
        self.written.append(content)

    def end_writing(self) -> None:
        """Nothing more comes."""

    def close(self) -> None:
        """Close."""
        self.is_open = False

    def drop(self) -> None:
        """Close."""
        self.is_open = False

    def start_artim(self) -> None:
        """No time passes."""

    def stop_artim(self) -> None:
        """No time passes."""

    def detach(self) -> None:
        """Not given away."""


class Listener:
    """A user that accepts everything and keeps what it is told."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.ends: list[tuple[bool, str]] = []

    def answer(self, association: Channel, request: AssociateRequest) -> AssociateAccept:  # noqa: ARG002
        """Accept every context."""
        return AssociateAccept(
            contexts=tuple(
                AcceptedContext(context_id=one.context_id, transfer_syntax="1.2") for one in request.contexts
            ),
            roles=(),
            implementation_class_uid="1.2.3",
            implementation_version="X",
        )

    def accepted(self, association: Channel, accept: AssociateAccept) -> None:
        """Go on."""

    def rejected(self, reject: AssociateReject) -> None:
        """Go on."""

    def established(self, association: Channel) -> None:
        """Go on."""

    def take(self, fragment: Fragment) -> None:
        """Keep it."""
        assert not self.ends
        self.taken.append(bytes(fragment.content))

    def more(self) -> None:
        """There is none."""

    def waited(self, turn_s: float) -> None:
        """Have all the time."""

    def ended(self, *, was_released: bool, reason: str) -> None:
        """Keep it."""
        self.ends.append((was_released, reason))


class Line:
    """An association with its user and its wire."""

    def __init__(self, *, is_requestor: bool = False) -> None:
        self.wire, self.user = Wire(), Listener()
        timing = Timing(artim_s=1, pdu_s=1, idle_s=1, total_s=1)
        request = REQUEST if is_requestor else None
        self.association = Association(self.user, self.wire, timing=timing, clock=lambda: 0.0, request=request)
        self.association.connected()

    def hear(self, content: bytes) -> None:
        """Have bytes come."""
        while content:
            room = self.association.assembly.room
            piece, content = content[: len(room)], content[len(room) :]
            room[: len(piece)] = piece
            self.association.assembly.add(len(piece))
            self.association.received()


def _asked() -> Line:
    return Line()


def _asking() -> Line:
    return Line(is_requestor=True)


def _open() -> Line:
    line = Line()
    line.hear(PDUS[Event.ASSOCIATE_RQ_PDU])
    return line


def _opened() -> Line:
    line = Line(is_requestor=True)
    line.hear(PDUS[Event.ASSOCIATE_AC_PDU])
    return line


def _releasing() -> Line:
    line = _opened()
    line.association.release()
    return line


def _collided_acceptor() -> Line:
    line = _open()
    line.association.release()
    line.hear(PDUS[Event.RELEASE_RQ_PDU])
    return line


def _collided_requestor() -> Line:
    line = _releasing()
    line.hear(PDUS[Event.RELEASE_RQ_PDU])
    return line


def _aborted() -> Line:
    line = _open()
    line.association.abort("test")
    return line


def _released() -> Line:
    line = _open()
    line.hear(PDUS[Event.RELEASE_RQ_PDU])
    return line


STATES: tuple[tuple[Callable[[], Line], State], ...] = (
    (_asked, State.AWAITING_REQUEST),
    (_asking, State.AWAITING_ANSWER),
    (_open, State.ESTABLISHED),
    (_opened, State.ESTABLISHED),
    (_releasing, State.AWAITING_RELEASE_ANSWER),
    (_collided_acceptor, State.COLLISION_ACCEPTOR),
    (_collided_requestor, State.COLLISION_REQUESTOR_ANSWERED),
    (_aborted, State.AWAITING_CLOSE),
    (_released, State.AWAITING_CLOSE),
)
"""How each state is come to in which a PDU can come; the others are left before anything more is read."""

_ABORTING = {Action.SEND_ABORT, Action.ABORT_ON_ERROR}
_CLOSING = {Action.CLOSE, Action.INDICATE_ABORT, Action.CONFIRM_RELEASE, Action.CONFIRM_REJECTED}


@pytest.mark.parametrize("event", PDUS)
@pytest.mark.parametrize(("come_to", "state"), STATES, ids=[made.__name__[1:] for made, _ in STATES])
def test_every_pdu_in_every_state(come_to: Callable[[], Line], state: State, event: Event) -> None:
    """What the table says is done: an abort for what does not belong, once; the user learns of one end at most."""
    line = come_to()
    assert line.association.state is state
    before = len(line.wire.written)
    line.hear(PDUS[event])
    action, said = TRANSITIONS[event, state], line.wire.written[before:]
    is_deaf = come_to is _aborted  # what comes after our own abort is not even looked at
    if action in _ABORTING and not is_deaf:
        assert [one[0] for one in said] == [pdus.ABORT]
        assert line.association.state is State.AWAITING_CLOSE
        assert len(line.user.ends) == 1
        assert not line.user.ends[0][0]
    if action is Action.IGNORE or is_deaf:
        assert said == []
        assert line.association.state is State.AWAITING_CLOSE
    if action in _CLOSING and not is_deaf:
        assert not line.wire.is_open
        assert line.association.state is State.IDLE
    assert len(line.user.ends) <= 1
    line.association.disconnected()
    assert len(line.user.ends) == 1


def _damaged(content: bytes, place: int, other: bytes) -> bytes:
    place %= len(content)
    return content[:place] + other + content[place + 1 :]


pieces = st.one_of(
    st.sampled_from(list(PDUS.values())),
    st.binary(max_size=64),
    st.builds(struct.Struct(">BxL").pack, st.integers(0, 9), st.integers(0, 0xFFFFFFFF)),
    st.builds(
        _damaged, st.sampled_from(list(PDUS.values())), st.integers(0, 400), st.binary(min_size=1, max_size=1)
    ),
)
"""PDUs, damaged ones, headers that lie, garbage."""


@given(st.sampled_from([made for made, _ in STATES]), st.lists(pieces, max_size=8), st.integers(1, 300))
def test_no_bytes_break_an_association(come_to: Callable[[], Line], came: list[bytes], step: int) -> None:
    """Whatever comes, in whatever pieces: no exception, bounded memory, one end, and nothing taken after it."""
    line = come_to()
    content = b"".join(came)
    for start in range(0, len(content), step):
        line.hear(content[start : start + step])
        if not line.wire.is_open:
            break
    assembly = line.association.assembly
    assert len(assembly.pending) + len(assembly.room) <= max(BUFFER_BYTES, ASSOCIATE_PDU_BYTES + 6)
    assert len(line.user.ends) <= 1
    line.association.disconnected()
    assert len(line.user.ends) == 1


@pytest.mark.parametrize("path", sorted(BROKEN.glob("stream-*.hex")), ids=lambda path: path.stem)
@pytest.mark.parametrize("come_to", [made for made, _ in STATES], ids=[made.__name__[1:] for made, _ in STATES])
def test_what_once_broke_an_association_does_no_more(come_to: Callable[[], Line], path: Path) -> None:
    """Each kept stream of PDUs, read at once, raises nothing and ends the association once."""
    line = come_to()
    line.hear(bytes.fromhex(path.read_text()))
    line.association.disconnected()
    assert len(line.user.ends) == 1
