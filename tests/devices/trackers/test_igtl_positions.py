"""Poses that come as position and quaternion: which are believed, and what is said of those that are not."""

import pytest
from structlog.testing import capture_logs

from devices.readings import PoseStatus
from devices.trackers.igtl import Message
from devices.trackers.igtl_envelope import Metadata
from devices.trackers.igtl_quaternions import Position, QuaternionFrame, QuaternionTool
from devices.trackers.igtl_values import Capability, Words
from tests.devices.trackers.test_openigtlink import ROOT, TURNED, message, take, tracker_that_sends, transform


@pytest.mark.parametrize(
    ("status", "expected"),
    [("OK", PoseStatus.OK), ("SWITCH1_IS_ON", PoseStatus.OK), ("OUT_OF_VIEW", PoseStatus.MISSING)],
)
async def test_metadata_of_a_position_says_whether_the_tool_is_seen(status: str, expected: PoseStatus) -> None:
    """Version 2's ``TransformStatus`` holds for POSITION as for TRANSFORM, whatever pose is beside it."""
    raw = Message(
        kind="POSITION",
        device_name="Probe",
        version=2,
        metadata=(Metadata(key="TransformStatus", value=status.encode()), Metadata(key="Colour", value=b"red")),
        content=TURNED.to_bytes(),
    ).to_bytes()
    async with tracker_that_sends(raw) as tracker:
        (reading,) = await take(tracker, 1)
    assert (reading.status, reading.tracker_from_tool is None) == (expected, expected is PoseStatus.MISSING)
    assert reading.said == ("" if expected is PoseStatus.OK else "the tracker says: OUT_OF_VIEW")


async def test_a_half_turn_that_was_rounded_up_is_a_half_turn() -> None:
    """Three parts in single precision whose squares come to a little more than 1 leave nothing for the fourth."""
    turned = Position(position_mm=TURNED.position_mm, xyzw=(0.0, ROOT * (1 + 1e-6), ROOT))
    content = turned.to_bytes()
    assert len(content) == 24
    assert Position.from_bytes(content).xyzw == pytest.approx((0.0, ROOT, ROOT, 0.0), abs=1e-6)
    async with tracker_that_sends(message("POSITION", "Probe", content)) as tracker:
        (reading,) = await take(tracker, 1)
    assert reading.tracker_from_tool is not None
    assert reading.tracker_from_tool.rotation.diagonal() == pytest.approx((-1.0, 0.0, 0.0), abs=1e-5)


async def test_a_position_of_a_tool_that_nobody_named_is_passed_over() -> None:
    """Whole or without a turn: the poses of the tool in the site file go on."""
    strangers = (TURNED, Position(position_mm=(1.0, 2.0, 3.0), xyzw=None))
    sent = [message("POSITION", "Stylus", each.to_bytes()) for each in strangers]
    async with tracker_that_sends(*sent, transform()) as tracker:
        (reading,) = await take(tracker, 1)
    assert (reading.tool, reading.status) == ("Probe", PoseStatus.OK)
    assert tracker.rejected == 0


@pytest.mark.parametrize("kind", [3, 4])
async def test_a_quaternion_that_does_not_know_the_tools_turn_is_refused(kind: int) -> None:
    """QTDATA has a quaternion for tools of 3 and 5 degrees of freedom too; it is no turn that was measured."""
    tool = QuaternionTool(name="Probe", position_mm=TURNED.position_mm, xyzw=(0.0, 0.0, ROOT, ROOT), kind=kind)
    async with tracker_that_sends(message("QTDATA", "NDI", QuaternionFrame(tools=(tool,)).to_bytes())) as tracker:
        (reading,) = await take(tracker, 1)
    assert (reading.status, reading.tracker_from_tool) == (PoseStatus.REFUSED, None)
    assert f"tool type {kind} does not know its turn" in reading.said


async def test_what_the_tracker_says_in_words_stands_in_the_log() -> None:
    """STRING and CAPABILITY are for people: each once, as long as it says the same."""
    sent = [
        message("STRING", "Note", Words(text="camera is cold").to_bytes()),
        message("STRING", "Note", Words(text="camera is cold").to_bytes()),
        message("CAPABILITY", "NDI", Capability(kinds=("TDATA", "STATUS")).to_bytes()),
    ]
    with capture_logs() as logs:
        async with tracker_that_sends(*sent, transform()) as tracker:
            await take(tracker, 1)
    said = [(line["about"], line["words"]) for line in logs if line["event"] == "tracker_says"]
    assert said == [("Note", "camera is cold")]
    assert [line["kinds"] for line in logs if line["event"] == "tracker_knows"] == [("TDATA", "STATUS")]
