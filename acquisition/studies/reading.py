"""Reads a study in a process of its own.

A CT of 2,000 slices never delays the tone, and a decoder that crashes or eats all memory takes nothing with it.
"""

import asyncio
import os
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from acquisition.apart import RESTART_S, START_S, Companion, ProcessDied, run_apart
from acquisition.studies import Knowledge, Study, read_study
from acquisition.studies.errors import NO_MEMORY
from acquisition.studies.mapped import map_arrays
from acquisition.studies.surfaces import Surface, find_surfaces
from acquisition.studies.verdicts import SAME_FRAME
from navigation.errors import NavigationError
from navigation.hotspots import (
    Hotspot,
    NamedPlace,
    Resolution,
    add_drawn,
    find_candidates,
    keep_names,
    propose_organs,
)
from navigation.routes import Route, shortest_route
from navigation.skin import SkinSurface

SAME_FRAME_SIGMA_MM = 2.0
"""How well SPECT and CT of one gantry lie on each other, a standard deviation an axis: bed and breathing."""

JOINED_SIGMA_MM = 4.0
"""The same where a registration or a person joined them: neither says how well."""

LONGEST_S = 300.0
"""Time after which a study is given up that is still being read: ten times what a CT of 2,000 slices takes."""

MOST_BYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 * 3
"""Memory that a study may take to be read, three quarters of the machine's: who needs more is refused."""

NOTHING_KNOWN = Knowledge()

log = structlog.get_logger()


class StudyUnread(Exception):
    """Raised when a study could not be read; the message says why."""


class ReaderDied(StudyUnread):
    """Raised when the process that read a study ended without an answer, or took too long for one."""

    def __init__(self, how: str) -> None:
        super().__init__(f"its reader was lost ({how}): an object may be damaged or too large")


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
    resolution
        How wide a point is taken to be in the activity, by its objects and by what it shows; None without one.
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
    resolution: Resolution | None = None
    routes: Mapping[str, Route] = field(default_factory=dict)
    surfaces: tuple[Surface, ...] = ()

    def named_as(self, named: Collection[NamedPlace], drawn: Collection[str] = ()) -> "StudyMap":
        """Give hot spots the names under which they were in use before: what a person said of them is by name.

        None gets a name that a person gave to what she drew.
        """
        spots = keep_names(self.hotspots, named, self.study.frame_of_reference_uid, drawn=drawn)
        renamed = {one.name: other.name for one, other in zip(self.hotspots, spots, strict=True)}
        routes = {renamed[name]: route for name, route in self.routes.items()}
        return replace(self, hotspots=spots, routes=routes)


def read_map(objects: Sequence[Path], knowledge: Knowledge = NOTHING_KNOWN) -> StudyMap:
    """Read the objects of one study, find its hot spots and its skin, here and now."""
    return make_map(read_study(objects, knowledge))


def make_map(study: Study) -> StudyMap:
    """Find the hot spots and the skin of a study that was read, and the way in to each spot."""
    refusal = ""
    try:
        hotspots, resolution = _find(study)
    except Exception as exc:  # noqa: BLE001 - of an odd image; it must not look as if it held no spots
        refusal = f"its hot spots cannot be found: {_tell(exc)}"
    if refusal:  # now that what it was given of memory is free again
        log.warning("activity refused", study=study.study_uid, reason=refusal)
        study = study.without_activity(refusal)
        hotspots, resolution = _find(study)
    skin, routes, obstacle = None, [], "the study has no CT in the activity's space"
    if study.anatomy is not None:
        try:
            skin, obstacle = SkinSurface(study.anatomy), ""
            hotspots = propose_organs(hotspots, study.anatomy)
            routes = [shortest_route(study.anatomy, skin, spot.centre_mm) for spot in hotspots]
        except Exception as exc:  # noqa: BLE001 - of an odd CT; where the spots are is known without it
            log.warning("skin not found", study=study.study_uid, reason=_tell(exc))
            skin, obstacle = None, _tell(exc)
    return StudyMap(
        study=study,
        hotspots=hotspots,
        skin=skin,
        obstacle=obstacle,
        resolution=resolution,
        surfaces=_draw(study, hotspots),
        routes={spot.name: route for spot, route in zip(hotspots, routes, strict=False) if route},
    )


def _tell(exc: Exception) -> str:
    if isinstance(exc, NavigationError):
        return str(exc)
    return NO_MEMORY if isinstance(exc, MemoryError) else f"not understood: {type(exc).__name__}: {exc}"


def _find(study: Study) -> tuple[tuple[Hotspot, ...], Resolution | None]:
    """Find the hot spots of a study's activity and what was drawn, and the resolution of the image."""
    sigma_mm = {"": 0.0, SAME_FRAME: SAME_FRAME_SIGMA_MM}.get(study.joined_by, JOINED_SIGMA_MM)
    found: tuple[Hotspot, ...] = ()
    resolution = study.resolution
    if study.activity is not None and resolution is not None:
        found, resolution = find_candidates(study.activity, resolution, registration_sigma_mm=sigma_mm)
    spots = add_drawn(found, study.outlines, study.activity, resolution=resolution, registration_sigma_mm=sigma_mm)
    return spots, resolution


def _draw(study: Study, hotspots: Sequence[Hotspot]) -> tuple[Surface, ...]:
    """Find the surfaces; without them there is less to look at, and everything else goes on."""
    try:
        return find_surfaces(study.anatomy, study.activity, hotspots)
    except Exception as exc:  # noqa: BLE001 - of an odd image
        log.warning("surfaces not found", study=study.study_uid, reason=_tell(exc))
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Objects to be read, with what is known of them, and who waits for it."""

    objects: tuple[Path, ...]
    knowledge: Knowledge
    answer: asyncio.Future[StudyMap]


class StudyReader:
    """Reads studies one after the other, each in a process of its own that has started before it is needed.

    Half of the time that a study takes to be read is an interpreter's start and its imports: they are done while
    nobody waits. No process reads two studies, so that none inherits what another study did to it.

    Voxels of what was read lie in files without a name in ``folder``, None for that of temporary files: memory
    holds no more of them than is looked at.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._asked: deque[_Asked] = deque()
        self._woken = asyncio.Event()

    async def read(self, objects: Sequence[Path], knowledge: Knowledge = NOTHING_KNOWN) -> StudyMap:
        """Have a study read, with what the site and its people know; cancelling ends its process.

        Raises
        ------
        ReaderDied
            Where the process ended before it answered, or did not answer in `LONGEST_S`.

        """
        answer: asyncio.Future[StudyMap] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(tuple(path.absolute() for path in objects), knowledge, answer))
        self._woken.set()
        return await answer

    async def run(self) -> None:
        """Read what is asked, for ever."""
        while True:
            try:
                async with run_apart("acquisition.studies.reader") as process:
                    await self._answer(process, await self._next(process))
            except ProcessDied as exc:
                log.warning("reader lost", reason=str(exc))
                await asyncio.sleep(RESTART_S)

    async def _next(self, process: Companion) -> _Asked:
        """Wait for what is asked of a process that is known to be well: its death would be blamed on the study."""
        while True:
            while self._asked and self._asked[0].answer.done():
                self._asked.popleft()
            if self._asked:
                await process.ask(None, within_s=START_S)
                return self._asked.popleft()
            await process.idle_until(self._woken)

    async def _answer(self, process: Companion, asked: _Asked) -> None:
        """Have a study read, unless whoever asked gives it up."""
        reading = asyncio.create_task(self._read(process, asked), name="study")
        asked.answer.add_done_callback(lambda _: reading.cancel())
        try:
            await asyncio.wait({reading})
        finally:
            if not reading.done():
                asked.answer.cancel()
        if asked.answer.done():  # given up
            return
        try:
            asked.answer.set_result(reading.result())
        except ProcessDied as exc:
            asked.answer.set_exception(ReaderDied(str(exc)))

    async def _read(self, process: Companion, asked: _Asked) -> StudyMap:
        found: StudyMap = await process.ask((asked.objects, asked.knowledge), within_s=LONGEST_S)
        try:
            return await asyncio.to_thread(map_arrays, found, self._folder)
        except OSError as exc:
            log.warning("voxels stay in memory", reason=str(exc), folder=str(self._folder))
            return found
