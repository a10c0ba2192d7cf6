"""Calibrations over HTTP: each begun by its own body, followed while it goes on, and answered or ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from acquisition.quality.results import Figure, StepResult
from acquisition.tracking.following import Progress, Screen
from acquisition.tracking.operator import Operator
from display.access.admission import Admission
from display.app import create_app
from display.messages.calibration import InstallRequest, RegisterRequest, VerifyRequest
from tests.display.access.test_admission import ENGINEER, NAME, SECRET, Door, bearer
from tests.display.page.calibrated import Outcome, ScriptedCalibrator, manned
from tests.display.test_stage import House

MARKED = {"markups": [{"type": "Fiducial"}]}
BEGUN: dict[str, tuple[dict[str, Any], object]] = {
    "tool": ({}, InstallRequest()),
    "axis": ({}, InstallRequest()),
    "timing": ({}, InstallRequest()),
    "register": (
        {"landmarks": MARKED, "points": 5, "with_skin": True, "lies": "prone"},
        RegisterRequest(landmarks=MARKED, points=5, with_skin=True, lies="prone"),
    ),
    "verify": ({"landmark": "xiphoid"}, VerifyRequest(landmark="xiphoid")),
}
"""A body of each calibration, and what it means."""

MALFORMED: dict[str, tuple[Any, ...]] = {
    "tool": ({"more": 1}, [], "tool"),
    "axis": ({"more": 1}, []),
    "timing": ({"more": 1}, []),
    "register": (
        {},
        {"landmarks": MARKED, "more": 1},
        {"landmarks": [1]},
        {"landmarks": MARKED, "points": 2},
        {"landmarks": MARKED, "points": 13},
        {"landmarks": MARKED, "points": "5"},
        {"landmarks": MARKED, "with_skin": "yes"},
        {"landmarks": MARKED, "lies": "upright"},
    ),
    "verify": ({}, {"landmark": 1}, {"landmark": "xiphoid", "more": 1}),
    "tool/acts": ({}, {"act": "begin"}, {"act": "end", "more": 1}, {"act": "continue", "seq": "1"}),
}
GOOD = StepResult(
    name="pivot",
    passed=True,
    figures=(Figure(name="tip known to", value=0.06, unit="mm", sigma=0.01),),
    limit="tip to 0.2 mm",
    reason="very good",
    attempts=2,
)


class Display:
    """A browser before a calibrator."""

    def __init__(self, calibrator: ScriptedCalibrator, admission: Admission | None) -> None:
        self.calibrator = calibrator
        app = create_app(House().exhibits, calibrator=calibrator, admission=admission)
        self.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1")

    async def post(self, path: str, body: Any, *, token: str = "") -> tuple[int, str]:
        """Ask for something; gives status and sentence."""
        headers = bearer(token) if token else {}
        answer = await self.client.post(f"/v1/calibrations/{path}", json=body, headers=headers)
        return answer.status_code, answer.text

    async def until(self, phase: str) -> dict[str, Any]:
        """Follow it until it stands so."""
        seq = -1
        while (standing := await self.after(seq))["phase"] != phase:
            seq = standing["seq"]
        return standing

    async def after(self, seq: int) -> dict[str, Any]:
        """How it stands once that has changed."""
        found: dict[str, Any] = (await self.client.get("/v1/calibrations", params={"after": seq})).json()
        assert found["seq"] > seq, "it waits until something has changed"
        return found


@asynccontextmanager
async def display(admission: Admission | None = None) -> AsyncIterator[Display]:
    """Look at a calibrator whose desk runs."""
    async with asyncio.timeout(60), manned(ScriptedCalibrator()) as calibrator:
        opened = Display(calibrator, admission)
        async with opened.client:
            yield opened


@pytest.mark.parametrize("step", BEGUN)
async def test_each_is_begun_with_what_was_sent(step: str) -> None:
    """The calibration that was asked for, and no other, hears all that the body says; nothing twice at once."""
    body, meant = BEGUN[step]
    async with display() as here:
        assert await here.post(step, body) == (204, "")
        assert here.calibrator.asked == [meant]
        assert (await here.until("waiting"))["step"] == step
        assert await here.post(step, body) == (409, f"{step} is under way: end it first")
        assert await here.post(f"{step}/acts", {"act": "end"}) == (204, "")
        assert (await here.until("ended"))["passed"] is False


@pytest.mark.parametrize("path", MALFORMED)
async def test_what_is_no_body_of_it_begins_nothing(path: str) -> None:
    """422 with what is wrong for too little, too much or another kind of value; 413 for what is too long."""
    async with display() as here:
        for body in MALFORMED[path]:
            code, why = await here.post(path, body)
            assert (code, "docs/feed.md" in why) == (422, True), body
        raw = await here.client.post(f"/v1/calibrations/{path}", content=b"{")
        assert raw.status_code == 422
        assert (await here.post(path, {"landmark": "x" * 70_000}))[0] == 413
        assert here.calibrator.asked == []
        assert here.calibrator.desk.standing.phase == "idle"


async def test_how_it_stands_is_shown_as_it_goes_on() -> None:
    """How far it is in words and as a share, then the verdict with its figures, then what came of it."""
    going_on = asyncio.Event()

    async def pivot(operator: Operator, screen: Screen) -> Outcome:
        screen.show(Progress(share=0.4, words="120 poses, tilted by 8° of 20°"))
        await going_on.wait()
        screen.close()
        await operator.accept((GOOD,))
        return Outcome(passed=True, results=(GOOD,))

    async with display() as here:
        idle = await here.until("idle")
        assert (idle["step"], idle["instruction"], idle["share"], idle["passed"]) == (None, "", 0.0, None)
        here.calibrator.desk.begin("tool", pivot, told="written to tip.json")
        standing = idle
        while not standing["words"]:
            standing = await here.after(standing["seq"])
        assert (standing["share"], standing["words"]) == (0.4, "120 poses, tilted by 8° of 20°")
        going_on.set()
        asked = await here.until("accepting")
        figure = {"name": "tip known to", "value": 0.06, "unit": "mm", "sigma": 0.01}
        verdict = {"name": "pivot", "passed": True, "limit": "tip to 0.2 mm", "reason": "very good", "attempts": 2}
        assert (asked["share"], asked["results"]) == (0.0, [verdict | {"figures": [figure]}])
        assert await here.post("tool/acts", {"act": "continue", "seq": asked["seq"]}) == (204, "")
        ended = await here.until("ended")
        assert (ended["passed"], ended["reason"]) == (True, "written to tip.json")
        assert ended["simulated"] is True


async def test_an_instruction_is_shown_until_it_is_obeyed_and_only_its_own_answer_is_taken() -> None:
    """An answer to another question, by the number of what was seen, or none, changes nothing."""
    async with display() as here:
        await here.post("tool", {})
        asked = await here.until("waiting")
        assert asked["instruction"] == "Press the tip of Probe into the divot, then tilt it slowly to all sides"
        for seq in (None, asked["seq"] - 1, asked["seq"] + 1):
            refused = (409, "tool asks something else by now: look again")
            assert await here.post("tool/acts", {"act": "continue", "seq": seq}) == refused
        assert await here.post("axis/acts", {"act": "end"}) == (409, "axis is not under way")
        assert await here.post("tool/acts", {"act": "continue", "seq": asked["seq"]}) == (204, "")
        judged = await here.until("judging")
        assert judged["instruction"] == ""
        (verdict,) = judged["results"]
        assert (verdict["passed"], "the tool was held still" in verdict["reason"]) == (False, True)


async def test_landmarks_are_listed() -> None:
    """What a check can touch, in their order."""
    async with display() as here:
        here.calibrator.names = ("sternal notch", "xiphoid")
        found = (await here.client.get("/v1/calibrations/landmarks")).json()
        assert found == {"names": ["sternal notch", "xiphoid"], "trouble": ""}


async def test_who_acts_in_theatre_may_end_an_engineers_calibration_and_do_no_more_with_it(tmp_path: Path) -> None:
    """It keeps the patient from being looked at: whoever acts may end it, and neither begins nor goes on."""
    door = Door(tmp_path)
    async with display(door.admission) as here:
        signed = await here.client.post("/v1/sign-in", json={"name": NAME, "secret": SECRET})
        surgeon = signed.json()["token"]
        assert (await here.post("tool", {}, token=surgeon))[0] == 403
        assert (await here.post("tool", {}, token=ENGINEER))[0] == 204
        while here.calibrator.desk.standing.phase != "waiting":
            await here.calibrator.desk.changed(here.calibrator.desk.standing.seq, longest_s=60.0)
        act = {"act": "continue", "seq": here.calibrator.desk.standing.seq}
        refused = (409, "only an engineer goes on with this: end it, or sign in as one")
        assert await here.post("tool/acts", act, token=surgeon) == refused
        assert (await here.post("tool/acts", {"act": "end"}, token=surgeon))[0] == 204
