"""Whether our copy of PS3.8 table 9-10 is the standard's: against pynetdicom's, typed by others."""

import pytest
from pynetdicom.fsm import ACTIONS, TRANSITION_TABLE

from devices.dicom.upper_layer.states import (
    NEXT_STATE,
    TRANSITIONS,
    Action,
    Event,
    ImpossibleEvent,
    State,
    transition,
)


def test_the_table_is_that_of_the_standard() -> None:
    """Every cell, filled or empty, is as pynetdicom's authors read it."""
    theirs = {(event, state): action.replace("_", "-") for (event, state), action in TRANSITION_TABLE.items()}
    assert {(str(event), str(state)): str(action) for (event, state), action in TRANSITIONS.items()} == theirs


@pytest.mark.parametrize("action", Action)
def test_each_action_leads_where_the_standard_says(action: Action) -> None:
    """The state after an action is among those that pynetdicom's list of actions names."""
    (_, _, theirs) = ACTIONS[action.value]
    if action is Action.INDICATE_COLLISION:
        assert {str(State.COLLISION_REQUESTOR), str(State.COLLISION_ACCEPTOR)} == set(theirs)
    else:
        assert str(NEXT_STATE[action]) in (theirs if isinstance(theirs, tuple) else (theirs,))


def test_a_release_collision_goes_by_who_asked() -> None:
    """The side that requested the association is in another state than the other."""
    both = [
        transition(Event.RELEASE_RQ_PDU, State.AWAITING_RELEASE_ANSWER, is_requestor=is_requestor)[1]
        for is_requestor in (True, False)
    ]
    assert both == [State.COLLISION_REQUESTOR, State.COLLISION_ACCEPTOR]


def test_what_cannot_happen_is_said_with_its_place_in_the_table() -> None:
    """Data on an idle connection is a fault of ours, named with event and state."""
    with pytest.raises(ImpossibleEvent, match=r"P_DATA_REQUEST \(Evt9\).*IDLE \(Sta1\)"):
        transition(Event.P_DATA_REQUEST, State.IDLE, is_requestor=False)
