"""Reads a study in a process of its own.

A CT of 2,000 slices never delays the tone, and a decoder that crashes or eats all memory takes nothing with it.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from acquisition.studies import Study, read_study
from acquisition.surfaces import Surface, find_surfaces
from navigation.errors import NavigationError
from navigation.hotspots import Hotspot, find_hotspots
from navigation.skin import SkinSurface


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
    surfaces
        Of its skin, bone and activity, to be looked at.

    """

    study: Study
    hotspots: tuple[Hotspot, ...]
    skin: SkinSurface | None
    obstacle: str
    surfaces: tuple[Surface, ...] = ()


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
    surfaces = find_surfaces(study.anatomy, study.activity, hotspots)
    return StudyMap(study=study, hotspots=hotspots, skin=skin, obstacle=obstacle, surfaces=surfaces)


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
    answers, question = Pipe(duplex=False)
    # a fresh interpreter that imports what it needs: multiprocessing's would import the whole service first
    with question:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "acquisition.reader", str(question.fileno())),
            stdin=asyncio.subprocess.PIPE,
            pass_fds=(question.fileno(),),
            cwd=Path(__file__).parents[1],
        )
    received = asyncio.ensure_future(asyncio.to_thread(_receive, answers))
    try:
        await process.communicate(json.dumps([str(path.absolute()) for path in objects]).encode())
        found = await asyncio.shield(received)
    finally:
        # it has answered, or is not to; once it is gone the pipe ends, and the thread that waits on it
        if process.returncode is None:
            process.kill()
        exit_code = await process.wait()
        if not received.done():
            await received
        answers.close()
    if found is None:
        raise ReaderDied(exit_code)
    return found
