"""Reads a study in a process of its own.

A CT of 2,000 slices never delays the tone, and a decoder that crashes or eats all memory takes nothing with it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from acquisition.studies import Study, read_study
from navigation.errors import NavigationError
from navigation.hotspots import Hotspot, find_hotspots
from navigation.skin import SkinSurface

ENDING_TIME_S = 1.0
"""How long a reader that hung up may take to end by itself."""


class ReaderDied(Exception):
    """Raised when the process that read a study ended without an answer; ``exit_code`` says how."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(
            f"reading it ended the reader (exit code {exit_code}): an object may be damaged or too large"
        )
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyMap:
    """A study as read, and what navigation starts from.

    Attributes
    ----------
    study
        Its series and volumes.
    hotspots
        Of its activity, as at the scan.
    skin
        Of its CT; None where there is no CT, or none whose skin can be told.
    obstacle
        Why there is no skin; empty where there is one.

    """

    study: Study
    hotspots: tuple[Hotspot, ...]
    skin: SkinSurface | None
    obstacle: str


def read_map(objects: Sequence[Path]) -> StudyMap:
    """Read the objects of one study, find its hot spots and its skin, here and now."""
    study = read_study(objects)
    hotspots = () if study.activity is None else find_hotspots(study.activity)
    skin, obstacle = None, "the study has no CT in the activity's space"
    if study.anatomy is not None:
        try:
            skin, obstacle = SkinSurface(study.anatomy), ""
        except NavigationError as exc:
            obstacle = str(exc)
    return StudyMap(study=study, hotspots=hotspots, skin=skin, obstacle=obstacle)


def _answer(answers: Connection, objects: tuple[Path, ...]) -> None:
    answers.send(read_map(objects))
    answers.close()


def _receive(answers: Connection) -> StudyMap | None:
    try:
        received: StudyMap = answers.recv()
    except (EOFError, OSError):  # it ended before its answer, or in the middle of it
        return None
    return received


async def read_map_apart(objects: Sequence[Path]) -> StudyMap:
    """Read a study in another process; cancelling ends it.

    Raises
    ------
    ReaderDied
        Where the process ended before it answered.

    """
    context = get_context("spawn")
    answers, question = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(question, tuple(objects)), daemon=True)
    process.start()
    question.close()
    received = asyncio.ensure_future(asyncio.to_thread(_receive, answers))
    try:
        found = await asyncio.shield(received)
        if found is None:
            await asyncio.to_thread(process.join, ENDING_TIME_S)  # it is ending: let it say how
    finally:
        # it has answered, or is not to; once it is gone the pipe ends, and the thread that waits on it
        process.kill()
        if not received.done():
            await received
        answers.close()
        await asyncio.to_thread(process.join)
        exit_code = process.exitcode
        process.close()
    if found is None:
        raise ReaderDied(exit_code)
    return found
