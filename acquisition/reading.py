"""Reads a study in a process of its own.

A CT of 2,000 slices never delays the tone, and a decoder that crashes or eats all memory takes nothing with it.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from pydantic import TypeAdapter

from acquisition.studies import Knowledge, Study, read_study
from acquisition.studies.verdicts import SAME_FRAME
from acquisition.surfaces import Surface, find_surfaces
from navigation.errors import NavigationError
from navigation.hotspots import Hotspot, add_drawn, find_hotspots, propose_organs
from navigation.routes import Route, shortest_route
from navigation.skin import SkinSurface

SAME_FRAME_SIGMA_MM = 2.0
"""How well SPECT and CT of one gantry lie on each other, a standard deviation an axis: bed and breathing."""

JOINED_SIGMA_MM = 4.0
"""The same where a registration or a person joined them: neither says how well."""

KNOWLEDGE = TypeAdapter(Knowledge)
NOTHING_KNOWN = Knowledge()


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
    routes
        The shortest way in to a hot spot, by its name, where the CT shows one.
    surfaces
        Of its skin, bone and activity, to be looked at.

    """

    study: Study
    hotspots: tuple[Hotspot, ...]
    skin: SkinSurface | None
    obstacle: str
    routes: Mapping[str, Route] = field(default_factory=dict)
    surfaces: tuple[Surface, ...] = ()


def read_map(objects: Sequence[Path], knowledge: Knowledge = NOTHING_KNOWN) -> StudyMap:
    """Read the objects of one study, find its hot spots and its skin, here and now."""
    return make_map(read_study(objects, knowledge))


def make_map(study: Study) -> StudyMap:
    """Find the hot spots and the skin of a study that was read, and the way in to each spot."""
    sigma_mm = {"": 0.0, SAME_FRAME: SAME_FRAME_SIGMA_MM}.get(study.joined_by, JOINED_SIGMA_MM)
    found = () if study.activity is None else find_hotspots(study.activity, registration_sigma_mm=sigma_mm)
    hotspots = add_drawn(found, study.outlines, study.activity, registration_sigma_mm=sigma_mm)
    skin, routes, obstacle = None, [], "the study has no CT in the activity's space"
    if study.anatomy is not None:
        try:
            skin, obstacle = SkinSurface(study.anatomy), ""
            hotspots = propose_organs(hotspots, study.anatomy)
            routes = [shortest_route(study.anatomy, skin, spot.centre_mm) for spot in hotspots]
        except NavigationError as exc:
            obstacle = str(exc)
    return StudyMap(
        study=study,
        hotspots=hotspots,
        skin=skin,
        obstacle=obstacle,
        surfaces=find_surfaces(study.anatomy, study.activity, hotspots),
        routes={spot.name: route for spot, route in zip(hotspots, routes, strict=False) if route},
    )


def _receive(answers: Connection) -> StudyMap | None:
    try:
        received: StudyMap = answers.recv()
    except (EOFError, OSError):  # it ended before its answer, or in the middle of it
        return None
    return received


def _ask(objects: Sequence[Path], knowledge: Knowledge) -> bytes:
    paths = [str(path.absolute()) for path in objects]
    return json.dumps({"objects": paths, "knowledge": KNOWLEDGE.dump_python(knowledge, mode="json")}).encode()


def read_question(asked: str) -> tuple[list[Path], Knowledge]:
    """Read what the reader's process was asked."""
    question = json.loads(asked)
    return [Path(path) for path in question["objects"]], KNOWLEDGE.validate_python(question["knowledge"])


async def read_map_apart(objects: Sequence[Path], knowledge: Knowledge = NOTHING_KNOWN) -> StudyMap:
    """Read a study in another process, with what the site and its people know; cancelling ends it.

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
        await process.communicate(_ask(objects, knowledge))
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
