"""The procedure of the patient on the table: what persons do step by step, refused with a sentence or recorded."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from acquisition.archive import ArchivedStudy
from acquisition.estimate.localising import Localiser
from acquisition.patient import Patient
from acquisition.resection.record import Findings, Recorded, read_back
from acquisition.resection.resection import Resection
from acquisition.session.checklist import Equipment, Item, time_out
from acquisition.session.drawn import (
    DrawnKind,
    DrawnSpot,
    Place,
    misplaced,
    refuse_activity,
    refuse_drawing,
    unused_name,
)
from acquisition.session.frames import JOINED, PARTED
from acquisition.session.journal import Journal, JournalUnusable
from acquisition.session.names import note_map
from acquisition.session.needs import unmet_of
from acquisition.session.plan import PlannedSource
from acquisition.session.planner import Planner
from acquisition.session.procedure import Procedure, Sort, fold
from acquisition.session.steps import IMPOSSIBLE_WITHOUT, Need, Step, Transition, transitions_from
from devices.clock import Clock
from navigation.probe.response import Response

LEAST_REASON = 4
"""Letters of a reason: a key that was hit by chance is none."""

BEING_READ = "the study is being read again by what was said of it: wait until it has been"


class Session:
    """Leads through a procedure; what it holds is what the journal says, so that a restart goes on from there.

    Parameters
    ----------
    journal
        The record.
    resection, localiser
        What was marked and counted, and what is believed.
    equipment
        Says what the room works with now.
    response
        Of the probe in hand; None without a calibration.
    share_left
        Says which share of a study's activity is left now; None where nobody knows.
    half_life_s
        Of what was injected.
    sort
        Takes hot spots for what a person says they are, and those that she drew.
    clock, now
        Host monotonic clock; and the time of day, with its zone.

    """

    def __init__(
        self,
        journal: Journal,
        *,
        resection: Resection,
        localiser: Localiser,
        equipment: Callable[[], Equipment],
        response: Response | None,
        share_left: Callable[[ArchivedStudy], float | None],
        half_life_s: float,
        sort: Callable[[Mapping[str, Sort], Sequence[DrawnSpot]], Awaitable[None]],
        clock: Clock,
        now: Callable[[], datetime],
    ) -> None:
        self._journal = journal
        self._now = now
        self._resection = resection
        self._localiser = localiser
        self._equipment = equipment
        self._half_life_s = half_life_s
        self._sort = sort
        self._clock = clock
        self._seen = 0
        self.procedure = self._find_last()
        self._in_use: ArchivedStudy | None = None
        self._planner = Planner(
            response=response, share_left=share_left, half_life_s=half_life_s, clock=clock, now=now
        )
        self._being_read: set[str] = set()

    def _find_last(self) -> Procedure:
        begun = self._journal.newest_of("begun")
        procedure = fold(self._journal.all_after(begun - 1)) if begun else Procedure()
        self._seen = self._journal.newest_seq
        return Procedure() if procedure.step is Step.ENDED else procedure

    def resume(self) -> frozenset[str]:
        """Go on with a procedure that a restart interrupted; names what was taken out of its map before."""
        procedure = self.procedure
        if not procedure.number:
            return frozenset()
        recorded = (
            Recorded(at_s=self._at_s(entry.at), event=entry.kind, told=entry.told)
            for entry in self._journal.all_after(procedure.number)
        )
        findings = read_back(recorded)
        self._resection.resume(procedure.patient_id, findings, revision=procedure.revision)
        return self._resection.taken_out_of(procedure.study_uid)

    async def use(self, archived: ArchivedStudy | None) -> None:
        """Plan by the study that has come into use; None where none is any more."""
        self._in_use = archived
        self._planner.clear()
        if archived is None:
            return
        study = archived.study
        is_hers = self.refuse(Patient(patient_id=study.patient_id, name=study.patient_name)) is None
        if self.is_open and is_hers and self.procedure.study_uid != study.study_uid:
            # what was sorted and drawn is of the other study's space
            self._add("study", {"study_uid": study.study_uid})
        note_map(self._journal, archived.map)
        self._resection.lay(study.study_uid, archived.map.skin)
        await self._plan(archived)

    @property
    def sources(self) -> tuple[PlannedSource, ...]:
        """Hot spots of the map in use and those that were drawn, their activities and rates as they are now."""
        return self._planner.sources

    @property
    def trouble(self) -> str:
        """What a person must know before she goes on; empty where there is nothing."""
        if self._in_use is None or self.procedure.study_uid != self._in_use.study.study_uid:
            return self.failure
        return self.failure or misplaced(self.procedure.drawn.values(), self._in_use.map)

    async def _plan(self, archived: ArchivedStudy) -> None:
        is_its_own = self.procedure.study_uid == archived.study.study_uid
        await self._planner.plan(archived, self.procedure.drawn.values() if is_its_own else ())

    def record(self, at_s: float, event: Mapping[str, Any]) -> None:
        """Enter what was marked, counted or answered after an excision, at a time of the host's clock."""
        told = {key: value for key, value in event.items() if key != "event"}
        self._add(event["event"], told, at=self._now() - timedelta(seconds=self._clock() - at_s))

    def note(self, kind: str, told: Mapping[str, Any]) -> None:
        """Enter what the service noticed by itself."""
        self._add(kind, told)

    async def settle(self) -> None:
        """Wait until all that was entered is on the disk."""
        await self._journal.settle()

    @property
    def is_open(self) -> bool:
        """Whether a procedure has begun and not ended."""
        return self.procedure.is_open

    def refuse(self, patient: Patient) -> str | None:
        """Say why no study of this patient may come into use, or None: nobody's comes into another's procedure."""
        procedure = self.procedure
        hers = Patient(patient_id=procedure.patient_id, name=procedure.patient_name)
        if not self.is_open or hers.is_named(patient.patient_id, patient.name):
            return None
        return (
            f"the procedure of {procedure.patient_name} ({procedure.patient_id}) is not ended: end it first; "
            "a study of another patient, or of another name, is never loaded into it"
        )

    async def begin(self, patient: Patient, *, study_uid: str) -> None:
        """Begin a procedure: a person has confirmed both identifiers of the patient.

        The same patient's procedure goes on, with another of her studies too. Ask `refuse` before. ``study_uid``
        is of the study that came into use; empty where the first that comes is to be used.
        """
        procedure = self.procedure
        if self.is_open and procedure.patient_id == patient.patient_id:
            if study_uid and procedure.study_uid != study_uid:
                self._add("study", {"study_uid": study_uid})
        else:
            self._resection.stop()  # in the former one's record
            is_cut = bool(self._resection.removed)
            self._resection.resume(patient.patient_id, Findings(), revision=self._resection.revision + 1)
            told = {"patient_id": patient.patient_id, "patient_name": patient.name, "study_uid": study_uid}
            self._add("begun", told)
            if is_cut:
                await self._resection.begin_anew()
            await self._decide()  # with the same study in use, what the last procedure decided would go on
        await self._journal.settle()

    async def sort(self, name: str, sort: Sort) -> str | None:
        """Say what a hot spot of the map is; returns why not, or None."""
        if refusal := self._refuse_planning("hot spots are confirmed"):
            return refusal
        if all(source.name != name for source in self.sources):
            return f"the map in use has no hot spot {name}"
        self._add("sorted", {"name": name, "as": sort})
        await self._decide()
        return None

    async def confirm_frames(
        self,
        study_uid: str,
        frames: tuple[str, str],
        *,
        is_same: bool,
        read_again: Callable[[], Awaitable[str | None]],
    ) -> str | None:
        """Enter whether two frames of reference of a study are one space, read it so; returns why not, or None.

        What its hot spots are is then to be said anew: with other volumes they are others. Until it has been read
        nobody plans by it.
        """
        procedure = self.procedure
        if study_uid in self._being_read:
            return BEING_READ
        is_planned_by = self.is_open and procedure.study_uid == study_uid
        if is_planned_by and procedure.step not in {Step.PATIENT, Step.PLAN}:
            return f"this study is the map at the step {procedure.step}: go back to plan first"
        self._being_read.add(study_uid)
        try:
            self._add(JOINED if is_same else PARTED, {"study_uid": study_uid, "frames": list(frames)})
            await (self._decide() if is_planned_by else self._journal.settle())
            return self.failure or await read_again()
        finally:
            self._being_read.remove(study_uid)

    def _refuse_planning(self, done: str) -> str | None:
        """Say why nothing of the plan is changed now, or None."""
        if self.procedure.step is not Step.PLAN:
            return f"{done} at the step plan, not at {self.procedure.step}: go back to it first"
        return BEING_READ if self.procedure.study_uid in self._being_read else None

    async def draw(
        self,
        kind: DrawnKind,
        centre_mm: Place,
        radius_mm: float,
        *,
        name: str,
        activity_mbq: float | None,
        activity_at: datetime | None = None,
    ) -> str | None:
        """Add a target or an injection site that the map does not show; returns why not, or None.

        ``activity_mbq`` is what was in a ball of ``radius_mm`` at ``activity_at``, None for now; it is None where
        the image is to say.
        """
        if refusal := self._refuse_planning("targets are drawn"):
            return refusal
        if self._in_use is None or self.procedure.study_uid != self._in_use.study.study_uid:
            return "there is no map in use to draw on"
        name = name.strip() or unused_name(kind, self.procedure.names_drawn)
        taken_out = {each.target.name for each in self._resection.removed}
        found, drawn = self._in_use.map, self.procedure.drawn
        if refusal := refuse_drawing(found, drawn, centre_mm, name=name, taken_out=taken_out) or refuse_activity(
            activity_mbq, activity_at, half_life_s=self._half_life_s, now=self._now()
        ):
            return refusal
        told: dict[str, Any] = {"centre_mm": list(centre_mm), "radius_mm": radius_mm, "activity_mbq": activity_mbq}
        if activity_at is not None:
            told["activity_at"] = activity_at.isoformat()
        uid = self._in_use.study.frame_of_reference_uid
        self._add("drawn", {"name": name, "as": kind, **told, "frame_of_reference_uid": uid})
        await self._decide()
        return None

    async def erase(self, name: str) -> str | None:
        """Take a drawn spot back; its entry stays. Returns why not, or None."""
        if refusal := self._refuse_planning("what was drawn is erased"):
            return refusal
        if name not in self.procedure.drawn:
            return f"nobody drew {name}: a hot spot of the map is sorted out as neither"
        self._add("erased", {"name": name})
        await self._decide()
        return None

    async def _decide(self) -> None:
        """Settle what was decided about the hot spots, and have it believed."""
        await self._journal.settle()
        if self._in_use is not None:
            await self._plan(self._in_use)
        await self._sort(self.procedure.sorts, tuple(self.procedure.drawn.values()))

    async def check(self, name: str) -> str | None:
        """Confirm an item of the time-out; returns why not, or None."""
        if self.procedure.step is not Step.TIME_OUT:
            return f"the time-out is not held at {self.procedure.step}"
        item = next((each for each in self.items() if each.name == name), None)
        if item is None:
            return f"the time-out has no item {name}"
        if not item.is_good:
            return f"{name} cannot be confirmed ({item.said}): mend it, or go on with a reason"
        self._add("checked", {"item": name, "said": item.said})
        await self._journal.settle()
        return None

    async def move(self, to: Step, reason: str) -> str | None:
        """Take a step; where something is missing, with a reason; returns why not, or None."""
        procedure = self.procedure
        transition = next((each for each in transitions_from(procedure.step) if each.to is to), None)
        if transition is None:
            return f"{to} does not follow {procedure.step}"
        if procedure.study_uid in self._being_read and to is not Step.ENDED:
            return BEING_READ
        unmet = self.unmet(transition)
        if blocking := IMPOSSIBLE_WITHOUT & set(unmet):
            return f"{' and '.join(blocking)}: that has to be so first"
        if unmet and len(reason.strip()) < LEAST_REASON:
            return f"not yet so: {'; '.join(unmet)}. To go on all the same, give a reason"
        told: dict[str, Any] = {"from": procedure.step, "to": to, "unmet": list(unmet), "reason": reason.strip()}
        if Need.CHECKED in unmet:
            told["unchecked"] = {
                item.name: item.said
                for item in self.items()
                if not (item.is_good and item.name in procedure.checks)
            }
        self._add("moved", told)
        await self._journal.settle()
        return None

    async def mark(self, *, rate_cps: float | None, tip_mm: tuple[float, float, float] | None) -> int:
        """Mark this moment, with the rate and the tip's place where they are known; gives the entry's number."""
        known = rate_cps if rate_cps is not None and isfinite(rate_cps) else None
        seq = self._add("marked", {"rate_cps": known, "tip_mm": tip_mm, "step": self.procedure.step})
        await self._journal.settle()
        return seq

    def items(self) -> tuple[Item, ...]:
        """Go through the time-out as it stands now."""
        return time_out(self._equipment(), self.procedure, self.sources, now=self._now())

    def unmet(self, transition: Transition) -> tuple[Need, ...]:
        """List what is not so yet of what a step needs."""
        newest = self._localiser.newest
        return unmet_of(
            transition,
            self.procedure,
            sources=self.sources,
            resection=self._resection,
            posterior=newest.posterior if newest else None,
            items=self.items,
        )

    def _add(self, kind: str, told: Mapping[str, Any], *, at: datetime | None = None) -> int:
        seq = self._journal.add(kind, told, at=at)
        if not seq:
            return 0  # a record that cannot be written may not be readable either
        try:
            for entry in self._journal.all_after(self._seen):
                self.procedure = self.procedure.with_entry(entry)
                self._seen = entry.seq
        except JournalUnusable:
            return 0  # `failure` says so
        return seq

    @property
    def failure(self) -> str:
        """Why nothing is entered any more; empty while it is."""
        return self._journal.failure

    def _at_s(self, at: datetime) -> float:
        return self._clock() - (self._now() - at).total_seconds()
