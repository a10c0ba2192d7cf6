"""The feed's messages: what is kept of a procedure for a display that comes late, or is loaded anew."""

from typing import Annotated

from msgspec import Meta, Struct

from display.messages.measures import Point


class KeptRateState(Struct, frozen=True, kw_only=True):
    """A rate that was kept to be compared with."""

    counts: Annotated[int, Meta(ge=0, description="As counted.")]
    rate_cps: Annotated[float, Meta(description="Dead-time-corrected.")]
    low_cps: Annotated[float, Meta(description="Lower end of its 68 % interval.")]
    high_cps: Annotated[float | None, Meta(description="Upper end; null when beyond correction.")]


class PathState(Struct, frozen=True, kw_only=True):
    """How much there is of the way of the tip over the patient; ``GET /v1/path`` answers its points."""

    number: Annotated[
        int,
        Meta(
            ge=0,
            description="Another one: of another patient, scan or registration, or read back; drop your points.",
        ),
    ]
    length: Annotated[int, Meta(ge=0, description="Points that it has; it grows by one for each 3 mm of way.")]


class PathPoints(Struct, frozen=True, kw_only=True):
    """Answer to ``GET /v1/path?since=``: the points of the path after its first so many, oldest first."""

    session_id: str
    number: Annotated[int, Meta(ge=0, description="Of the path, as in PathState.")]
    first: Annotated[
        int, Meta(ge=0, description="How many points came before these; more than asked: so many are gone.")
    ]
    points_mm: Annotated[tuple[Point, ...], Meta(description="Patient axes, LPS; the newest 4,000 are kept.")]
