"""What an NDI tracker says of itself is logged in words, once, and that it is over."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from devices.clock import monotonic
from devices.readings import PoseStatus
from tests.devices.trackers.test_ndi import room, take


@pytest.mark.parametrize("reply", ["TX", "BX"])
async def test_what_the_system_status_tells_is_logged_when_it_begins_and_when_it_is_over(
    tmp_path: Path, reply: str
) -> None:
    """Each answer tells it; a person reads it twice, while poses go on."""
    with capture_logs() as logs:
        async with (
            room(tmp_path) as there,
            there.settings(reply=reply).connect("camera", clock=monotonic) as camera,
        ):
            await take(camera, "Probe")
            there.instrument.system_status = 0x0200
            for _ in range(5):
                await take(camera, "Probe")
            there.instrument.system_status = 0
            for _ in range(3):
                await take(camera, "Probe")
    said = [(line["about"], line["words"]) for line in logs if line["event"] == "tracker_says"]
    assert [about for about, _ in said] == ["system", "system"]
    assert said[0][1].startswith("its temperature is out of range: let it warm up")
    assert said[1][1] == "all is well again"


async def test_an_alert_of_bx2_is_logged_in_words(tmp_path: Path) -> None:
    """What was plugged out, and an alert that has no words of ours, by its number."""
    with capture_logs() as logs:
        async with (
            room(tmp_path) as there,
            there.settings(reply="BX2").connect("camera", clock=monotonic) as camera,
        ):
            await take(camera, "Probe")
            there.instrument.alerts = [(4, 2), (2, 7)]
            while there.instrument.alerts:
                await anext(camera)
            await take(camera, "Probe")
    words = [line["words"] for line in logs if line["event"] == "tracker_alert"]
    assert words == [
        "a tool was unplugged: check the tool's plug",
        "alert 7: read it with NDI's own program",
    ]


async def test_why_a_tool_is_lost_is_logged_once_and_that_it_is_back(tmp_path: Path) -> None:
    """Not with each of sixty frames a second."""
    with capture_logs() as logs:
        async with room(tmp_path) as there, there.settings().connect("camera", clock=monotonic) as camera:
            await take(camera, "Probe")
            there.instrument.drop("Probe")
            for _ in range(5):
                await take(camera, "Probe", PoseStatus.MISSING)
            there.instrument.restore("Probe")
            await take(camera, "Probe")
    said = [line["words"] for line in logs if line["event"] == "tracker_says" and line["about"] == "Probe"]
    assert said == ["not in sight: clear the line of sight between tool and camera", "all is well again"]
