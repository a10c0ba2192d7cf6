"""What a run came to, as the JSON line that ``radionav --seconds`` prints."""

from collections.abc import Callable, Mapping
from typing import Any

from acquisition.board import Tally
from navigation.estimation.estimate import Posterior, TargetEstimate


def sum_up(
    tally: Tally,
    posterior: Posterior | None,
    *,
    judge: Callable[[TargetEstimate], Mapping[str, Any]] = lambda _: {},
) -> dict[str, Any]:
    """Sum up a run; a target that cannot be located has no centre and no region.

    ``judge`` adds to each target what only a simulation can know.
    """
    targets = [
        {
            "name": target.name,
            "centre_mm": target.centre_mm.round(2).tolist() if target.is_localisable else None,
            "region_mm": target.region_semi_axes_mm.round(2).tolist() if target.is_localisable else None,
            "probability": round(target.presence, 4),
            **judge(target),
        }
        for target in (posterior.targets if posterior else ())
        if target.kind == "target"
    ]
    return {
        "readings": tally.readings,
        "poses": tally.poses,
        "tracked_counts": tally.tracked_counts,
        "frames": tally.frames,
        "studies": tally.studies,
        "targets": targets,
    }
