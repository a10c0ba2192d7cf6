"""Who places the sources: a person at the terminal, or a rig that moves them."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from acquisition.quality.chi_square import CHI_SQUARE
from acquisition.quality.placements import Placement
from acquisition.quality.results import StepResult
from acquisition.quality.settings import PointSource
from acquisition.quality.steps import Assay


class MorningAborted(Exception):
    """Raised when the technologist ends the morning before its last step."""


class Choice(StrEnum):
    """What to do after a step failed."""

    CONTINUE = "continue"
    REPEAT = "repeat"


class Technologist(Protocol):
    """Places sources and decides; each call may take minutes, and may raise ``MorningAborted``."""

    async def place(self, placement: Placement) -> None:
        """Return when everything stands as asked."""

    async def assay(self, source: PointSource) -> Assay:
        """Say how active the point source is, within the settings' bounds."""

    async def judge(self, result: StepResult) -> Choice:
        """Say what to do after a failed step."""


class Rig(Protocol):
    """Something that moves sources by itself: a motorised bench."""

    async def stand(self, positions_mm: Mapping[str, tuple[float, float, float]]) -> None:
        """Put these sources at these places (mm, the probe's TIP frame), and every other one away."""

    def assay(self) -> tuple[float, datetime]:
        """Activity of the point source, MBq, and when it was measured."""


class Unattended:
    """A technologist for a rig: repeats once what a good probe may fail by chance, else goes on.

    That is chi-square, whose limits leave out one good set of counts in ten; the limits of the other steps lie
    several standard errors away.
    """

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    async def place(self, placement: Placement) -> None:
        """Let the rig move."""
        await self._rig.stand({placed.source: placed.position_mm for placed in placement.sources})

    async def assay(self, source: PointSource) -> Assay:  # noqa: ARG002 - the rig holds one point source
        """Read it from the rig."""
        activity_mbq, measured_at = self._rig.assay()
        return Assay(activity_mbq=activity_mbq, measured_at=measured_at)

    async def judge(self, result: StepResult) -> Choice:
        """Repeat a first chi-square."""
        is_chance = result.name == CHI_SQUARE and result.attempts == 1
        return Choice.REPEAT if is_chance else Choice.CONTINUE
