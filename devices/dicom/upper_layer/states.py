"""The state machine of the DICOM upper layer, as the standard prints it (PS3.8 9.2, tables 9-1 to 9-10)."""

from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """States of an association (PS3.8 tables 9-1 to 9-5)."""

    IDLE = "Sta1"
    AWAITING_REQUEST = "Sta2"
    AWAITING_LOCAL_ANSWER = "Sta3"
    AWAITING_CONNECTION = "Sta4"
    AWAITING_ANSWER = "Sta5"
    ESTABLISHED = "Sta6"
    AWAITING_RELEASE_ANSWER = "Sta7"
    AWAITING_LOCAL_RELEASE = "Sta8"
    COLLISION_REQUESTOR = "Sta9"
    COLLISION_ACCEPTOR = "Sta10"
    COLLISION_REQUESTOR_ANSWERED = "Sta11"
    COLLISION_ACCEPTOR_ANSWERED = "Sta12"
    AWAITING_CLOSE = "Sta13"


class Event(StrEnum):
    """What happens to an association: a primitive of ours, a PDU of the peer's, the connection, ARTIM."""

    ASSOCIATE_REQUEST = "Evt1"
    CONNECTION_CONFIRMED = "Evt2"
    ASSOCIATE_AC_PDU = "Evt3"
    ASSOCIATE_RJ_PDU = "Evt4"
    CONNECTION_INDICATED = "Evt5"
    ASSOCIATE_RQ_PDU = "Evt6"
    ASSOCIATE_ACCEPT = "Evt7"
    ASSOCIATE_REJECT = "Evt8"
    P_DATA_REQUEST = "Evt9"
    P_DATA_PDU = "Evt10"
    RELEASE_REQUEST = "Evt11"
    RELEASE_RQ_PDU = "Evt12"
    RELEASE_RP_PDU = "Evt13"
    RELEASE_RESPONSE = "Evt14"
    ABORT_REQUEST = "Evt15"
    ABORT_PDU = "Evt16"
    CONNECTION_CLOSED = "Evt17"
    ARTIM_EXPIRED = "Evt18"
    INVALID_PDU = "Evt19"


class Action(StrEnum):
    """What is done then (PS3.8 tables 9-6 to 9-9); ``devices.dicom.association`` does it."""

    CONNECT = "AE-1"
    SEND_REQUEST = "AE-2"
    CONFIRM_ACCEPTED = "AE-3"
    CONFIRM_REJECTED = "AE-4"
    AWAIT_REQUEST = "AE-5"
    DECIDE = "AE-6"
    SEND_ACCEPT = "AE-7"
    SEND_REJECT = "AE-8"
    SEND_DATA = "DT-1"
    INDICATE_DATA = "DT-2"
    SEND_RELEASE = "AR-1"
    INDICATE_RELEASE = "AR-2"
    CONFIRM_RELEASE = "AR-3"
    ANSWER_RELEASE = "AR-4"
    STOP_TIMER = "AR-5"
    INDICATE_LATE_DATA = "AR-6"
    SEND_LATE_DATA = "AR-7"
    INDICATE_COLLISION = "AR-8"
    ANSWER_COLLISION = "AR-9"
    CONFIRM_COLLISION = "AR-10"
    SEND_ABORT = "AA-1"
    CLOSE = "AA-2"
    INDICATE_ABORT = "AA-3"
    INDICATE_LOSS = "AA-4"
    FORGET = "AA-5"
    IGNORE = "AA-6"
    SEND_ABORT_AGAIN = "AA-7"
    ABORT_ON_ERROR = "AA-8"


_TABLE_9_10 = """
        Sta1  Sta2  Sta3  Sta4  Sta5  Sta6  Sta7  Sta8  Sta9  Sta10 Sta11 Sta12 Sta13
Evt1    AE-1  -     -     -     -     -     -     -     -     -     -     -     -
Evt2    -     -     -     AE-2  -     -     -     -     -     -     -     -     -
Evt3    -     AA-1  AA-8  -     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt4    -     AA-1  AA-8  -     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt5    AE-5  -     -     -     -     -     -     -     -     -     -     -     -
Evt6    -     AE-6  AA-8  -     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
Evt7    -     -     AE-7  -     -     -     -     -     -     -     -     -     -
Evt8    -     -     AE-8  -     -     -     -     -     -     -     -     -     -
Evt9    -     -     -     -     -     DT-1  -     AR-7  -     -     -     -     -
Evt10   -     AA-1  AA-8  -     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt11   -     -     -     -     -     AR-1  -     -     -     -     -     -     -
Evt12   -     AA-1  AA-8  -     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt13   -     AA-1  AA-8  -     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6
Evt14   -     -     -     -     -     -     -     AR-4  AR-9  -     -     AR-4  -
Evt15   -     -     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  -
Evt16   -     AA-2  AA-3  -     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
Evt17   -     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
Evt18   -     AA-2  -     -     -     -     -     -     -     -     -     -     AA-2
Evt19   -     AA-1  AA-8  -     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
"""
"""PS3.8 table 9-10; ``-`` is what cannot happen."""


def _read(table: str) -> dict[tuple[Event, State], Action]:
    head, *rows = (line.split() for line in table.strip().splitlines())
    return {
        (Event(event), State(state)): Action(cell)
        for event, *cells in rows
        for state, cell in zip(head, cells, strict=True)
        if cell != "-"
    }


TRANSITIONS = MappingProxyType(_read(_TABLE_9_10))
"""The action for each event in each state; what is not in it cannot happen."""

NEXT_STATE = MappingProxyType(
    {
        Action.CONNECT: State.AWAITING_CONNECTION,
        Action.SEND_REQUEST: State.AWAITING_ANSWER,
        Action.CONFIRM_ACCEPTED: State.ESTABLISHED,
        Action.CONFIRM_REJECTED: State.IDLE,
        Action.AWAIT_REQUEST: State.AWAITING_REQUEST,
        Action.DECIDE: State.AWAITING_LOCAL_ANSWER,
        Action.SEND_ACCEPT: State.ESTABLISHED,
        Action.SEND_REJECT: State.AWAITING_CLOSE,
        Action.SEND_DATA: State.ESTABLISHED,
        Action.INDICATE_DATA: State.ESTABLISHED,
        Action.SEND_RELEASE: State.AWAITING_RELEASE_ANSWER,
        Action.INDICATE_RELEASE: State.AWAITING_LOCAL_RELEASE,
        Action.CONFIRM_RELEASE: State.IDLE,
        Action.ANSWER_RELEASE: State.AWAITING_CLOSE,
        Action.STOP_TIMER: State.IDLE,
        Action.INDICATE_LATE_DATA: State.AWAITING_RELEASE_ANSWER,
        Action.SEND_LATE_DATA: State.AWAITING_LOCAL_RELEASE,
        Action.ANSWER_COLLISION: State.COLLISION_REQUESTOR_ANSWERED,
        Action.CONFIRM_COLLISION: State.COLLISION_ACCEPTOR_ANSWERED,
        Action.SEND_ABORT: State.AWAITING_CLOSE,
        Action.CLOSE: State.IDLE,
        Action.INDICATE_ABORT: State.IDLE,
        Action.INDICATE_LOSS: State.IDLE,
        Action.FORGET: State.IDLE,
        Action.IGNORE: State.AWAITING_CLOSE,
        Action.SEND_ABORT_AGAIN: State.AWAITING_CLOSE,
        Action.ABORT_ON_ERROR: State.AWAITING_CLOSE,
    }
)
"""The state that each action leads to (PS3.8 tables 9-6 to 9-9), but for the one that depends on the side.

``Action.INDICATE_COLLISION`` leads the side that requested the association to ``COLLISION_REQUESTOR``, the other
to ``COLLISION_ACCEPTOR``. ``Action.DECIDE`` leads on to ``AWAITING_CLOSE`` where the provider itself rejects.
"""


def transition(event: Event, state: State, *, is_requestor: bool) -> tuple[Action, State]:
    """Give the action for an event in a state, and the state it leads to.

    Raises
    ------
    ImpossibleEvent
        Where table 9-10 is empty: a fault of ours, as no peer can cause it.

    """
    action = TRANSITIONS.get((event, state))
    if action is None:
        raise ImpossibleEvent(f"{event.name} ({event}) cannot happen in {state.name} ({state}), PS3.8 table 9-10")
    if action is Action.INDICATE_COLLISION:
        return action, State.COLLISION_REQUESTOR if is_requestor else State.COLLISION_ACCEPTOR
    return action, NEXT_STATE[action]


class ImpossibleEvent(RuntimeError):
    """Raised when an event is signalled in a state in which it cannot happen."""
