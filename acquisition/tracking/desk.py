"""A calibration that a person runs from a display: what she is to do, how far it is, what came of it.

One at a time. It waits for her before each motion and after one that failed, as ``acquire`` waits at a terminal.
What passed is written only once she has seen how well, and says that it is to be used.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

import structlog

from acquisition.calibration import CalibrationError
from acquisition.quality.results import StepResult
from acquisition.quality.technologist import Choice, MorningAborted
from acquisition.tracking.following import Progress, Screen
from acquisition.tracking.operator import Move, Operator
from devices.errors import DeviceError
from navigation.errors import NavigationError

log = structlog.get_logger()

PATIENCE_S = 120.0

ENDED = "it was ended before it had come to anything"
FAILED = "it was ended after it had not passed"
DISCARDED = "it passed and was discarded: what was in use stays in use"


class Phase(StrEnum):
    """What a calibration waits for."""

    IDLE = "idle"
    """None was begun."""
    WORKING = "working"
    """For nobody: devices are opened, what was measured is judged, or it is being ended."""
    WAITING = "waiting"
    """For a person who is ready to begin the motion."""
    MEASURING = "measuring"
    JUDGING = "judging"
    """For her to say what to do after a motion that failed."""
    ACCEPTING = "accepting"
    """For her to say that what passed is to be used; it is discarded where she ends it."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a calibration stands.

    Attributes
    ----------
    seq
        Grows with every change.
    step
        Which calibration: ``tool``, ``axis``, ``timing``, ``register``, ``verify``; empty before the first.
    phase
        What it waits for.
    move
        What the person is to do, until she has done it; None where there is nothing.
    share, words
        How far the motion is, 0 to 1, and in words.
    results
        Verdicts so far.
    passed
        Whether it came to what was wanted; None while it runs.
    reason
        Why it ended without; else what was written.

    """

    seq: int = 0
    step: str = ""
    phase: Phase = Phase.IDLE
    move: Move | None = None
    share: float = 0.0
    words: str = ""
    results: tuple[StepResult, ...] = ()
    passed: bool | None = None
    reason: str = ""

    @property
    def instruction(self) -> str:
        """What the person is to do, in words; empty where there is nothing."""
        return self.move.instruction if self.move else ""


class Outcome(Protocol):
    """What a calibration came to."""

    @property
    def passed(self) -> bool:
        """Whether it came to what was wanted."""

    @property
    def results(self) -> tuple[StepResult, ...]:
        """Verdicts of its steps."""

    @property
    def aborted(self) -> str:
        """Why it ended early, or the empty string."""


Run: TypeAlias = Callable[[Operator, Screen], Coroutine[Any, Any, Outcome]]
"""Runs a calibration with a person and a screen."""

OnEnded: TypeAlias = Callable[[Standing], None]
"""Told how a calibration ended, on behalf of who began it, or of who ended it before it had come to anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    step: str
    run: Run
    told: str
    on_ended: OnEnded | None
    context: Context


class Desk:
    """Runs what is begun, in ``run``, which is a job of the room; call it from the event loop's thread.

    What a person asks for is done, or refused with a sentence. A calibration that waits for somebody who has gone
    away ends after ``patience_s``: while it lasts, nothing that is counted is believed of the patient.
    """

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self.standing = Standing()
        self._changed = asyncio.Event()
        self._begun: asyncio.Queue[_Begun] = asyncio.Queue()
        self._working: asyncio.Task[Outcome] | None = None
        self._answer: asyncio.Future[Choice] | None = None
        self._asked = 0
        self._why_ended = ENDED
        self._ended_by = copy_context()

    @property
    def is_running(self) -> bool:
        """Whether a calibration is under way."""
        return self.standing.phase not in {Phase.IDLE, Phase.ENDED}

    def begin(self, step: str, run: Run, *, told: str = "", on_ended: OnEnded | None = None) -> str | None:
        """Begin a calibration; ``told`` is said of it once it has passed."""
        if self.is_running:
            return f"{self.standing.step} is under way: end it first"
        self.standing = Standing(seq=self.standing.seq, step=step)
        self._tell(phase=Phase.WORKING)
        self._begun.put_nowait(_Begun(step=step, run=run, told=told, on_ended=on_ended, context=copy_context()))
        return None

    def answer(self, step: str, choice: Choice, *, seq: int | None) -> str | None:
        """Go on with the motion that is waited for, after one that failed, or by using what passed.

        ``REPEAT`` has one that failed made again.

        ``seq`` is of the standing that she answers: one who saw another question, or none, is asked to look again.
        """
        if self.standing.step != step or self._answer is None or self._answer.done():
            return f"{step} waits for nobody now"
        if seq is None or not self._asked <= seq <= self.standing.seq:
            return f"{step} asks something else by now: look again"
        if choice is Choice.REPEAT and self.standing.phase is not Phase.JUDGING:
            return "nothing failed that could be repeated"
        self._answer.set_result(choice)
        self._tell(phase=Phase.MEASURING if self.standing.phase is Phase.WAITING else Phase.WORKING)
        return None

    def end(self, step: str) -> str | None:
        """End a calibration before it has come to anything, or discard what it has come to."""
        if self.standing.step != step or self._working is None or self._working.cancelling():
            return f"{step} is not under way"
        self._why_ended = {Phase.ACCEPTING: DISCARDED, Phase.JUDGING: FAILED}.get(self.standing.phase, ENDED)
        self._ended_by = copy_context()
        self._working.cancel()
        self._tell(phase=Phase.WORKING, move=None, share=0.0, words="")
        return None

    async def changed(self, after: int, *, longest_s: float) -> Standing:
        """Give how it stands once that has changed since ``after``, or after a time."""
        try:
            async with asyncio.timeout(longest_s):
                while self.standing.seq <= after:
                    await self._changed.wait()
        except TimeoutError:
            pass
        return self.standing

    async def run(self) -> None:
        """Run what is begun, for ever."""
        while True:
            begun = await self._begun.get()
            at_desk = _AtDesk(self._tell, self._ask)
            self._working = working = asyncio.create_task(
                begun.run(at_desk, at_desk), name=f"calibration {begun.step}", context=begun.context
            )
            try:
                await asyncio.wait({working})
                self._conclude(working, begun.told)
                if begun.on_ended is not None:
                    by = self._ended_by if working.cancelled() else begun.context
                    by.run(begun.on_ended, self.standing)
            finally:
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
                self._working = None

    def _conclude(self, working: "asyncio.Task[Outcome]", told: str) -> None:
        done = {"phase": Phase.ENDED, "move": None, "share": 0.0, "words": ""}
        if working.cancelled():
            self._tell(**done, passed=False, reason=self._why_ended)
        elif (failure := working.exception()) is not None:
            if not isinstance(failure, DeviceError | CalibrationError | NavigationError):
                log.error("calibration", step=self.standing.step, exc_info=failure)
            self._tell(**done, passed=False, reason=str(failure) or type(failure).__name__)
        else:
            outcome = working.result()
            failed = [result.reason for result in outcome.results if not result.passed]
            why = outcome.aborted or next(reversed(failed), "nothing was measured")
            reason = told if outcome.passed else why
            self._tell(**done, results=outcome.results, passed=outcome.passed, reason=reason)

    async def _ask(self) -> Choice:
        self._answer, self._asked = asyncio.get_running_loop().create_future(), self.standing.seq
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._answer
        except TimeoutError as exc:
            raise MorningAborted(f"nobody went on for {self._patience_s:g} s: begin again") from exc
        finally:
            self._answer = None

    def _tell(self, **changes: Any) -> None:
        self.standing = replace(self.standing, **changes, seq=self.standing.seq + 1)
        self._changed.set()
        self._changed = asyncio.Event()


class _AtDesk:
    """The person before the display, and the screen that she looks at."""

    def __init__(self, tell: Callable[..., None], ask: Callable[[], Awaitable[Choice]]) -> None:
        self._tell = tell
        self._ask = ask
        self._failed: tuple[StepResult, ...] = ()

    async def ready(self, move: Move) -> None:
        """Wait until she is ready."""
        self._tell(phase=Phase.WAITING, move=move, share=0.0, words="")
        await self._ask()

    async def judge(self, result: StepResult) -> Choice:
        """Wait until she says what to do."""
        self._failed = (*self._failed, result)
        self._tell(phase=Phase.JUDGING, move=None, share=0.0, words="", results=self._failed)
        return await self._ask()

    async def accept(self, results: Sequence[StepResult]) -> None:
        """Wait until she says that it is to be used."""
        self._tell(phase=Phase.ACCEPTING, move=None, share=0.0, words="", results=tuple(results))
        await self._ask()

    def show(self, progress: Progress) -> None:
        """Show how far it is."""
        self._tell(share=progress.share, words=progress.words)

    def close(self) -> None:
        """Take it away."""
        self._tell(share=0.0, words="")
