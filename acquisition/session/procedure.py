"""What a procedure has come to: everything that was entered for it, folded into one state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeVar

from acquisition.session.drawn import DrawnSpot, drawn_of
from acquisition.session.journal import Entry
from acquisition.session.steps import Step

Value = TypeVar("Value")

Sort = Literal["target", "injection", "organ", "neither"]
"""What a person says of a hot spot; an organ takes up tracer by its nature and is no target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A step that was taken though something was missing.

    ``unchecked`` are the items of a time-out that nobody could confirm, or did not, with what was said of each.
    """

    seq: int
    at: datetime
    person: str
    step: Step
    unmet: tuple[str, ...]
    unchecked: Mapping[str, str]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """One patient's procedure as it stands.

    Attributes
    ----------
    number
        Of the entry that it began with; 0 where none has begun.
    patient_id, patient_name, study_uid
        Whose it is, as a person confirmed it, and the map; empty while none has come.
    step
        Where it stands.
    sorts
        What a person made of each of the map's hot spots, by name.
    drawn
        Spots that a person drew beside the map's, by name.
    names_drawn
        Of all that were ever drawn in it, the erased too: what was taken out and counted is known by its name.
    checks
        Items of the time-out that a person confirmed, each with what it said then.
    overrides
        Steps taken though something was missing.
    taken
        Steps that were ever taken, in their order.
    revision
        Number of the newest entry that is a person's: who has not seen it may not act.

    """

    number: int = 0
    patient_id: str = ""
    patient_name: str = ""
    study_uid: str = ""
    began_at: datetime | None = None
    ended_at: datetime | None = None
    step: Step = Step.PATIENT
    sorts: Mapping[str, Sort] = field(default_factory=dict)
    drawn: Mapping[str, DrawnSpot] = field(default_factory=dict)
    names_drawn: frozenset[str] = frozenset()
    checks: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    taken: tuple[Step, ...] = ()
    revision: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it has begun and not ended."""
        return self.number > 0 and self.step is not Step.ENDED

    def with_entry(self, entry: Entry) -> "Procedure":
        """Say what it has come to after one more entry."""
        told, revision = entry.told, entry.seq if entry.person else self.revision
        match entry.kind:
            case "begun":
                return Procedure(
                    number=entry.seq,
                    patient_id=told["patient_id"],
                    patient_name=told["patient_name"],
                    study_uid=told["study_uid"],
                    began_at=entry.at,
                    taken=(Step.PATIENT,),
                    revision=entry.seq,
                )
            case "study":
                changed = replace(self, study_uid=told["study_uid"], sorts={}, drawn={})
            case "frames joined" | "frames parted" if told["study_uid"] == self.study_uid:
                changed = replace(self, sorts={}, drawn={})  # another map has other hot spots
            case "sorted":
                changed = replace(self, sorts={**self.sorts, told["name"]: told["as"]})
            case "drawn":
                spot = drawn_of(told, entry.at)
                changed = replace(
                    self,
                    drawn={**self.drawn, spot.name: spot},
                    sorts={**self.sorts, spot.name: spot.kind},
                    names_drawn=self.names_drawn | {spot.name},
                )
            case "erased":
                changed = replace(
                    self, drawn=_without(self.drawn, told["name"]), sorts=_without(self.sorts, told["name"])
                )
            case "checked":
                changed = replace(self, checks={**self.checks, told["item"]: told["said"]})
            case "moved":
                changed = self._moved(entry)
            case _:
                changed = self
        return replace(changed, revision=max(revision, changed.revision))

    def _moved(self, entry: Entry) -> "Procedure":
        step, unmet = Step(entry.told["to"]), tuple(entry.told["unmet"])
        override = Override(
            seq=entry.seq,
            at=entry.at,
            person=entry.person,
            step=step,
            unmet=unmet,
            unchecked=entry.told.get("unchecked", {}),
            reason=entry.told["reason"],
        )
        # a time-out is of one moment: whoever goes back to before it holds it anew
        checks = {} if step is Step.TIME_OUT and self.step is not Step.TIME_OUT else self.checks
        return replace(
            self,
            step=step,
            checks=checks,
            overrides=(*self.overrides, override) if unmet else self.overrides,
            taken=self.taken if step in self.taken else (*self.taken, step),
            ended_at=entry.at if step is Step.ENDED else None,
        )


def _without(named: Mapping[str, Value], name: str) -> dict[str, Value]:
    return {key: value for key, value in named.items() if key != name}


def fold(entries: Iterable[Entry]) -> Procedure:
    """Say what the last procedure among these entries has come to."""
    procedure = Procedure()
    for entry in entries:
        procedure = procedure.with_entry(entry)
    return procedure
