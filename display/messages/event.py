"""The line of events, and what is fetched beside it."""

from typing import Annotated, Any

from msgspec import Meta, Struct


class Follow(Struct, frozen=True, kw_only=True, tag="follow", forbid_unknown_fields=True):
    """The first message on ``/v1/events`` (after ``sign_in``, where that is asked for): from where to go on."""

    since_seq: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="Of the newest event that the display has; 0, or one that the record never gave: none, "
            "and all are sent; null: none, and all since the procedure that displays show began are sent, however "
            "many, or, while they show none, those since the former one's last step, the newest 1,000 at most."
        ),
    ]


class Event(Struct, frozen=True, kw_only=True, tag="event"):
    """An entry of the procedure's record. They come in the order of their numbers, and none is left out.

    But for what is entered each second so that a restart has it: peak, path and trend are in frames, or fetched.
    """

    seq: Annotated[int, Meta(ge=0, description="Growing; a display that was away asks for what came after it.")]
    at_utc: Annotated[str, Meta(description="When, ISO 8601; empty in a beat.")]
    person: Annotated[str, Meta(description="Who did it; empty where the service noticed it by itself.")]
    kind: Annotated[
        str, Meta(description="``moved``, ``marked``, ``alert`` ...; ``beat`` each second where nothing came.")
    ]
    told: Annotated[dict[str, Any], Meta(description="Its particulars.")]


class TrendPoint(Struct, frozen=True, kw_only=True):
    """The rate over one interval of the trend."""

    seq: Annotated[
        int, Meta(ge=0, description="Of its frame; 0 where a run of the service before this one made it.")
    ]
    server_monotonic_s: Annotated[
        float, Meta(description="Its end, by the clock of ``pong``; of a former run maybe below 0.")
    ]
    rate_cps: Annotated[float | None, Meta(description="Null where there was no live rate: a gap, not a zero.")]


class TrendList(Struct, frozen=True, kw_only=True):
    """Answer to ``GET /v1/trend?since_seq=``: the trend of the last minutes, oldest first."""

    session_id: str
    points: tuple[TrendPoint, ...]
