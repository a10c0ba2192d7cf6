"""Counts over a bed, and what they say of the target that lay there, looked at more and more rarely.

Who looks at the same counts again and again and stops when he likes what he sees is wrong more often than each
look is. So the looks come after 2, 3, 4.5 s and so on, a dozen in two minutes, each with limits that are wrong
once in a hundred: all of them together about once in ten at most, and that bound ignores how much they share.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from acquisition.resection.shift import refuse_shift, shift_mm, widened
from navigation.errors import NavigationError
from navigation.estimation.estimate import Posterior, TargetEstimate
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.resection.excision import BedRule, ResidualBed, residual_bed
from navigation.statistics.counting import Rate
from navigation.statistics.limits import Verdict
from navigation.tissue import Tissue
from navigation.transforms import RigidTransform

Array = NDArray[np.float64]

RULE = BedRule(confidence=0.99)
"""Of each look."""

FIRST_LOOK_S, LOOK_GROWTH = 2.0, 1.5
"""Live time counted until the first look, and by how much more until each of the others."""

LONGEST_S = 120.0
"""Live time after which a bed that is not decided is not counted on."""

BACKGROUND_ERROR = 0.3
"""Relative error of the background at the bed: as much as the estimate allows it."""

OTHER_MAP = "it was marked on another study's map: choose that study to count its bed"
"""Why a bed is not counted: nobody knows where it is in the space of the map in use."""

NO_SKIN = "the study is not read again yet: wait, or choose it"
"""Why nothing is said of a bed right after a restart."""

SHINE_ELSEWHERE = (
    "the patient was registered anew since it was marked: by that what shines beside its bed shines otherwise, "
    "and nobody knows which of both holds; look for what is left by the rate itself, and count the specimen"
)
"""Why a bed is not counted whose neighbours' light the shift changes by more than all of it."""

BELIEVED_AT = 0.5
"""Probability above which another source is taken to shine into the bed."""


SAME_MM = 15.0
"""Two sources on no map that bear one name are farther apart: one was given up, the other took its name."""


class Decision(StrEnum):
    """What a surgeon does about a bed."""

    REMOVED = "removed"
    STILL_THERE = "still there"
    COUNT_ON = "count on"


_DECISIONS = {
    Verdict.BELOW: Decision.REMOVED,
    Verdict.ABOVE: Decision.STILL_THERE,
    Verdict.UNDECIDED: Decision.COUNT_ON,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Removed:
    """A target that was marked as taken out, and all that was believed when it was.

    Attributes
    ----------
    number
        From 1, in the order of marking.
    target
        As it was believed.
    others
        Sources that shine into its bed.
    background_cps
        As it was believed.
    tissue
        Skin as of the CT: tissue that is gone but still assumed makes the upper limit too high, never too low.
        None after a restart until the study is read again.
    study_uid
        Whose map it was on: another one's hot spots bear the same names, in another space. Empty where its entry
        does not say, which is then the map in use.
    patient_from_reference
        Registration that its place was counted by. None where its entry does not say: then no other is compared
        with it.
    marked_at_s, believed_at_s
        When it was marked, and the newest count that the belief rests on, host monotonic clock, s.

    """

    number: int
    target: TargetEstimate
    others: tuple[TargetEstimate, ...]
    background_cps: float
    tissue: Tissue | None
    marked_at_s: float
    believed_at_s: float
    study_uid: str = ""
    patient_from_reference: RigidTransform | None = None

    def is_on_map_of(self, study_uid: str) -> bool:
        """Whether its name and place are of the map of a study."""
        return self.study_uid in {"", study_uid}

    def shift_mm(self, source: TargetEstimate, patient_from_reference: RigidTransform | None) -> Array:
        """Give how far a source lies elsewhere by the registration in use, None for none; mm, shape (3,)."""
        return shift_mm(source.centre_mm, then=self.patient_from_reference, now=patient_from_reference)

    def refuse(self, study_uid: str, patient_from_reference: RigidTransform | None) -> str:
        """Say why its bed is not counted with this study and registration in use; empty where it may be."""
        if self.tissue is None:
            return NO_SKIN
        if not self.is_on_map_of(study_uid):
            return OTHER_MAP
        return refuse_shift(self.shift_mm(self.target, patient_from_reference))


def shining_beside(target: TargetEstimate, posterior: Posterior) -> tuple[TargetEstimate, ...]:
    """List the other sources that are believed to be there."""
    return tuple(each for each in posterior.targets if each is not target and each.presence > BELIEVED_AT)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """What the counts over a bed said when they were looked at last.

    Attributes
    ----------
    counts, live_time_s
        All that was looked at.
    bed
        What it says; None where nothing can be said.
    reason
        Why the decision is open; empty where it stands.

    """

    counts: float
    live_time_s: float
    bed: ResidualBed | None
    reason: str

    @property
    def decision(self) -> Decision:
        """What it comes to."""
        return Decision.COUNT_ON if self.bed is None else _DECISIONS[self.bed.verdict]

    @property
    def is_last(self) -> bool:
        """Whether it decides, or counting on will not."""
        return self.decision is not Decision.COUNT_ON or self.live_time_s >= LONGEST_S


class BedCount:
    """Counts over one bed, from a beginning on (host monotonic clock, s) until they decide or last too long."""

    def __init__(self, removed: Removed, *, began_s: float) -> None:
        self.removed = removed
        self.began_s = began_s
        self.look: Look | None = None
        self._observations = Observations.empty()
        self._next_look_s = FIRST_LOOK_S

    @property
    def counts(self) -> float:
        """Counts so far."""
        return float(self._observations.counts.sum())

    @property
    def live_time_s(self) -> float:
        """Live time so far, s."""
        return float(self._observations.live_time_s.sum())

    @property
    def is_due(self) -> bool:
        """Whether enough has been counted to look."""
        return self.live_time_s >= self._next_look_s

    @property
    def is_over(self) -> bool:
        """Whether a look has decided, or counting on will not."""
        return self.look is not None and self.look.is_last

    def take(self, observations: Observations) -> None:
        """Take tracked counts; those from before the beginning are of no bed."""
        self._observations += observations.take(observations.taken_at_s >= self.began_s)

    def examine(
        self,
        response: Response,
        *,
        half_life_s: float,
        taken_out: Sequence[TargetEstimate] = (),
        patient_from_reference: RigidTransform | None = None,
    ) -> Look:
        """Look at all counts so far; up to seconds of work, off the event loop.

        Targets in ``taken_out`` shine into no bed any more, whatever was believed as this one was marked. All was
        counted by the registration ``patient_from_reference``; None where there is none to compare.
        """
        removed, seen, tissue = self.removed, self._observations, self.removed.tissue
        live_time_s, counts = float(seen.live_time_s.sum()), float(seen.counts.sum())
        if tissue is None:
            return Look(counts=counts, live_time_s=live_time_s, bed=None, reason=NO_SKIN)
        moved_mm = removed.shift_mm(removed.target, patient_from_reference)
        if refusal := refuse_shift(moved_mm):
            return Look(counts=counts, live_time_s=live_time_s, bed=None, reason=refusal)
        others = [each for each in removed.others if not any(_is_one(each, gone) for gone in taken_out)]
        left = np.exp2(-(seen.taken_at_s - removed.believed_at_s) / half_life_s)
        background = Rate(rate_cps=removed.background_cps, sigma_cps=BACKGROUND_ERROR * removed.background_cps)
        elsewhere = [
            replace(each, centre_mm=each.centre_mm + removed.shift_mm(each, patient_from_reference))
            for each in others
        ]
        others_cps, elsewhere_cps = (
            left * _shine_cps(each, seen, tissue, response) for each in (others, elsewhere)
        )
        light_cps, change_cps = float(others_cps.sum()), float(np.abs(elsewhere_cps - others_cps).sum())
        if change_cps > max(light_cps, len(seen) * background.sigma_cps):
            return Look(counts=counts, live_time_s=live_time_s, bed=None, reason=SHINE_ELSEWHERE)
        try:
            bed = residual_bed(
                seen,
                target=widened(removed.target, moved_mm),
                response=response,
                tissue=tissue,
                background=background,
                others_cps=others_cps,
                others_error=_error_of(others, response, change=change_cps / light_cps if light_cps > 0 else 0.0),
                half_life_s=half_life_s,
                elapsed_s=max(float(seen.taken_at_s.mean()) - removed.believed_at_s, 0.0),
                rule=RULE,
            )
        except NavigationError as exc:
            return Look(counts=counts, live_time_s=live_time_s, bed=None, reason=str(exc))
        return Look(counts=counts, live_time_s=live_time_s, bed=bed, reason=bed.reason)

    def note(self, look: Look) -> None:
        """Keep a look, and set when the next one is due."""
        self.look = look
        while self._next_look_s <= look.live_time_s < LONGEST_S:
            self._next_look_s = min(self._next_look_s * LOOK_GROWTH, LONGEST_S)


def _is_one(source: TargetEstimate, gone: TargetEstimate) -> bool:
    """Whether a source is the one that was taken out, as far as its name and place tell."""
    if source.name != gone.name:
        return False
    return source.mapped_mm is not None or float(np.linalg.norm(source.centre_mm - gone.centre_mm)) < SAME_MM


def _shine_cps(others: Sequence[TargetEstimate], seen: Observations, tissue: Tissue, response: Response) -> Array:
    """Rate of other sources at each reading, (N,), cps, with the activity that they were believed to have."""
    if not others:
        return np.zeros(len(seen))
    places_mm = np.array([each.centre_mm for each in others])
    activity_mbq = np.array([each.activity_mbq for each in others])
    return np.asarray(response.expected_rate_cps(places_mm, seen.tip_mm, seen.axis, tissue) @ activity_mbq)


def _error_of(others: Sequence[TargetEstimate], response: Response, *, change: float) -> float:
    """Relative error of that rate, at most 1; ``change`` is what it may be otherwise since they lie elsewhere."""
    if not others:
        return 0.0
    activity_error = max(each.log_activity_sigma for each in others)
    # they are seen from aside, where the calibration is least right
    return min(float(np.linalg.norm((activity_error, response.stray_error, change))), 1.0)
