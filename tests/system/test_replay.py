"""A session recorded by the real service, played again: the same estimate, and nobody takes it for live."""

import asyncio
import http.client
import math
import re
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import expect

from acquisition.replay.black_box import Recording
from display.messages.feed import Hello, State
from display.messages.resection import ResectionRequest
from display.page.hatch_build import build_page
from tests.system.running import PATIENCE_S, finish, looking, running
from tests.system.test_display import PATIENCE_MS, looking_at

pytestmark = pytest.mark.timeout(900)

SPEED = 5
LEAST_READINGS = 60
LONG_S = 4 * PATIENCE_S
"""For what takes several processes to start and a study to be read."""

SIMULATED = ("--simulate", "--keep", "kept")


def is_located(state: State) -> bool:
    """Whether enough was counted to say where the node is."""
    counted = state.posterior.readings if state.posterior else 0
    return counted >= LEAST_READINGS and any(target.centre_mm for target in state.targets)


@pytest.fixture(scope="module", name="kept")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a simulated session in it that located the node."""
    folder = tmp_path_factory.mktemp("session")
    with running(*SIMULATED, "--port", 0, "--dicom-port", 0, folder=folder) as service:
        with looking(service.display) as display:
            display.until(is_located, within_s=LONG_S)
        service.terminate()
        assert service.ended() == 0
    return folder


def recording_in(folder: Path) -> Path:
    """The one recording that was made there."""
    (path,) = (folder / "kept" / "recordings").iterdir()
    return path


def replaying(path: Path) -> tuple[object, ...]:
    """The command that plays it fast."""
    return ("replay", path, *SIMULATED, "--port", 0, "--speed", SPEED)


def test_a_replay_comes_to_what_was_believed_then(kept: Path) -> None:
    """Every estimate that stands in the recording comes out again, and all that is shown says REPLAY."""
    path = recording_in(kept)
    told = [each.told for each in Recording(path).messages() if each.topic == "/estimates"]
    assert told[-1]["readings"] >= LEAST_READINGS
    with running(*replaying(path), folder=kept) as service, looking(service.display) as display:
        service.said(r"REPLAY of \S+, recorded from [\d-]+ [\d:]+ UTC on: nothing here is live")
        said = service.said(
            r"the recording has ended and stands still: (\d+) of (\d+) estimates came out as they were",
            within_s=LONG_S,
        )
        (_, hello), *_ = display.received(Hello)
        assert hello.replayed
        assert hello.simulated
        assert all(each.replayed and each.simulated for each in display.states)
        assert refused(service.display) == (409, "this is a replay of a recording: nothing is done in it")
        service.terminate()
        assert service.ended() == 0
        assert "Traceback" not in service.complaints
    assert (int(said[1]), int(said[2])) == (len(told), len(told))
    # the feed tells of the newest, and passes some over; what was asked for at the very end was not recorded
    believed = {(each["restarts"], each["readings"]): each["targets"] for each in told}
    compared = 0
    for state, posterior in ((each, each.posterior) for each in display.states):
        key = (posterior.restarts, posterior.readings) if posterior else (-1, -1)
        centres = {each["name"]: each["centre_mm"] for each in believed.get(key, ())}
        for shown in state.targets:
            if centres and shown.centre_mm is not None:
                assert math.dist(shown.centre_mm, centres[shown.name]) < 0.01
                compared += 1
    assert compared
    assert recording_in(kept) == path, "a replay is no session: it leaves no recording"


def refused(address: str) -> tuple[int, str]:
    """What somebody is answered who acts in it."""
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
    try:
        body = msgspec.json.encode(ResectionRequest(action="count_background", revision=0))
        connection.request("POST", "/v1/resection", body, {"Origin": f"http://{address}"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.peer("chromium")
async def test_replay_stands_across_the_page(kept: Path) -> None:
    """While it is played, and when it has ended and stands still: REPLAY beside SIMULATED, the whole time."""
    await asyncio.to_thread(build_page)
    with running(*replaying(recording_in(kept)), folder=kept) as service:
        address = await asyncio.to_thread(lambda: service.display)
        async with looking_at(address) as page:
            replay = page.get_by_role("note", name="Replay of a recording, not of now")
            await expect(replay).to_be_visible(timeout=PATIENCE_MS)
            await expect(page.locator("#simulated")).to_be_visible()
            await expect(page.locator("#rate-value")).to_have_text(re.compile(r"\d"), timeout=PATIENCE_MS)
            await asyncio.to_thread(
                lambda: service.said("the recording has ended and stands still", within_s=LONG_S)
            )
            await expect(replay).to_be_visible()
            box = await replay.bounding_box()
            assert box is not None
            assert box["width"] > 200
        service.terminate()
        assert await asyncio.to_thread(service.ended) == 0


def test_a_torn_recording_is_played_to_its_tear(kept: Path, tmp_path: Path) -> None:
    """What stands before it is played, and a sentence says that there was more."""
    whole = recording_in(kept).read_bytes()
    torn = tmp_path / "torn.mcap"
    torn.write_bytes(whole[: len(whole) // 2])
    with running(*replaying(torn), folder=kept) as service:
        service.said(r"stands still: it is torn or damaged .*; what stands before was played", within_s=LONG_S)
        service.terminate()
        assert service.ended() == 0
        assert "Traceback" not in service.complaints


def test_what_cannot_be_played_is_said(kept: Path, tmp_path: Path) -> None:
    """No recording, and a simulated one in a room of real devices: one sentence each, exit status 2."""
    other = tmp_path / "other.mcap"
    other.write_text("no recording")
    site = tmp_path / "site.toml"
    site.write_text(
        '[site]\nname = "Hospital"\nroom = "OR 1"\n[probes.gamma]\ndriver = "mightyohm"\nport = "/dev/none"\n'
    )
    for arguments, sentence in (
        (("replay", other, "--simulate"), f"{other}: no recording"),
        (("replay", recording_in(kept), "--config", site), "was recorded simulated: give --simulate"),
        (("replay", recording_in(kept)), "give either --config"),
    ):
        code, output, complaints = finish(*arguments, folder=kept)
        assert (code, output) == (2, "")
        assert sentence in " ".join(complaints.split())
        assert "Traceback" not in complaints
