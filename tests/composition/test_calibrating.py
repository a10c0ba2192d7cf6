"""Calibrations begun over HTTP, with the devices that the room has open, a simulated hand and simulated wires."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import numpy as np
import pytest

from acquisition.durable import write_whole
from acquisition.recording import record
from acquisition.tracking.desk import Desk
from acquisition.tracking.registration_file import read_registrations
from acquisition.tracking.settings import RegistrationSettings, TimingSettings, TipSettings
from acquisition.tracking.timing import Timing
from acquisition.tracking.tip_file import AxisCheck, load_tip, write_tip
from composition.calibrating import Calibrating
from composition.in_use import read_in_use
from composition.simulated import simulated_site
from config.settings import Site
from devices.clock import monotonic
from display.app import create_app
from simulators.theatre import TOOL_FROM_TIP
from simulators.tool_bench import LANDMARKS, HandFault, ToolBench, open_tool_bench, write_markups
from tests.acquisition.received import received
from tests.acquisition.test_intake import Door
from tests.acquisition.tracking.tips import tip_calibration
from tests.display.test_stage import House

pytestmark = pytest.mark.timeout(400)

CALIBRATION = Path(__file__).parents[2] / "config" / "instruments" / "simulated-gamma.json"
YESTERDAY = datetime.now(tz=UTC) - timedelta(days=1)
MOTIONS = {"Press": "pivot", "Hold": "spin", "Move": "sweep", "Swing": "swing", "Touch": "touch"}
"""What the hand does, by how the instruction begins."""


def site(folder: Path, bench: ToolBench, *, is_tip_typed: bool, longest_s: float) -> Site:
    shipped = simulated_site()
    assert shipped.navigation is not None
    at = {"host": bench.tracker.host, "port": bench.tracker.port}
    up = tuple(TOOL_FROM_TIP.rotation[:, 1].tolist())
    navigation = shipped.navigation.model_copy(
        update={
            "tip": None
            if is_tip_typed
            else TipSettings(file=folder / "tip.json", up=up, longest_s=longest_s, swing_s=10.0),
            "registration": RegistrationSettings(file=folder / "registration.json", longest_s=longest_s),
            # a busy host shifts simulator and driver against each other
            "timing": TimingSettings(file=folder / "timing.json", sweep_s=12.0, greatest_sigma_ms=100.0),
        }
    )
    gamma = shipped.probes["gamma"].model_copy(update={"port": bench.probe, "response": CALIBRATION})
    camera = shipped.trackers["camera"].model_copy(update=at)
    return shipped.model_copy(
        update={"probes": {"gamma": gamma}, "trackers": {"camera": camera}, "navigation": navigation}
    )


def landmarks(folder: Path) -> Any:
    """Give the landmarks as 3D Slicer writes them."""
    write_markups(folder / "landmarks.mrk.json")
    return json.loads((folder / "landmarks.mrk.json").read_text())


def lay_down(folder: Path) -> None:
    """Write the tip and the delay that a room starts with, unless they are there."""
    if not (folder / "tip.json").exists():
        tip = tip_calibration(YESTERDAY)
        write_tip(folder / "tip.json", tip)
    if not (folder / "timing.json").exists():
        timing = Timing(
            probe="gamma", tracker="camera", is_simulated=True, calibrated_at=YESTERDAY, delay_s=0.0, sigma_s=0.01
        )
        write_whole(folder / "timing.json", timing)


class Theatre:
    """A room with a person before its display, whose hand does as the display says."""

    def __init__(self, bench: ToolBench, door: Door, house: House, calibrating: Calibrating) -> None:
        self.bench = bench
        self.door = door
        self.house = house
        self.calibrating = calibrating
        self.noted: list[tuple[str, Any]] = []
        self.phases: list[str] = []
        self.words: list[str] = []
        app = create_app(house.exhibits, calibrator=calibrating)
        self.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1")

    async def begin(self, step: str, **body: object) -> tuple[int, str]:
        """Ask for a calibration."""
        answer = await self.client.post(f"/v1/calibrations/{step}", json=body)
        return answer.status_code, answer.text

    async def act(self, step: str, act: str, seq: int | None = None) -> tuple[int, str]:
        """Say something in it, to what it asked at ``seq``."""
        answer = await self.client.post(f"/v1/calibrations/{step}/acts", json={"act": act, "seq": seq})
        return answer.status_code, answer.text

    async def newer(self, seq: int) -> dict[str, Any]:
        """Wait for how it stands next."""
        found: dict[str, Any] = (await self.client.get("/v1/calibrations", params={"after": seq})).json()
        self.phases.append(found["phase"])
        self.words.append(found["words"])
        return found

    async def follow(self, step: str, *, until: str = "ended") -> dict[str, Any]:
        """Do as is asked until it stands so; what passed is used."""
        seq, obeyed = -1, ""
        while (standing := await self.newer(seq))["phase"] != until:
            seq, instruction = standing["seq"], standing["instruction"]
            if standing["phase"] == "waiting":
                obeyed = instruction
                motion = MOTIONS[obeyed.split()[0]]
                place = obeyed.removeprefix("Touch ").split(" with the tip")[0] if motion == "touch" else ""
                self.bench.hand.move(motion, place)
                assert await self.act(step, "continue", seq) == (204, "")
            if standing["phase"] == "accepting":
                assert await self.act(step, "continue", seq) == (204, "")
        return standing


@asynccontextmanager
async def theatre(
    folder: Path,
    *,
    fault: HandFault | None = None,
    is_tip_typed: bool = False,
    longest_s: float = 30.0,
    patience_s: float = 120.0,
) -> AsyncIterator[Theatre]:
    rng, house = np.random.default_rng(5), House()
    async with open_tool_bench(folder, rng=rng, clock=monotonic, fault=fault) as bench:
        with record(folder / "recordings", simulated=True) as recorder:
            here = site(folder, bench, is_tip_typed=is_tip_typed, longest_s=longest_s)
            desk = Desk(patience_s=patience_s)
            assert here.navigation is not None
            door = Door(recorder, is_calibrating=lambda: desk.is_running)
            lay_down(folder)
            noted = list[tuple[str, Any]]()
            calibrating = Calibrating(
                desk=desk,
                site=here,
                navigation=here.navigation,
                in_use=read_in_use(here, is_simulated=True),
                intake=door.intake,
                archive=house.console.archive,
                resection=door.resection,
                note=lambda kind, told: noted.append((kind, told)),
                is_simulated=True,
            )
            jobs = [
                asyncio.create_task(job, name=name)
                for name, job in door.intake.jobs(probes=here.probes, trackers=here.trackers, node=None)
            ]
            jobs.append(asyncio.create_task(calibrating.desk.run(), name="calibrations"))
            found = Theatre(bench, door, house, calibrating)
            found.noted = noted
            try:
                yield found
            finally:
                await found.client.aclose()
                for job in jobs:
                    job.cancel()
                outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), outcomes


async def test_tip_registration_and_check_are_made_before_the_display(tmp_path: Path) -> None:
    """A person is told what to do, sees how far it is, and the files are those that acquire writes."""
    async with theatre(tmp_path) as room:
        assert await room.begin("tool") == (204, "")
        assert await room.begin("tool") == (409, "tool is under way: end it first")
        ended = await room.follow("tool")
        assert (ended["passed"], ended["simulated"]) == (True, True)
        assert "started again" in ended["reason"]
        assert [result["name"] for result in ended["results"]] == ["pivot", "spin"]
        assert {"waiting", "measuring", "accepting", "ended"} <= set(room.phases)
        assert any("poses, tilted by" in words for words in room.words)
        tip = load_tip(tmp_path / "tip.json", tool="Probe", serial="", is_simulated=True)
        assert tip.calibrated_at > YESTERDAY
        assert np.linalg.norm(tip.transform.translation_mm - TOOL_FROM_TIP.translation_mm) < 0.5

    async with theatre(tmp_path) as room:
        assert await room.begin("axis") == (204, "")
        ended = await room.follow("axis")
        assert (ended["passed"], "looks where its axis points" in ended["reason"]) == (True, True), ended
        checked = load_tip(tmp_path / "tip.json", tool="Probe", serial="", is_simulated=True)
        assert checked.axis_check is not None
        # what the counts bear out is the tip that the room goes by, not another one
        assert room.calibrating.in_use.superseded(room.calibrating.site, is_simulated=True) == ""
        assert await room.begin("verify", landmark="xiphoid") == (
            409,
            "nothing is registered yet: register her first",
        )
        marked = landmarks(tmp_path)
        code, why = await room.begin("register", landmarks=marked)
        assert (code, "no study is in use" in why) == (409, True)
        await room.house.console.archive.take(received())
        code, why = await room.begin("register", landmarks={"markups": []})
        assert (code, "0 landmarks" in why) == (409, True)
        nothing = {"names": [], "trouble": ""}
        assert (await room.client.get("/v1/calibrations/landmarks")).json() == nothing
        assert await room.begin("register", landmarks=marked) == (204, "")
        asked = await room.follow("register", until="accepting")
        assert "mm are to be expected at" in asked["results"][0]["reason"]
        assert "not turned by half" in asked["results"][-1]["reason"]
        assert not (tmp_path / "registration.json").exists(), "written before anybody accepted it"
        ended = await room.follow("register")
        assert ended["passed"] is True, ended
        told = (await room.client.get("/v1/calibrations/landmarks")).json()
        assert "xiphoid" in told["names"]
        (registration,) = read_registrations(tmp_path / "registration.json")
        assert (registration.patient_id, registration.frame_of_reference_uid) == ("A-1", "1.2")
        assert registration.tip_calibrated_at == tip.calibrated_at

        code, why = await room.begin("verify", landmark="nose")
        assert (code, "there are sternal notch" in why) == (409, True)
        assert await room.begin("verify", landmark="xiphoid") == (204, "")
        assert (await room.follow("verify"))["phase"] == "ended"
        assert [each.name for each in read_registrations(tmp_path / "registration.json")[0].verifications] == [
            "xiphoid"
        ]
        steps = [(kind, told["step"], told["passed"]) for kind, told in room.noted]
        assert steps[:2] == [("calibrated", "axis", True), ("calibrated", "register", True)]


async def test_points_in_any_order_and_the_skin_are_asked_for_where_the_display_wants_them(tmp_path: Path) -> None:
    """As many touches as it says, none of them by name, and then the tip is drawn over the skin of her CT."""
    async with theatre(tmp_path) as room:
        await room.house.console.archive.take(received())
        asked = {"landmarks": landmarks(tmp_path), "points": 6, "with_skin": True}
        assert await room.begin("register", **asked) == (204, "")
        seq, instructions = -1, list[str]()
        while not any("Draw" in each for each in instructions):
            standing = await room.newer(seq)
            seq = standing["seq"]
            assert standing["phase"] in {"working", "waiting", "measuring"}, standing
            if standing["phase"] == "waiting":
                instructions.append(standing["instruction"])
                room.bench.hand.move("touch")
                assert await room.act("register", "continue", seq) == (204, "")
        touched = [f"landmark {number} of 6, in any order" for number in range(1, 7)]
        assert all(place in each for place, each in zip(touched, instructions[:-1], strict=True))
        assert await room.act("register", "end") == (204, "")


def saved_as_lps(told: Any, names: dict[str, str]) -> Any:
    """Say LPS of landmarks whose places are RAS, under other names."""
    (markup,) = told["markups"]
    markup["coordinateSystem"] = "LPS"
    for point in markup["controlPoints"]:
        point["label"] = names.get(point["label"], point["label"])
    return told


async def test_landmarks_that_were_saved_as_the_wrong_axes_are_named(tmp_path: Path) -> None:
    """The simulated body lies evenly about its axis: names tell it at once, else the way that the tip came."""
    async with theatre(tmp_path) as room:
        await room.house.console.archive.take(received())
        code, why = await room.begin("register", landmarks=saved_as_lps(landmarks(tmp_path), {}))
        assert (code, "left shoulder lies to the right of right shoulder" in why) == (409, True)
        neutral = {name: f"point {number}" for number, name in enumerate(LANDMARKS)}
        marked = saved_as_lps(landmarks(tmp_path), neutral)
        assert await room.begin("register", landmarks=marked, points=6) == (204, "")
        seq = -1
        while (standing := await room.newer(seq))["phase"] != "ended":
            seq = standing["seq"]
            if standing["phase"] == "waiting":
                room.bench.hand.move("touch")
                assert await room.act("register", "continue", seq) == (204, "")
        assert [result["passed"] for result in standing["results"]] == [True, False]
        assert standing["results"][0]["reason"].startswith("very good")
        assert standing["passed"] is False
        assert "turned by half, as where RAS was saved as LPS" in standing["reason"]
        assert not (tmp_path / "registration.json").exists()
        assert await room.begin("register", landmarks=landmarks(tmp_path), lies="prone") == (204, "")
        ended = await room.follow("register")
        assert "if she lies on her front" in ended["reason"]


async def test_a_new_tip_neither_registers_nor_verifies_in_a_room_that_goes_by_the_old_one(tmp_path: Path) -> None:
    """Nor does it vouch, after a restart, for what was registered with the old one."""
    async with theatre(tmp_path) as room:
        await room.house.console.archive.take(received())
        marked, file = landmarks(tmp_path), tmp_path / "registration.json"
        assert await room.begin("register", landmarks=marked) == (204, "")
        assert (await room.follow("register"))["passed"] is True
        assert room.calibrating.in_use.tip is not None
        tip = msgspec.structs.replace(room.calibrating.in_use.tip, calibrated_at=YESTERDAY + timedelta(hours=1))
        write_tip(tmp_path / "tip.json", tip)
        refused = (409, "a new calibration of the tip waits: restart radionav")
        assert await room.begin("verify", landmark="xiphoid") == refused
        assert await room.begin("register", landmarks=marked) == refused
        against = AxisCheck(
            checked_at=YESTERDAY, probe="gamma", passed=False, away_deg=3.1, low_deg=2.6, high_deg=3.6
        )
        write_tip(tmp_path / "tip.json", msgspec.structs.replace(room.calibrating.in_use.tip, axis_check=against))
        code, why = await room.begin("register", landmarks=marked)
        assert (code, "counts most 3.1° beside its axis" in why) == (409, True)
        write_tip(tmp_path / "tip.json", tip)
    async with theatre(tmp_path) as room:
        assert await room.begin("verify", landmark="xiphoid") == (204, "")
        ended = await room.follow("verify")
        assert (ended["passed"], "with another calibration of the tip" in ended["reason"]) == (False, True)
        assert read_registrations(file)[0].verifications == []


async def test_what_is_counted_is_not_calibrated_meanwhile_nor_the_other_way(tmp_path: Path) -> None:
    """The source that the delay is measured over is no specimen."""
    async with theatre(tmp_path) as room:
        assert room.door.resection.count_bench("specimen") is None
        for step in ("tool", "axis", "timing"):
            assert await room.begin(step) == (409, "something is being counted: stop that first")
        room.door.resection.stop()
        assert await room.begin("timing") == (204, "")
        assert room.door.resection.count_bench("specimen") == "a calibration is under way: end it first"
        assert await room.act("timing", "end") in {(204, ""), (409, "timing is not under way")}


async def test_the_delay_is_found_with_the_counts_that_the_room_receives(tmp_path: Path) -> None:
    """Neither port is opened twice; what is counted over a source meanwhile is none of the patient."""
    async with theatre(tmp_path, is_tip_typed=True) as room:
        assert (await room.begin("axis")) == (
            409,
            "the site file has no [navigation.tip]: find tip and axis first",
        )
        assert (await room.begin("timing"))[0] == 204
        asked = await room.follow("timing", until="waiting")
        assert room.door.intake._is_calibrating(monotonic())
        room.bench.hand.move("sweep")
        assert await room.act("timing", "continue", asked["seq"]) == (204, "")
        ended = await room.follow("timing")
        assert ended["passed"] is True, ended
        calibrating = room.calibrating
        waits = calibrating.in_use.superseded(calibrating.site, is_simulated=True)
        assert waits == "a new delay of the counts waits: restart radionav"
        assert not room.door.intake._is_calibrating(monotonic())
        assert room.door.board.tally.readings > 50


async def test_a_motion_that_failed_is_made_again_or_ended(tmp_path: Path) -> None:
    """A tool held still is named and can be tried again; what is ended writes nothing, and no other is meant."""
    async with theatre(tmp_path, fault=HandFault.HELD_STILL, longest_s=4.0) as room:
        assert await room.act("tool", "continue") == (409, "tool waits for nobody now")
        assert (await room.begin("tool"))[0] == 204
        judged = await room.follow("tool", until="judging")
        assert "held still" in judged["results"][0]["reason"]
        assert await room.act("timing", "repeat") == (409, "timing waits for nobody now")
        assert await room.act("tool", "repeat") == (409, "tool asks something else by now: look again")
        assert await room.act("tool", "repeat", judged["seq"]) == (204, "")
        seq = judged["seq"]
        while (standing := await room.newer(seq))["phase"] != "waiting":
            seq = standing["seq"]
        # two people answer one question: the second answer is none to what is asked next
        assert await room.act("tool", "continue", judged["seq"]) == (
            409,
            "tool asks something else by now: look again",
        )
        assert room.calibrating.desk.standing.phase == "waiting"
        assert await room.act("tool", "repeat", standing["seq"]) == (
            409,
            "nothing failed that could be repeated",
        )
        assert await room.act("tool", "end") == (204, "")
        ended = await room.follow("tool")
        assert (ended["passed"], ended["reason"]) == (False, "it was ended before it had come to anything")
        ((kind, told),) = room.noted
        assert (kind, told["step"], told["passed"], told["reason"]) == (
            "calibrated",
            "tool",
            False,
            ended["reason"],
        )
        assert [result["passed"] for result in told["results"]] == [False]
        tip = load_tip(tmp_path / "tip.json", tool="Probe", serial="", is_simulated=True)
        assert tip.calibrated_at == YESTERDAY
        assert (await room.begin("tool"))[0] == 204
        await room.follow("tool", until="judging")
        assert await room.act("tool", "end") == (204, "")
        assert (await room.follow("tool"))["reason"] == "it was ended after it had not passed"
        assert (await room.client.post("/v1/calibrations/tool", json={"more": 1})).status_code == 422


async def test_a_calibration_does_not_wait_for_ever(tmp_path: Path) -> None:
    """Where nobody goes on it ends with why, and the counts are the patient's again."""
    async with theatre(tmp_path, patience_s=0.2) as room:
        assert (await room.begin("tool"))[0] == 204
        seq = -1
        while (standing := await room.newer(seq))["phase"] != "ended":
            seq = standing["seq"]
        assert (standing["passed"], standing["reason"]) == (False, "nobody went on for 0.2 s: begin again")
        assert [told["reason"] for _, told in room.noted] == ["nobody went on for 0.2 s: begin again"]
        assert not room.door.intake._is_calibrating(monotonic())
