"""What the surgeon marks and counts after an excision, and the answers, for the patient on the table."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import structlog

from acquisition.estimate.estimating import NUMERICS
from acquisition.estimate.localising import Localiser
from acquisition.resection.bed import BedCount, Decision, Look, Removed, shining_beside
from acquisition.resection.record import (
    Findings,
    UnderWay,
    tell_cut_off,
    tell_limits,
    tell_look,
    tell_removed,
    tell_specimen,
)
from acquisition.resection.specimen import BenchCount, Comparison, Specimen, compared
from devices.clock import Clock
from devices.readings import CountReading
from navigation.errors import NavigationError
from navigation.estimation.estimate import Posterior
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.tissue import Tissue
from navigation.transforms import RigidTransform

log = structlog.get_logger()


class Resection:
    """Keeps what was taken out and counted, and answers while counts come in.

    One thing is counted at a time. A bed is counted by tracked counts, as the estimate accepts them; a specimen by
    the probe on the bench, and until that is over its counts say nothing of the patient. What a person does is
    refused with a sentence where it makes no sense; all of it, and every answer, is recorded.

    Parameters
    ----------
    localiser
        Knows what is believed of the targets.
    probe
        Name of the probe in hand.
    response
        Its calibration; None where there is none, then no bed can be judged.
    half_life_s
        Of the nuclide.
    take_out
        Begins the estimate anew without the hot spots of these names.
    record
        Writes an event of a time (host monotonic clock, s) to the session's recording.
    clock
        Host monotonic clock.
    is_calibrating
        Whether a calibration has the probe: its source is nothing that was taken out.
    patient_from_reference
        Gives the registration in use; None while there is none.

    """

    def __init__(
        self,
        localiser: Localiser,
        *,
        probe: str,
        response: Response | None,
        half_life_s: float,
        take_out: Callable[[frozenset[str]], Awaitable[None]],
        record: Callable[[float, Mapping[str, Any]], None],
        clock: Clock,
        is_calibrating: Callable[[], bool],
        patient_from_reference: Callable[[], RigidTransform | None],
    ) -> None:
        self._localiser = localiser
        self._probe = probe
        self._response = response
        self._half_life_s = half_life_s
        self._take_out = take_out
        self._record = record
        self._clock = clock
        self._is_calibrating = is_calibrating
        self._patient_from_reference = patient_from_reference
        self._patient_id: str | None = None
        self._study_uid = ""
        self._woken = asyncio.Event()
        self._is_changed = False
        self._bench_s = (0.0, 0.0)
        self._marked = self._counted = 0
        self._left: set[int] = set()
        self.revision = 0
        """Grows with everything that a person does."""
        self.removed: tuple[Removed, ...] = ()
        self.looks: dict[int, Look] = {}
        """Newest look at the bed of each removed target, by its number."""
        self.counting: BedCount | BenchCount | None = None
        self.specimens: tuple[Specimen, ...] = ()
        self.background: Specimen | None = None
        self.comparisons: dict[int, Comparison] = {}
        """Of each specimen, by its number."""
        self.trouble = ""
        """Why the last count came to nothing; empty where it came to something."""

    def serve(self, patient_id: str) -> None:
        """Say who lies on the table: what was taken out of another patient is nothing of hers."""
        if patient_id == self._patient_id:
            return
        if self._patient_id is not None:
            self._note("another patient")
        self._patient_id = patient_id
        self._break_off()
        self.removed, self.looks = (), {}
        self.specimens, self.background, self.comparisons = (), None, {}

    def resume(self, patient_id: str, found: Findings, *, revision: int) -> None:
        """Go on with what was recorded of this patient's procedure; what was being counted has to be again."""
        self._patient_id, self.revision = patient_id, revision
        self._break_off()
        self.removed, self.looks, self._left = found.removed, found.looks, found.left
        self.specimens, self.background = found.specimens, found.background
        self._marked, self._counted = found.marked, found.counted
        if found.under_way is not None:
            self._cut_off(found.under_way)
        self._compare()

    def lay(self, study_uid: str, tissue: Tissue | None) -> None:
        """Say which study's map is in use, and where its skin is, for targets that were marked before a restart.

        The bed of a target of another map is not counted on: nobody knows where it lies in this one.
        """
        self._study_uid = study_uid
        self.removed = tuple(
            replace(each, tissue=tissue) if each.tissue is None and each.is_on_map_of(study_uid) else each
            for each in self.removed
        )
        if isinstance(self.counting, BedCount) and not self.counting.removed.is_on_map_of(study_uid):
            self.stop()

    def leave_bed(self) -> None:
        """Count no bed on: registered anew, the patient has what was counted so far in other places."""
        if isinstance(self.counting, BedCount):
            self.stop()

    async def remove(self, name: str) -> str | None:
        """Mark a target as taken out; returns why not, or None."""
        belief, tissue = self._localiser.newest, self._localiser.tissue
        if self.counting is not None:
            return "something is being counted: stop that first"
        if belief is None or tissue is None:
            return "nothing is estimated yet: there is no target to be taken out"
        posterior = belief.posterior
        target = next((each for each in posterior.targets if each.name == name), None)
        if target is None or target.kind != "target":
            return f"there is no target {name}"
        if not (target.is_localisable and posterior.is_consistent):
            return (
                f"{name} is not located ({target.reason or 'the counts do not fit'}): nobody could say whether it "
                "is gone from a place that is not known"
            )
        removed = Removed(
            number=self._marked + 1,
            target=target,
            others=shining_beside(target, posterior),
            background_cps=posterior.background_cps,
            tissue=tissue,
            marked_at_s=self._clock(),
            believed_at_s=belief.counted_until_s,
            study_uid=self._study_uid,
            patient_from_reference=self._patient_from_reference(),
        )
        self._marked = removed.number
        self.removed = (*self.removed, removed)
        self._note("removed", **tell_removed(removed))
        await self.begin_anew()
        return None

    async def restore(self, number: int) -> str | None:
        """Take a mark back: the target was not taken out after all; returns why not, or None."""
        if self._find(number) is None:
            return f"no target was marked as number {number}"
        if isinstance(self.counting, BedCount) and self.counting.removed.number == number:
            self.counting = None
        self.removed = tuple(each for each in self.removed if each.number != number)
        self.looks.pop(number, None)
        self._note("not removed", number=number)
        await self.begin_anew()
        return None

    def count_bed(self, number: int) -> str | None:
        """Begin to count the bed of a removed target anew; returns why not, or None."""
        removed = self._find(number)
        if removed is None:
            return f"no target was marked as number {number}: say first what was taken out"
        if self._response is None:
            return "the probe is not calibrated: run acquire"
        if refusal := removed.refuse(self._study_uid, self._patient_from_reference()):
            return refusal
        if self._localiser.obstacle:
            return f"the bed cannot be counted: {self._localiser.obstacle}"
        return self._begin(BedCount(removed, began_s=self._clock()), number=number)

    def count_bench(self, kind: Literal["specimen", "background"]) -> str | None:
        """Begin to count a specimen, or the bench without one; returns why not, or None."""
        of = self.removed[-1].target.name if self.removed and kind == "specimen" else None
        return self._begin(BenchCount(kind, of=of, began_s=self._clock()), kind=kind, of=of)

    def stop(self) -> str | None:
        """Stop counting: a bed keeps its last look, a specimen its counts; returns why not, or None."""
        if self.counting is None:
            return None
        self._note("stopped")
        self._end()
        return None

    def discard(self, number: int) -> str | None:
        """Take a specimen out of the comparison; the record keeps it; returns why not, or None."""
        if all(each.number != number for each in self.specimens):
            return f"there is no specimen {number}"
        self.specimens = tuple(each for each in self.specimens if each.number != number)
        self.comparisons = {}  # it may have been the hottest: until they are compared anew nothing is known
        self._note("specimen discarded", number=number)
        self._compare()
        return None

    def label(self, number: int, of: str | None) -> str | None:
        """Correct which removed target a specimen is of, None for none; the record keeps both.

        Returns why not, or None.
        """
        specimen = next((each for each in self.specimens if each.number == number), None)
        if specimen is None:
            return f"there is no specimen {number}"
        if of is not None and all(each.target.name != of for each in self.removed):
            return f"no target {of} was marked as taken out"
        self.specimens = tuple(replace(each, of=of) if each.number == number else each for each in self.specimens)
        self._note("specimen labelled", number=number, was=specimen.of, of=of)
        self._compare()
        return None

    def is_of_patient(self, middle_s: float) -> bool:
        """Whether a count of that time (host monotonic clock, s) was taken on the patient, not on the bench."""
        began_s, ended_s = self._bench_s
        is_on_bench = isinstance(self.counting, BenchCount) and middle_s >= self.counting.began_s
        return not (is_on_bench or began_s <= middle_s <= ended_s)

    def take_count(self, reading: CountReading) -> None:
        """Take a reading; those of the probe in hand count."""
        if isinstance(self.counting, BenchCount) and reading.device == self._probe:
            self.counting.take(reading)
            if self.counting.is_over:
                self._end()

    def take(self, accepted: Observations, _: Posterior) -> None:
        """Take tracked counts that the estimate accepted."""
        if isinstance(self.counting, BedCount):
            self.counting.take(accepted)
            if self.counting.is_due:
                self._woken.set()

    async def run(self) -> None:
        """Look at beds and compare specimens, for ever, off the event loop."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._look()
                if self._is_changed:
                    await self._compare_all()
            except NUMERICS as exc:
                log.exception("resection failed")
                self.counting, self.trouble = None, f"the counts could not be judged ({exc}): count again"
                self._tell("not counted", reason=str(exc))

    def _begin(self, counting: BedCount | BenchCount, **told: object) -> str | None:
        if self.counting is not None:
            return "something is being counted: stop that first"
        if self._is_calibrating():
            return "a calibration is under way: end it first"
        self.counting, self.trouble = counting, ""
        self._note("counting", what="bed" if isinstance(counting, BedCount) else counting.kind, **told)
        return None

    def _break_off(self) -> BedCount | BenchCount | None:
        """Count no longer what is being counted, and give it; what was counted on the bench stays the bench's."""
        counting, self.counting, self.trouble = self.counting, None, ""
        if isinstance(counting, BenchCount):
            self._bench_s = counting.began_s, self._clock()
        return counting

    def _cut_off(self, counting: UnderWay) -> None:
        """Say, until something is counted, what was being counted when the service ended; and enter it once."""
        self.trouble = counting.words
        if not counting.is_cut_off:
            self._tell("cut off", **tell_cut_off(counting))

    def _end(self) -> None:
        """End what is being counted; a specimen or background that was counted long enough is kept."""
        counting = self._break_off()
        if not isinstance(counting, BenchCount):
            return
        try:
            count = counting.result()
        except NavigationError as exc:
            self.trouble = f"The {counting.kind} was not counted: {exc}"
            self._tell("not counted", reason=str(exc))
            return
        self._counted += counting.kind == "specimen"
        counted = Specimen(
            number=self._counted if counting.kind == "specimen" else 0,
            of=counting.of,
            count=count,
            dead_time_s=counting.dead_time_s,
        )
        self._tell(f"{counting.kind} counted", **tell_specimen(counted, now_s=self._clock()))
        if counting.kind == "specimen":
            self.specimens = (*self.specimens, counted)
        else:
            self.background = counted
        self.comparisons = {}  # with another hottest, or another background, they are others
        self._compare()

    def _compare(self) -> None:
        self._is_changed = True
        self._woken.set()

    async def _look(self) -> None:
        counting = self.counting
        if not isinstance(counting, BedCount) or not counting.is_due or self._response is None:
            return
        look = await asyncio.to_thread(
            counting.examine,
            self._response,
            half_life_s=self._half_life_s,
            taken_out=[each.target for each in self.removed if each.is_on_map_of(self._study_uid)],
            patient_from_reference=self._patient_from_reference(),
        )
        if counting is not self.counting:
            return  # stopped, or another patient
        counting.note(look)
        if look.decision is Decision.STILL_THERE:
            self._left.add(counting.removed.number)
        elif look.decision is Decision.REMOVED and counting.removed.number in self._left:
            # it was cut once more: what was counted since it was marked is of what is gone now
            self._left.remove(counting.removed.number)
            await self.begin_anew()
        self.looks[counting.removed.number] = look
        self._tell("looked", **tell_look(counting.removed.number, look))
        if counting.is_over:
            self._end()
        elif counting.is_due:
            self._woken.set()

    async def _compare_all(self) -> None:
        self._is_changed = False
        specimens = self.specimens
        found = await asyncio.to_thread(compared, specimens, self.background, half_life_s=self._half_life_s)
        if specimens is self.specimens:
            self.comparisons = found
            for number, each in found.items():
                share = (
                    {} if each.share is None else tell_limits(each.share.ratio) | {"verdict": each.share.verdict}
                )
                self._tell("compared", number=number, is_hottest=each.is_hottest, **share)

    async def begin_anew(self) -> None:
        """Have the estimate begin again, without what is taken out of the map in use."""
        await self._take_out(self.taken_out_of(self._study_uid))

    def taken_out_of(self, study_uid: str) -> frozenset[str]:
        """Name the targets of a study's map that are taken out."""
        return frozenset(each.target.name for each in self.removed if each.is_on_map_of(study_uid))

    def _find(self, number: int) -> Removed | None:
        return next((each for each in self.removed if each.number == number), None)

    def _note(self, event: str, **told: object) -> None:
        """Record what a person did."""
        self.revision += 1
        self._tell(event, **told)

    def _tell(self, event: str, **told: object) -> None:
        self._record(self._clock(), {"event": event, "patient_id": self._patient_id, **told})
