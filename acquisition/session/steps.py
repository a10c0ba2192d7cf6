"""The steps of a procedure, and what each needs: one table.

After navigation.md, workflow: plan, time-out, skin scan, incision, in vivo, ex vivo, bed.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """Where a procedure stands."""

    PATIENT = "patient"
    PLAN = "plan"
    TIME_OUT = "time-out"
    SKIN_SCAN = "skin scan"
    INCISION = "incision"
    IN_VIVO = "in vivo"
    EX_VIVO = "ex vivo"
    BED = "bed"
    ENDED = "ended"


class Need(StrEnum):
    """What must be so before a step is taken, in words."""

    CONFIRMED = "both identifiers of the patient are confirmed"
    SORTED = "each hot spot is confirmed as a target, an injection site or neither"
    TARGETED = "at least one hot spot is a target"
    CHECKED = "each item of the time-out is confirmed and none fails"
    LOCATED = "a target is located"
    REMOVED = "a target is marked as taken out"
    COUNTED = "a specimen is counted of each target taken out"
    DECIDED = "the bed of each target taken out is counted and free"
    WHOLE = "all steps are taken"
    """Never so of an early end: that always has a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A step that may follow another; with a reason also where a need is not met."""

    start: Step
    to: Step
    needs: tuple[Need, ...] = ()


def _then(start: Step, to: Step, *needs: Need) -> Transition:
    return Transition(start=start, to=to, needs=needs)


TRANSITIONS: Final = (
    _then(Step.PATIENT, Step.PLAN, Need.CONFIRMED),
    _then(Step.PLAN, Step.TIME_OUT, Need.SORTED, Need.TARGETED),
    _then(Step.TIME_OUT, Step.SKIN_SCAN, Need.CHECKED),
    _then(Step.SKIN_SCAN, Step.INCISION, Need.LOCATED),
    _then(Step.INCISION, Step.IN_VIVO),
    _then(Step.IN_VIVO, Step.EX_VIVO, Need.REMOVED),
    _then(Step.EX_VIVO, Step.BED, Need.COUNTED),
    _then(Step.BED, Step.ENDED, Need.DECIDED),
    # back: the plan was wrong, something was touched, another node is looked for
    _then(Step.TIME_OUT, Step.PLAN),
    _then(Step.SKIN_SCAN, Step.TIME_OUT),
    _then(Step.IN_VIVO, Step.SKIN_SCAN),
    _then(Step.EX_VIVO, Step.IN_VIVO),
    _then(Step.BED, Step.IN_VIVO),
    _then(Step.BED, Step.EX_VIVO),
    # an early end
    *(_then(step, Step.ENDED, Need.CONFIRMED, Need.WHOLE) for step in Step if step not in {Step.BED, Step.ENDED}),
)

IMPOSSIBLE_WITHOUT: Final = frozenset({Need.CONFIRMED})
"""Needs that no reason replaces: whose procedure it is."""


def transitions_from(step: Step) -> tuple[Transition, ...]:
    """List what may follow a step, forward first."""
    return tuple(each for each in TRANSITIONS if each.start is step)
