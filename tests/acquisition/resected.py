"""What the surgeon marks and counts, in a room that records nothing."""

from collections.abc import Callable, Mapping
from typing import Any

from acquisition.estimate.localising import Localiser
from acquisition.resection.resection import Resection
from devices.clock import monotonic
from navigation.probe.response import Response


async def take_out(_: frozenset[str]) -> None:
    """Begin nothing anew."""


def drop(_at_s: float, _event: Mapping[str, Any]) -> None:
    """Record nothing."""


def resection(
    localiser: Localiser,
    response: Response | None = None,
    *,
    is_calibrating: Callable[[], bool] = lambda: False,
) -> Resection:
    """One in which nothing was taken out yet."""
    return Resection(
        localiser,
        probe="gamma",
        response=response,
        half_life_s=21_654.0,
        take_out=take_out,
        record=drop,
        clock=monotonic,
        is_calibrating=is_calibrating,
        patient_from_reference=lambda: None,
    )
