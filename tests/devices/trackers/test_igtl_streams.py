"""Two trackers behind one OpenIGTLink server with tools of one name: neither is believed, and both are named."""

import pytest

from devices.readings import PoseReading, PoseStatus
from devices.trackers.igtl import Message
from devices.trackers.igtl_bodies import TrackedTool, TrackingFrame
from devices.trackers.igtl_streams import Alternation
from devices.trackers.openigtlink import OpenIgtLinkTracker
from tests.devices.trackers.test_openigtlink import POSE, tracker_that_sends, transform


def frame(sender: str, *tools: str) -> bytes:
    """A TDATA message of one sender."""
    content = TrackingFrame(tools=tuple(TrackedTool(name=tool, elements=POSE) for tool in tools)).to_bytes()
    return Message(kind="TDATA", device_name=sender, content=content).to_bytes()


async def readings(tracker: OpenIgtLinkTracker, count: int) -> list[PoseReading]:
    return [await anext(tracker) for _ in range(count)]


REMEDY = "give each tool its own name at the sender"


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (frame("Theirs", "Probe"), "TDATA of Theirs"),
        (frame("", "Probe"), "TDATA of a nameless sender"),
        (transform(), "TRANSFORM"),
    ],
)
async def test_a_tool_in_two_streams_is_believed_in_neither(other: bytes, named: str) -> None:
    """From the moment that the second is heard every pose of it is refused, with both streams in words."""
    ours = frame("Ours", "Probe")
    async with tracker_that_sends(ours, other, ours, other) as tracker:
        first, *later = await readings(tracker, 4)
    assert first.status is PoseStatus.OK
    assert {reading.status for reading in later} == {PoseStatus.REFUSED}
    assert {reading.said for reading in later} == {f"it comes both in TDATA of Ours and in {named}: {REMEDY}"}


async def test_a_tool_that_the_first_stream_has_lost_is_not_shown_where_the_second_sees_it() -> None:
    """However long the first is quiet about it: the second measures in another frame."""
    lost = frame("Ours")
    sent = (frame("Ours", "Probe"), lost, *[frame("Theirs", "Probe")] * 5)
    async with tracker_that_sends(*sent) as tracker:
        seen, missing, *others = await readings(tracker, 7)
    assert (seen.status, missing.status) == (PoseStatus.OK, PoseStatus.MISSING)
    assert {reading.status for reading in others} == {PoseStatus.REFUSED}


async def test_a_tool_that_is_twice_in_one_message_is_refused() -> None:
    """Nobody can tell which of them is the probe."""
    async with tracker_that_sends(frame("Ours", "Probe", "Probe")) as tracker:
        both = await readings(tracker, 2)
    assert {reading.status for reading in both} == {PoseStatus.REFUSED}
    assert both[0].said == f"it is in TDATA of Ours twice: {REMEDY}"


async def test_other_tools_of_two_streams_are_believed() -> None:
    """Two trackers may share a server; a tool that only one of them has goes on, beside one that both have."""
    ours, theirs = frame("Ours", "Probe", "Patient"), frame("Theirs", "Probe", "Pointer")
    async with tracker_that_sends(ours, theirs, ours, tools=("Probe", "Patient", "Pointer")) as tracker:
        of_all = await readings(tracker, 6)
    by_tool = [(reading.tool, reading.status) for reading in of_all]
    assert by_tool[2:] == [
        ("Probe", PoseStatus.REFUSED),
        ("Pointer", PoseStatus.OK),
        ("Probe", PoseStatus.REFUSED),
        ("Patient", PoseStatus.OK),
    ]


def at(x_mm: float, y_mm: float = 0.0) -> bytes:
    """A TRANSFORM of the tool at a place."""
    return transform((*POSE[:9], x_mm, y_mm, -1200.0))


async def test_two_trackers_that_send_one_name_as_transform_are_told_apart_by_their_places() -> None:
    """Two trackers relayed as TRANSFORM of one name: from the fourth jump and return on, neither is believed."""
    relayed = [part for n in range(12) for part in (at(0.3 * n), at(300.0 + 0.2 * n, 80.0))]
    async with tracker_that_sends(b"".join(relayed)) as tracker:
        found = await readings(tracker, 24)
    statuses = [reading.status for reading in found]
    assert statuses == [PoseStatus.OK] * 5 + [PoseStatus.REFUSED] * 19
    assert found[-1].said == f"TRANSFORM has it in two places by turns, as two trackers of one name are: {REMEDY}"


async def test_a_wild_pose_and_a_fast_hand_are_no_second_tracker() -> None:
    """Three outliers of 50 mm in a row of poses, and a tool that is jerked and stays, are believed."""
    still = [at(0.1 * n) for n in range(20)]
    for n in (3, 9, 15):
        still[n] = at(50.0)
    jerked = [at(40.0 + 15.0 * n) for n in range(20)]
    async with tracker_that_sends(b"".join(still + jerked)) as tracker:
        found = await readings(tracker, 40)
    assert {reading.status for reading in found} == {PoseStatus.OK}


@pytest.mark.parametrize(("interval_s", "is_two"), [(0.05, True), (0.1, False)])
def test_a_slow_camera_that_follows_a_fast_hand_sees_one_tool(interval_s: float, is_two: bool) -> None:  # noqa: FBT001
    """To and fro over 60 mm with each pose: in a tenth of a second no hand does that, in two tenths it may."""
    seen = Alternation()
    places_mm = [(60.0 * (number % 2), 0.0, -900.0) for number in range(16)]
    told = [seen.is_seen(place_mm, interval_s * number) for number, place_mm in enumerate(places_mm)]
    assert told[-1] == is_two
