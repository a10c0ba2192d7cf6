"""The feed's messages: what is believed of the targets, and what that rests on."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from display.messages.measures import Age, Matrix, Point, SourceName


class TargetState(Struct, frozen=True, kw_only=True):
    """One target: where it is, how sure that is, and where it lies seen from the probe."""

    name: str
    kind: Annotated[SourceName, Meta(description="Injection sites and organs are never targets.")]
    probability: Annotated[float, Meta(ge=0, le=1, description="That it is there at all.")]
    localisable: Annotated[bool, Meta(description="False: the counts cannot tell yet; draw no position.")]
    reason: Annotated[str, Meta(description="Why it is not localisable; empty when it is.")]
    centre_mm: Annotated[Point | None, Meta(description="Posterior mean; null when not localisable.")]
    covariance_mm2: Annotated[Matrix | None, Meta(description="Posterior covariance.")]
    region_semi_axes_mm: Annotated[Point | None, Meta(description="95 % ellipsoid, longest first.")]
    region_axes: Annotated[Matrix | None, Meta(description="Its unit axes, one a row, same order.")]
    mapped_mm: Annotated[Point | None, Meta(description="Where the preoperative study showed it.")]
    activity_mbq: Annotated[float | None, Meta(description="Posterior median.")]
    tip_right_mm: Annotated[float | None, Meta(description="In the tip's frame: to its right.")]
    tip_up_mm: Annotated[float | None, Meta(description="In the tip's frame: up.")]
    tip_ahead_mm: Annotated[float | None, Meta(description="In the tip's frame: ahead; the depth if on axis.")]
    distance_mm: Annotated[float | None, Meta(description="From the tip to the centre.")]
    distance_half_width_mm: Annotated[float | None, Meta(description="Half the 95 % interval of it.")]
    off_axis_deg: Annotated[float | None, Meta(description="Angle between the look direction and the target.")]


class AgreementState(Struct, frozen=True, kw_only=True):
    """Newest counts against what the estimate expects of them, at the same poses: one of the two may be wrong."""

    measured_cps: Annotated[float, Meta(description="As counted, dead time not corrected.")]
    expected_cps: Annotated[float, Meta(gt=0, description="Likewise, by the estimate.")]
    low: Annotated[float, Meta(description="Lower end of the 99.7 % interval of measured over expected.")]
    high: Annotated[float, Meta(description="Upper end of it.")]
    live_time_s: Annotated[float, Meta(description="Live time that was compared.")]
    verdict: Annotated[
        Literal["agrees", "more", "fewer"],
        Meta(description="Whether chance and the calibration's error explain the difference."),
    ]


class MapShiftState(Struct, frozen=True, kw_only=True):
    """How far the map has moved as a whole since the scan."""

    shift_mm: Annotated[Point, Meta(description="From the map to the patient as she lies now.")]
    distance_mm: Annotated[float, Meta(ge=0, description="Length of it.")]
    half_width_mm: Annotated[float, Meta(description="Half the 95 % interval of the length.")]


class RejectionState(Struct, frozen=True, kw_only=True):
    """Tracked counts that were left out for one reason since the estimate was begun."""

    reason: Annotated[str, Meta(description="In words.")]
    readings: Annotated[int, Meta(gt=0, description="How many.")]


class PosteriorState(Struct, frozen=True, kw_only=True):
    """What the estimate rests on."""

    readings: Annotated[int, Meta(ge=0, description="Tracked counts used so far.")]
    age_s: Age
    update_ms: Annotated[float, Meta(description="Time that the newest update took.")]
    response: Annotated[str, Meta(description="Calibration in use: probe, nuclide, date.")]
    consistent: Annotated[bool, Meta(description="False: the counts fit no position; trust no target.")]
    within_calibration: Annotated[
        bool, Meta(description="False: a target was seen from no distance and angle that was calibrated.")
    ]
    restarts: Annotated[
        int, Meta(ge=0, description="How often counts contradicted the estimate until it began anew.")
    ]
    map_shift: Annotated[MapShiftState | None, Meta(description="Null where no mapped source tells.")]
    agreement: Annotated[AgreementState | None, Meta(description="Null where nothing is expected yet.")]
