"""What may be so in a room: changes that a test makes to one where all is well."""

import msgspec

from display.messages.feed import ShineState
from display.messages.procedure import CheckState, MoveState
from display.states.guidance import show_nothing
from tests.display.page.room import Room, make_advice, make_agreement, make_condition, make_rate
from tests.display.page.test_live_image_page import HOT_MM, image_about, show
from tests.display.page.test_procedure_page import PLAN


def as_it_is(_: Room) -> None:
    """All is well."""


def lost_tracker(room: Room) -> None:
    room.change_device("tracker", state="lost", detail="nothing answers at 127.0.0.1:18944: start the tracker")
    room.now["pose"] = None
    room.now["guidance"] = show_nothing("The tracker does not see the probe")


def lost_probe(room: Room) -> None:
    room.change_device("probe", state="lost", detail="the port is gone: plug it in")


def unlocated(room: Room) -> None:
    room.change_target(
        localisable=False, reason="too few counts", centre_mm=None, region_axes=None, region_semi_axes_mm=None,
        tip_right_mm=None, tip_up_mm=None, tip_ahead_mm=None, distance_mm=None, distance_half_width_mm=None,
    )  # fmt: skip
    room.now["guidance"] = show_nothing("Cannot tell yet: sweep slowly over the skin")


def overloaded(room: Room) -> None:
    rate = make_rate(48_000.0)
    room.now["rate"] = msgspec.structs.replace(rate, rate_cps=None, high_cps=None, status="overload")


def dead_time(room: Room) -> None:
    room.now["rate"] = msgspec.structs.replace(make_rate(9_400.0), dead_fraction=0.42)


def alarming(room: Room) -> None:
    room.change_device("probe", condition=make_condition(battery_low=False, alarm=True))


def replayed(room: Room) -> None:
    room.is_replayed = True


def shining(room: Room) -> None:
    room.now["shine"] = ShineState(
        name="Injection", share=0.72, expected_cps=900.0, tip_right_mm=-40.0, tip_up_mm=-40.0, is_warned=True
    )


def silent(room: Room) -> None:
    room.is_silent = True


def cut_off(room: Room) -> None:
    said = "A restart has cut off the count of the specimen of Node 1: count it again"
    room.now["resection"] = msgspec.structs.replace(room.now["resection"], trouble=said)


def planning(room: Room) -> None:
    moves = (MoveState(to="time-out", is_forward=True, unmet=("each hot spot is confirmed",), is_possible=True),)
    room.now["procedure"] = msgspec.structs.replace(
        room.now["procedure"], number=3, step="plan", taken=("patient", "plan"), sources=PLAN, moves=moves
    )


def timing_out(room: Room) -> None:
    checks = (
        CheckState(name="nuclide", said="Tc-99m", is_good=True, is_confirmed=True),
        CheckState(name="probe", said="the calibrated one", is_good=True, is_confirmed=True),
        CheckState(name="window", said="126 to 154 keV", is_good=True, is_confirmed=False),
        CheckState(name="quality check", said="not of today: run acquire", is_good=False, is_confirmed=False),
        CheckState(name="tracker", said="live, residual 0.2 mm", is_good=True, is_confirmed=False),
        CheckState(name="registration", said="joined", is_good=True, is_confirmed=False),
        CheckState(name="side", said="target 1: left", is_good=True, is_confirmed=False),
    )
    moves = (
        MoveState(to="skin scan", is_forward=True, unmet=("each item is confirmed",), is_possible=True),
        MoveState(to="plan", is_forward=False, unmet=(), is_possible=True),
        MoveState(to="ended", is_forward=True, unmet=("all steps are taken",), is_possible=True),
    )
    room.now["procedure"] = msgspec.structs.replace(
        room.now["procedure"], number=3, step="time-out", taken=("patient", "plan", "time-out"),
        checklist=checks, moves=moves,
    )  # fmt: skip


def old_estimate(room: Room) -> None:
    room.now["posterior"] = msgspec.structs.replace(room.now["posterior"], age_s=12.0)


def contradicted(room: Room) -> None:
    unlocated(room)
    room.now["posterior"] = msgspec.structs.replace(
        room.now["posterior"], consistent=False, agreement=make_agreement(3.1)
    )
    room.now["guidance"] = show_nothing("Counts do not fit the map: check the registration")


def advised(room: Room) -> None:
    advice = make_advice(room.now["pose"], way_mm=(14.0, 0.0, 3.0))
    sentence = "Hold next: 14 mm to the patient's left, tilt up 12°"
    room.now["guidance"] = msgspec.structs.replace(room.now["guidance"], sentence=sentence, advice=advice)


def imaged(room: Room) -> None:
    show(room, image_about(HOT_MM))


def imaged_long_ago(room: Room) -> None:
    show(room, image_about(HOT_MM), age_s=12.0)
