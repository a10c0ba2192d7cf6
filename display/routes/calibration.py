"""What the display's server answers of calibrations: begun, followed and ended by a person before a display."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec
from fastapi import Request, Response

from acquisition.quality.results import StepResult
from acquisition.quality.technologist import Choice
from acquisition.tracking.desk import Desk, Standing
from display.access.gate import may_go_on
from display.bodies import do
from display.messages.calibration import (
    CalibrationAct,
    CalibrationState,
    InstallRequest,
    LandmarkList,
    RegisterRequest,
    Verdict,
    VerdictFigure,
    VerifyRequest,
)

LONGEST_S = 10.0
"""How long an answer is kept back where nothing changes."""


class Calibrator(Protocol):
    """Begins calibrations; each is begun, or refused with a sentence."""

    @property
    def desk(self) -> Desk:
        """Runs them."""

    async def landmarks(self) -> LandmarkList:
        """List what a check can touch."""

    async def tool(self, asked: InstallRequest) -> str | None:
        """Find tip and axis of the probe."""

    async def axis(self, asked: InstallRequest) -> str | None:
        """Hold the probe's axis against its counts."""

    async def timing(self, asked: InstallRequest) -> str | None:
        """Find how late counts are."""

    async def register(self, asked: RegisterRequest) -> str | None:
        """Register the patient."""

    async def verify(self, asked: VerifyRequest) -> str | None:
        """Check how she is registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRoutes:
    """Answers of calibrations; ``is_simulated`` is said with each."""

    calibrator: Calibrator
    is_simulated: Callable[[], bool]

    async def standing(self, after: int = -1) -> Response:
        """Say how it stands, once that has changed since ``after``, or after ten seconds."""
        standing = await self.calibrator.desk.changed(after, longest_s=LONGEST_S)
        return Response(msgspec.json.encode(self._show(standing)), media_type="application/json")

    async def landmarks(self) -> Response:
        """List what a check of the registration in use can touch."""
        found = await self.calibrator.landmarks()
        return Response(msgspec.json.encode(found), media_type="application/json")

    async def tool(self, request: Request) -> Response:
        """Begin to find tip and axis."""
        return await do(request, InstallRequest, self.calibrator.tool)

    async def axis(self, request: Request) -> Response:
        """Begin to hold the axis against the counts."""
        return await do(request, InstallRequest, self.calibrator.axis)

    async def timing(self, request: Request) -> Response:
        """Begin to find the delay."""
        return await do(request, InstallRequest, self.calibrator.timing)

    async def register(self, request: Request) -> Response:
        """Begin to register the patient."""
        return await do(request, RegisterRequest, self.calibrator.register)

    async def verify(self, request: Request) -> Response:
        """Begin to verify how she is registered."""
        return await do(request, VerifyRequest, self.calibrator.verify)

    async def act(self, step: str, request: Request) -> Response:
        """Take what a person says in the calibration that is under way."""
        desk = self.calibrator.desk

        async def obey(said: CalibrationAct) -> str | None:
            if said.act == "end":
                return desk.end(step)
            if not may_go_on(step, request.state.visitor):
                return "only an engineer goes on with this: end it, or sign in as one"
            return desk.answer(step, Choice(said.act), seq=said.seq)

        return await do(request, CalibrationAct, obey)

    def _show(self, standing: Standing) -> CalibrationState:
        shown = msgspec.convert(
            {
                "seq": standing.seq,
                "simulated": self.is_simulated(),
                "step": standing.step or None,
                "phase": standing.phase.value,
                "instruction": standing.instruction,
                "share": standing.share,
                "words": standing.words,
                "passed": standing.passed,
                "reason": standing.reason,
                "results": (),
            },
            CalibrationState,
        )
        return msgspec.structs.replace(shown, results=tuple(_verdict(result) for result in standing.results))


def _verdict(result: StepResult) -> Verdict:
    figures = tuple(
        VerdictFigure(name=each.name, value=each.value, unit=each.unit, sigma=each.sigma)
        for each in result.figures
    )
    return Verdict(
        name=result.name,
        passed=result.passed,
        figures=figures,
        limit=result.limit,
        reason=result.reason,
        attempts=result.attempts,
    )
