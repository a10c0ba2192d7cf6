"""What the feed says of how far a position may be wrong."""

from typing import Annotated

from msgspec import Meta, Struct


class TipErrorState(Struct, frozen=True, kw_only=True):
    """How far the shown tip may be from the true one in the patient, and why; null is not known."""

    within_mm: Annotated[
        float | None,
        Meta(description="Radius that holds the true tip in 95 of 100; null if a part is not known."),
    ]
    registration_mm: Annotated[
        float | None, Meta(description="Part of the registration, RMS in space, as the others.")
    ]
    tracker_mm: Annotated[float | None, Meta(description="Part of the tracker, at the tip.")]
    calibration_mm: Annotated[float | None, Meta(description="Part of the tip's calibration.")]
    motion_mm: Annotated[float | None, Meta(description="Speed times the delay that is not known.")]
    tissue_mm: Annotated[float | None, Meta(description="Part of tissue that has moved since the scan.")]
