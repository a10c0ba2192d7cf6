"""The way of the tip over the patient so far, as displays draw it."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import dist
from typing import Any

from acquisition.session.journal import Journal, JournalUnusable
from acquisition.session.procedure import Procedure

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
    a former study comes into use again. While no procedure is open it is of the room's memory alone.

    Parameters
    ----------
    procedure
        Gives the procedure as it stands.
    journal
        The record.
    note
        Enters into it.

    """

    def __init__(
        self,
        procedure: Callable[[], Procedure],
        journal: Journal,
        *,
        note: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._procedure = procedure
        self._journal = journal
        self._note = note
        self._of: tuple[int, Space | None] = (0, None)
        self._points_mm: deque[Place] = deque(maxlen=MOST_POINTS)
        self._unentered_mm: list[Place] = []
        self._entered_s = float("-inf")
        self.number = 0
        """Grows whenever it begins anew: points of another number are of another space, or patient."""
        self.length = 0
        """Points that it ever had under this number, those too that are kept no more."""

    def follow(self, space: Space | None, tip_mm: Place | None, *, now_s: float) -> None:
        """Take where the tip is now, patient axes (LPS) of a space; None where it, or any space, is not known."""
        procedure = self._procedure()
        if (procedure.number, space) != self._of:
            self._begin(procedure, space)
        if space is None:
            return
        if tip_mm is not None and (not self._points_mm or dist(tip_mm, self._points_mm[-1]) >= STEP_MM):
            x_mm, y_mm, z_mm = tip_mm
            point_mm = round(x_mm, PLACES), round(y_mm, PLACES), round(z_mm, PLACES)
            self._add(point_mm)
            if procedure.is_open:
                self._unentered_mm.append(point_mm)
        if self._unentered_mm and now_s - self._entered_s >= ENTERED_EVERY_S:
            self._entered_s = now_s
            self._enter(space)

    def since(self, length: int) -> tuple[int, tuple[Place, ...]]:
        """Give how many points precede those that follow, and these: after the first so many, as far as kept."""
        oldest = self.length - len(self._points_mm)
        first = min(max(length, oldest), self.length)
        return first, tuple(self._points_mm)[first - oldest :]

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
        self._note(SWEPT, told)
        self._unentered_mm = []

    def _begin(self, procedure: Procedure, space: Space | None) -> None:
        """Leave what was drawn in another space; go on with what the record has of this one."""
        number, former = self._of
        if self._unentered_mm and former is not None and number == procedure.number and procedure.is_open:
            self._enter(former)
        self._of = procedure.number, space
        self._points_mm.clear()
        self._unentered_mm = []
        self.number, self.length = self.number + 1, 0
        if space is None or not procedure.is_open:
            return
        try:
            entries = self._journal.of(SWEPT, study_uid=space.study_uid, after=procedure.number)
        except JournalUnusable:
            return  # the room goes on; the procedure says that nothing is recorded
        for told in (entry.told for entry in entries):
            drawn_in = Space(
                study_uid=told["study_uid"],
                frame_of_reference_uid=told["frame_of_reference_uid"],
                patient_from_reference=told["patient_from_reference"],
            )
            if drawn_in == space:
                for x_mm, y_mm, z_mm in told["points_mm"]:
                    self._add((x_mm, y_mm, z_mm))
