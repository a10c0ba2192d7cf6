"""A room in which no procedure has begun, and a record that is kept nowhere."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from acquisition.estimate.localising import Localiser
from acquisition.resection.resection import Resection
from acquisition.session.chapter import Chapter
from acquisition.session.checklist import Equipment
from acquisition.session.journal import SCHEMA, Journal
from acquisition.session.procedure import Procedure
from acquisition.session.rate_trend import RateTrend
from acquisition.session.session import Session
from acquisition.session.swept_path import SweptPath
from acquisition.session.yardstick import Yardstick
from devices.clock import monotonic
from display.messages.procedure import ProcedureRequest, ProcedureState
from display.messages.study import FramesRequest
from display.trend import TrendMemory

UNBEGUN = ProcedureState(
    number=0,
    revision=0,
    step="patient",
    taken=(),
    moves=(),
    sources=(),
    checklist=(),
    overrides=0,
    trouble="",
)


def kept_nowhere() -> Journal:
    """A record in memory."""
    database = sqlite3.connect(":memory:", check_same_thread=False)  # a test's client may have a thread of its own
    database.executescript(SCHEMA)
    return Journal(database, Path("nowhere"), now=lambda: datetime.now(tz=UTC))


async def sort_nothing(*_: object) -> None:
    """Believe as before."""


def bare() -> Equipment:
    """A room without calibration, tracker or registration."""
    return Equipment(
        nuclide="Tc-99m",
        window_kev=None,
        calibration=None,
        stranger="",
        probe=None,
        tracker=None,
        tracker_error_mm=None,
        is_registered=False,
    )


def unbegun(resection: Resection, localiser: Localiser, journal: Journal) -> Session:
    """A session in which nobody has confirmed a patient."""
    return Session(
        journal,
        resection=resection,
        localiser=localiser,
        equipment=bare,
        response=None,
        share_left=lambda _: None,
        half_life_s=21_654.0,
        sort=sort_nothing,
        clock=monotonic,
        now=lambda: datetime.now(tz=UTC),
    )


def measured_by(session: Session, journal: Journal) -> Yardstick:
    """What a session's rates are held against."""
    return Yardstick(Chapter(lambda: session.procedure, journal, note=session.note))


def swept_in(session: Session, journal: Journal) -> SweptPath:
    """Where the tip was in a session."""
    return SweptPath(Chapter(lambda: session.procedure, journal, note=session.note))


def trended_in(session: Session, journal: Journal) -> RateTrend:
    """The trend of a rate in a session."""
    chapter = Chapter(lambda: session.procedure, journal, note=session.note)
    return RateTrend(chapter, device="probe", now=lambda: datetime.now(tz=UTC))


def untrended() -> TrendMemory:
    """The trend of a rate in no procedure."""
    chapter = Chapter(Procedure, kept_nowhere(), note=lambda _kind, _told: None)
    return TrendMemory(RateTrend(chapter, device="probe", now=lambda: datetime.now(tz=UTC)))


def unswept() -> SweptPath:
    """The path of a tip that was never seen."""
    return SweptPath(Chapter(Procedure, kept_nowhere(), note=lambda _kind, _told: None))


async def proceed(request: ProcedureRequest) -> str | int:
    """Let nobody take a step."""
    return f"{request.action}: not in this room"


def unreported(_study_uid: str, _approach: object) -> None:
    """Know no study."""


async def unjoined(_request: FramesRequest) -> str | None:
    """Join no frames of reference."""
    return "not in this room"
