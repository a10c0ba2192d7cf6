"""The feed's messages: what was taken out, what is counted of it, and what that says."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class LimitsState(Struct, frozen=True, kw_only=True):
    """A quantity that cannot be negative, with a limit on either side."""

    best: Annotated[float | None, Meta(description="Most likely value; null where the counts give none.")]
    lower: Annotated[float, Meta(ge=0, description="One-sided limit.")]
    upper: Annotated[float | None, Meta(description="One-sided limit; null where nothing bounds it.")]
    confidence: Annotated[float, Meta(gt=0.5, lt=1, description="Of each limit.")]


class BedState(Struct, frozen=True, kw_only=True):
    """What the counts over the place of a removed target said when they were looked at last."""

    counts: Annotated[float, Meta(ge=0, description="All tracked counts that were looked at.")]
    live_time_s: Annotated[float, Meta(gt=0, description="Live time of them.")]
    decision: Annotated[
        Literal["removed", "still there", "count on"],
        Meta(description="Removed: less than a tenth is left. Still there: more. Count on: nobody can tell yet."),
    ]
    left_mbq: Annotated[LimitsState | None, Meta(description="Activity that is left; null where nothing is told.")]
    left_share: Annotated[LimitsState | None, Meta(description="The same over what was there before.")]
    needed_s: Annotated[
        float | None,
        Meta(description="How much longer to hold the probe as it is; null where that would not decide it."),
    ]
    reason: Annotated[str, Meta(description="Why it is open; empty when it is decided.")]


class RemovedState(Struct, frozen=True, kw_only=True):
    """A target that a person marked as taken out."""

    number: Annotated[int, Meta(gt=0, description="From 1 in each procedure; never given twice in it.")]
    name: Annotated[str, Meta(description="As the target was called.")]
    marked_at_utc: Annotated[str, Meta(description="When, ISO 8601.")]
    bed: Annotated[BedState | None, Meta(description="Null before its bed was looked at.")]


class SpecimenState(Struct, frozen=True, kw_only=True):
    """A specimen as it was counted on the bench, and how it compares with the hottest."""

    number: Annotated[int, Meta(gt=0, description="From 1 in each procedure; never given twice in it.")]
    of: Annotated[str | None, Meta(description="The removed target that it is said to be of.")]
    counts: Annotated[float, Meta(ge=0, description="As counted.")]
    live_time_s: Annotated[float, Meta(gt=0, description="In this time.")]
    rate_cps: Annotated[float | None, Meta(description="Dead-time-corrected; null when beyond correction.")]
    low_cps: Annotated[float | None, Meta(description="Lower end of its 68 % interval.")]
    high_cps: Annotated[float | None, Meta(description="Upper end of it.")]
    share: Annotated[
        LimitsState | None,
        Meta(description="Of the hottest's net rate, decay taken off; null for the hottest, and where not told."),
    ]
    rule: Annotated[
        Literal["hottest", "hot", "cold", "undecided"] | None,
        Meta(description="Ten-percent rule: hot counts more than a tenth of the hottest. Null: not compared yet."),
    ]
    needed_s: Annotated[
        float | None, Meta(description="How much longer to count it; null where that would not decide it.")
    ]
    reason: Annotated[str, Meta(description="Why it cannot be compared; empty where it can.")]


class CountingState(Struct, frozen=True, kw_only=True):
    """What is being counted."""

    what: Literal["bed", "specimen", "background"]
    number: Annotated[int | None, Meta(description="Of the removed target whose bed it is.")]
    counts: Annotated[float, Meta(ge=0, description="So far.")]
    live_time_s: Annotated[float, Meta(ge=0, description="So far.")]
    most_s: Annotated[float, Meta(gt=0, description="Live time at which it ends by itself.")]


class ResectionState(Struct, frozen=True, kw_only=True):
    """All that was marked and counted of this patient after an excision."""

    revision: Annotated[int, Meta(ge=0, description="Grows with everything that a person does.")]
    removed: tuple[RemovedState, ...]
    counting: Annotated[CountingState | None, Meta(description="One thing at a time.")]
    specimens: tuple[SpecimenState, ...]
    background_cps: Annotated[
        float | None, Meta(description="Of the bench, as counted; null: not counted, and not taken off.")
    ]
    trouble: Annotated[str, Meta(description="Why the last count came to nothing; empty where it did not.")]


class ResectionRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/resection``: what a person does. Answered 204, or 409 with a sentence why not."""

    revision: Annotated[int, Meta(description="That the person has seen; another one has acted since: 409.")]
    action: Annotated[
        Literal[
            "remove", "restore", "count_bed", "count_specimen", "count_background", "stop", "discard", "label"
        ],
        Meta(
            description="Restore takes a mark back, discard a specimen out of the comparison, label says which "
            "removed target a specimen is of; the record keeps what was before."
        ),
    ]
    target: Annotated[str | None, Meta(description="Name of the target (remove, label; null: of none).")] = None
    number: Annotated[
        int | None,
        Meta(description="Of the removed target (restore, count_bed) or the specimen (discard, label)."),
    ] = None
