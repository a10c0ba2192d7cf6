"""The way of the tip over the patient so far, as displays draw it."""

import asyncio
from collections import deque
from dataclasses import dataclass
from math import dist

from acquisition.session.chapter import Chapter

SWEPT = "swept"
"""Kind of the record's entries on it."""

STEP_MM, MOST_POINTS = 3.0, 4000
"""Least way of the tip that makes another point, and the newest points that are kept: 12 m of way or more."""

ENTERED_EVERY_S = 1.0
"""The record gets an entry a second while the tip moves, and loses as much of the way at most."""

PLACES = 1
"""Decimals of a point, mm: no tracker tells more."""

Place = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What a path is drawn in: with another scan, or another registration, its places are others of the patient.

    Attributes
    ----------
    study_uid, frame_of_reference_uid
        Of the study in use.
    patient_from_reference
        The registration, by rows, mm.

    """

    study_uid: str
    frame_of_reference_uid: str
    patient_from_reference: list[list[float]]


class SweptPath:
    """Follows the tip through one procedure, in one space.

    What was swept belongs to the procedure, as marks do: it is read back from the record after a restart, and when
    a former study comes into use again. Hours of it take a moment to read: until then what is swept now is drawn
    alone, and entered behind it. While no procedure is open it is of the room's memory alone.

    Parameters
    ----------
    chapter
        The procedure's part of the record.

    """

    def __init__(self, chapter: Chapter) -> None:
        self._chapter = chapter
        self._of: tuple[int, Space | None] = (0, None)
        self._points_mm: deque[Place] = deque(maxlen=MOST_POINTS)
        self._unentered_mm: list[Place] = []
        self._entered_s = float("-inf")
        self._begun = asyncio.Event()
        self._is_read = True
        self.number = 0
        """Grows whenever it is another one: begun in another space, or patient's, or read back."""
        self.length = 0
        """Points that it ever had under this number, those too that are kept no more."""

    def follow(self, space: Space | None, tip_mm: Place | None, *, now_s: float) -> None:
        """Take where the tip is now, patient axes (LPS) of a space; None where it, or any space, is not known."""
        if (of := (self._chapter.number, space)) != self._of:
            self._begin(*of)
        if space is None:
            return
        if tip_mm is not None and (not self._points_mm or dist(tip_mm, self._points_mm[-1]) >= STEP_MM):
            x_mm, y_mm, z_mm = tip_mm
            point_mm = round(x_mm, PLACES), round(y_mm, PLACES), round(z_mm, PLACES)
            self._add(point_mm)
            if self._chapter.is_open:
                self._unentered_mm.append(point_mm)
        if self._unentered_mm and self._is_read and now_s - self._entered_s >= ENTERED_EVERY_S:
            self._entered_s = now_s
            self._enter(space)

    def since(self, length: int) -> tuple[int, tuple[Place, ...]]:
        """Give how many points precede those that follow, and these: after the first so many, as far as kept."""
        oldest = self.length - len(self._points_mm)
        first = min(max(length, oldest), self.length)
        return first, tuple(self._points_mm)[first - oldest :]

    async def run(self) -> None:
        """Go on, for ever, with what the record has of each space that is begun."""
        while True:
            await self._begun.wait()
            self._begun.clear()
            await self.read_back()

    async def read_back(self) -> None:
        """Put what the record has of this space before what was swept since; a thread reads it."""
        number, (procedure, space) = self.number, self._of
        if self._is_read or space is None:
            return
        former_mm = await asyncio.to_thread(self._read, procedure, space)
        if number != self.number:
            return  # begun anew meanwhile, in another space or in this one: that is read for itself
        self._is_read = True
        if former_mm:
            since_mm = tuple(self._points_mm)
            self._points_mm.clear()
            self.number, self.length = self.number + 1, 0
            for point_mm in (*former_mm, *since_mm):
                self._add(point_mm)

    def _add(self, point_mm: Place) -> None:
        self._points_mm.append(point_mm)
        self.length += 1

    def _enter(self, space: Space) -> None:
        told = {
            "study_uid": space.study_uid,
            "frame_of_reference_uid": space.frame_of_reference_uid,
            "patient_from_reference": space.patient_from_reference,
            "points_mm": self._unentered_mm,
        }
        self._chapter.enter(SWEPT, told)
        self._unentered_mm = []

    def _begin(self, procedure: int, space: Space | None) -> None:
        """Leave what was drawn in another space, and have what the record has of this one read."""
        number, former = self._of
        if self._unentered_mm and former is not None and number == procedure and self._chapter.is_open:
            self._enter(former)
        self._of = procedure, space
        self._points_mm.clear()
        self._unentered_mm = []
        self.number, self.length = self.number + 1, 0
        self._is_read = space is None or not self._chapter.is_open
        if not self._is_read:
            self._begun.set()

    def _read(self, procedure: int, space: Space) -> list[Place]:
        """Find all points that the record has of a space."""
        points_mm: list[Place] = []
        for entry in self._chapter.entries(procedure, SWEPT, study_uid=space.study_uid):
            drawn_in = Space(
                study_uid=entry.told["study_uid"],
                frame_of_reference_uid=entry.told["frame_of_reference_uid"],
                patient_from_reference=entry.told["patient_from_reference"],
            )
            if drawn_in == space:
                points_mm += [(x_mm, y_mm, z_mm) for x_mm, y_mm, z_mm in entry.told["points_mm"]]
        return points_mm
