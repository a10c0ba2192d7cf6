"""The feed's messages: the procedure, its steps, and what a person does in it."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from acquisition.session.drawn import RADIUS_MM
from display.messages.measures import Point, SourceName

StepName: TypeAlias = Literal[
    "patient", "plan", "time-out", "skin scan", "incision", "in vivo", "ex vivo", "bed", "ended"
]
SortName: TypeAlias = Literal["target", "injection", "organ", "neither"]


class MoveState(Struct, frozen=True, kw_only=True):
    """A step that may be taken from here."""

    to: StepName
    is_forward: Annotated[bool, Meta(description="False: back to a step that was taken before.")]
    unmet: Annotated[tuple[str, ...], Meta(description="What is not so yet; then a reason is asked for.")]
    is_possible: Annotated[bool, Meta(description="False: what is missing cannot be overridden.")]


class PlannedState(Struct, frozen=True, kw_only=True):
    """A hot spot of the map, for a person to say what it is."""

    name: str
    proposed: Annotated[SourceName, Meta(description="What it is taken for until somebody says.")]
    proposal: Annotated[str, Meta(description="What organ it may be instead, and why; empty for none.")] = ""
    masking: Annotated[
        str, Meta(description="Which nodes beside it the image may not show; empty: no more than any spot hides.")
    ] = ""
    confirmed: Annotated[SortName | None, Meta(description="What a person says it is; null: not yet.")]
    centre_mm: Annotated[Point, Meta(description="Where it is: study's patient axes, LPS.")]
    side: Annotated[Literal["left", "right", "midline"], Meta(description="Of the patient.")]
    depth_mm: Annotated[float | None, Meta(description="Under the skin of the CT.")]
    activity_mbq: Annotated[float | None, Meta(description="Decayed to now.")]
    skin_rate_cps: Annotated[float | None, Meta(description="Expected with the probe on the skin above it, now.")]
    is_drawn: Annotated[bool, Meta(description="A person drew it: it can be erased. Else the map shows it.")] = (
        False
    )
    radius_mm: Annotated[float | None, Meta(description="Of the ball that was drawn; null where none was.")] = None
    entered_mbq: Annotated[
        float | None, Meta(description="What a person expects in it, as she entered it; null: the image says.")
    ] = None
    entered_at_utc: Annotated[str | None, Meta(description="When it was so much; null likewise.")] = None


class CheckState(Struct, frozen=True, kw_only=True):
    """An item of the time-out."""

    name: str
    said: Annotated[str, Meta(description="What the service knows of it.")]
    is_good: Annotated[bool, Meta(description="False: it cannot be confirmed, only overridden.")]
    is_confirmed: bool


class ProcedureState(Struct, frozen=True, kw_only=True):
    """Where the procedure of the patient on the table stands; kept in a database, so that a restart goes on."""

    number: Annotated[int, Meta(ge=0, description="Of the procedure; 0: none has begun.")]
    began_at_utc: Annotated[str, Meta(description="When it began, ISO 8601; empty likewise.")] = ""
    revision: Annotated[int, Meta(ge=0, description="Grows with everything that a person does in it.")]
    step: StepName
    taken: Annotated[tuple[StepName, ...], Meta(description="Steps that were ever taken, in their order.")]
    moves: Annotated[tuple[MoveState, ...], Meta(description="Forward first.")]
    sources: tuple[PlannedState, ...]
    checklist: Annotated[tuple[CheckState, ...], Meta(description="Empty but at the time-out.")]
    overrides: Annotated[int, Meta(ge=0, description="Steps that were taken with a reason in place of a need.")]
    trouble: Annotated[str, Meta(description="Nothing is kept any more, or a drawing has no place; else empty.")]


class ProcedureRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/procedure/acts``: what a person does. Answered `Done`, or 409 with a sentence."""

    revision: Annotated[int, Meta(description="That the person has seen; another one has acted since: 409.")]
    action: Annotated[
        Literal[
            "move", "sort", "check", "mark", "draw", "erase", "begin_peak", "choose_background", "leave_background"
        ],
        Meta(
            description="Begin_peak looks for the greatest rate anew, choose_background compares with the rate of "
            "now, leave_background with that of the probe's calibration again."
        ),
    ]
    to: Annotated[StepName | None, Meta(description="To ``move`` to.")] = None
    reason: Annotated[str, Meta(max_length=500, description="Why, where something is missing.")] = ""
    name: Annotated[
        Annotated[str, Meta(max_length=64)] | None,
        Meta(description="Of the hot spot (sort, erase, and draw: null for a name of ours) or the item (check)."),
    ] = None
    sort: Annotated[
        SortName | None,
        Meta(description="What the hot spot is; an organ takes up tracer. Drawn: target, injection."),
    ] = None
    place_mm: Annotated[Point | None, Meta(description="Where it is drawn: study's patient axes, LPS.")] = None
    radius_mm: Annotated[float, Meta(ge=2, le=40, description="Of the ball that is drawn there.")] = RADIUS_MM
    activity_mbq: Annotated[
        Annotated[float, Meta(gt=0, le=10_000)] | None,
        Meta(description="Expected in what is drawn; null: the image says."),
    ] = None
    activity_at_utc: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="When it was so much, not ahead of now; it has decayed since. Null: now."),
    ] = None


class Done(Struct, frozen=True, kw_only=True):
    """Answer to an act that was done: a picture of what the display shows may be kept with it."""

    seq: Annotated[int, Meta(ge=0, description="Number of its entry in the record; 0 where it made none.")]
