"""A calibration before the display that goes on as a test says: a real desk, nobody's hand and nobody's camera."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.technologist import Choice
from acquisition.tracking.desk import Desk
from acquisition.tracking.following import Progress, Screen
from acquisition.tracking.operator import Motion, Move, Operator
from display.messages.calibration import InstallRequest, LandmarkList, RegisterRequest, VerifyRequest

BAD = failure(
    "pivot",
    "tip to 0.2 mm, 1 mm RMS in space",
    "the tool was held still: its least turned axis moved by 0.1°, 10° are needed. "
    "Tilt it forwards and backwards, and to both sides",
)
GOOD = StepResult(
    name="pivot",
    passed=True,
    figures=(Figure(name="tip known to", value=0.06, unit="mm"), Figure(name="poses", value=204, unit="of 212")),
    limit="tip to 0.2 mm, 1 mm RMS in space",
    reason="very good: the tip is known to 0.06 mm",
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What it came to."""

    passed: bool
    results: tuple[StepResult, ...]
    aborted: str = ""


@dataclass
class ScriptedCalibrator:
    """Pivots once badly, and once well as soon as ``is_enough`` is set."""

    desk: Desk = field(default_factory=Desk)
    names: tuple[str, ...] = ("sternal notch", "xiphoid")
    asked: list[object] = field(default_factory=list)
    is_enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def landmarks(self) -> LandmarkList:
        """List what a check can touch."""
        return LandmarkList(names=self.names, trouble="")

    async def tool(self, asked: InstallRequest) -> str | None:
        """Begin it."""
        return self._begin("tool", asked)

    async def axis(self, asked: InstallRequest) -> str | None:
        """Begin it."""
        return self._begin("axis", asked)

    async def timing(self, asked: InstallRequest) -> str | None:
        """Begin it."""
        return self._begin("timing", asked)

    async def register(self, asked: RegisterRequest) -> str | None:
        """Begin it."""
        return self._begin("register", asked)

    async def verify(self, asked: VerifyRequest) -> str | None:
        """Begin it."""
        return self._begin("verify", asked)

    def _begin(self, step: str, asked: object) -> str | None:
        self.asked.append(asked)
        told = "written to tip.json; this room goes by it when radionav is started again"
        return self.desk.begin(step, self._run, told=told)

    async def _run(self, operator: Operator, screen: Screen) -> Outcome:
        instruction = "Press the tip of Probe into the divot, then tilt it slowly to all sides"
        move = Move(motion=Motion.PIVOT, instruction=instruction)
        await operator.ready(move)
        if await operator.judge(BAD) is not Choice.REPEAT:
            return Outcome(passed=False, results=(BAD,))
        await operator.ready(move)
        screen.show(Progress(share=0.4, words="120 poses, tilted by 8° of 20°, tip to 0.21 mm"))
        await self.is_enough.wait()
        screen.close()
        await operator.accept((GOOD,))
        return Outcome(passed=True, results=(GOOD,))


@contextlib.asynccontextmanager
async def manned(calibrator: ScriptedCalibrator) -> AsyncIterator[ScriptedCalibrator]:
    """Run its desk until the end of the block."""
    running = asyncio.create_task(calibrator.desk.run(), name="calibrations")
    try:
        yield calibrator
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
