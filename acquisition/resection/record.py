"""What is recorded of an excision, and how that is read back: after a restart nothing that was counted is missing.

Times are recorded as how long before the entry they were, for a monotonic clock means nothing to another process.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from typing import Any

import numpy as np

from acquisition.resection.bed import Decision, Look, Removed
from acquisition.resection.specimen import Specimen
from navigation.estimation.estimate import TargetEstimate, region_of
from navigation.resection.excision import ResidualBed
from navigation.statistics.count_ratio import Count
from navigation.statistics.limits import Limits, Verdict

_VERDICTS = {
    Decision.REMOVED: Verdict.BELOW,
    Decision.STILL_THERE: Verdict.ABOVE,
    Decision.COUNT_ON: Verdict.UNDECIDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event as it was recorded, and when: on this process's monotonic clock, s."""

    at_s: float
    event: str
    told: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Findings:
    """Everything that stands after some recorded events."""

    removed: tuple[Removed, ...] = ()
    looks: dict[int, Look] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)
    specimens: tuple[Specimen, ...] = ()
    background: Specimen | None = None
    marked: int = 0
    counted: int = 0


def tell_removed(removed: Removed) -> dict[str, Any]:
    """Tell of a target that was marked."""
    return {
        "number": removed.number,
        "target": removed.target.name,
        "study_uid": removed.study_uid,
        "background_cps": removed.background_cps,
        "believed_ago_s": removed.marked_at_s - removed.believed_at_s,
        "belief": _tell_estimate(removed.target),
        "others": [_tell_estimate(each) for each in removed.others],
    }


def tell_look(number: int, look: Look) -> dict[str, Any]:
    """Tell of a look at a bed."""
    told: dict[str, Any] = {
        "number": number,
        "counts": look.counts,
        "live_time_s": look.live_time_s,
        "decision": look.decision.value,
        "reason": look.reason,
    }
    if look.bed is not None:
        bed = look.bed
        told["bed"] = {
            "activity_mbq": tell_limits(bed.activity_mbq),
            "share": tell_limits(bed.share),
            "needed_s": bed.needed_s,
            "misfit": bed.misfit,
            "is_consistent": bed.is_consistent,
            "is_within_calibration": bed.is_within_calibration,
        }
    return told


def tell_specimen(specimen: Specimen, *, now_s: float) -> dict[str, Any]:
    """Tell of a specimen, or of the background, as it was counted."""
    return {
        "number": specimen.number,
        "of": specimen.of,
        "counts": specimen.count.counts,
        "live_time_s": specimen.count.live_time_s,
        "taken_ago_s": now_s - specimen.count.taken_at_s,
        "dead_time_s": specimen.dead_time_s,
    }


def tell_limits(limits: Limits) -> dict[str, Any]:
    """Tell of limits; null where nothing bounds from above."""
    upper = limits.upper if isfinite(limits.upper) else None
    return {"best": limits.best, "lower": limits.lower, "upper": upper, "confidence": limits.confidence}


def read_back(recorded: Iterable[Recorded]) -> Findings:
    """Say what stands after these events, oldest first."""
    found = Findings()
    for each in recorded:
        _apply(found, each)
    return found


def _apply(found: Findings, recorded: Recorded) -> None:
    told, number = recorded.told, recorded.told.get("number")
    match recorded.event:
        case "removed":
            found.removed = (*found.removed, _removed(recorded))
            found.marked = max(found.marked, told["number"])
        case "not removed":
            found.removed = tuple(each for each in found.removed if each.number != number)
            found.looks.pop(told["number"], None)
            found.left.discard(told["number"])
        case "looked":
            look = _look(told)
            found.looks[told["number"]] = look
            if look.decision is Decision.STILL_THERE:
                found.left.add(told["number"])
            elif look.decision is Decision.REMOVED:
                found.left.discard(told["number"])
        case "specimen counted":
            found.specimens = (*found.specimens, _specimen(recorded))
            found.counted = max(found.counted, told["number"])
        case "specimen discarded":
            found.specimens = tuple(each for each in found.specimens if each.number != number)
        case "specimen labelled":
            found.specimens = tuple(
                replace(each, of=told["of"]) if each.number == number else each for each in found.specimens
            )
        case "background counted":
            found.background = _specimen(recorded)


def _tell_estimate(estimate: TargetEstimate) -> dict[str, Any]:
    return {
        "name": estimate.name,
        "kind": estimate.kind,
        "presence": estimate.presence,
        "centre_mm": estimate.centre_mm.tolist(),
        "covariance_mm2": estimate.covariance_mm2.tolist(),
        "log_activity_mean": estimate.log_activity_mean,
        "log_activity_sigma": estimate.log_activity_sigma,
        "is_localisable": estimate.is_localisable,
        "reason": estimate.reason,
        "mapped_mm": None if estimate.mapped_mm is None else estimate.mapped_mm.tolist(),
    }


def _estimate(told: Mapping[str, Any]) -> TargetEstimate:
    covariance_mm2 = np.array(told["covariance_mm2"])
    semi_axes_mm, axes = region_of(covariance_mm2)
    mapped_mm = told["mapped_mm"]
    return TargetEstimate(
        name=told["name"],
        kind=told["kind"],
        presence=told["presence"],
        centre_mm=np.array(told["centre_mm"]),
        covariance_mm2=covariance_mm2,
        log_activity_mean=told["log_activity_mean"],
        log_activity_sigma=told["log_activity_sigma"],
        is_localisable=told["is_localisable"],
        reason=told["reason"],
        region_semi_axes_mm=semi_axes_mm,
        region_axes=axes,
        mapped_mm=None if mapped_mm is None else np.array(mapped_mm),
    )


def _removed(recorded: Recorded) -> Removed:
    told = recorded.told
    return Removed(
        number=told["number"],
        target=_estimate(told["belief"]),
        others=tuple(_estimate(each) for each in told["others"]),
        background_cps=told["background_cps"],
        tissue=None,
        marked_at_s=recorded.at_s,
        believed_at_s=recorded.at_s - told["believed_ago_s"],
        study_uid=told.get("study_uid", ""),  # older entries have none
    )


def _look(told: Mapping[str, Any]) -> Look:
    bed = told.get("bed")
    counts, live_time_s, reason = told["counts"], told["live_time_s"], told["reason"]
    if bed is None:
        return Look(counts=counts, live_time_s=live_time_s, bed=None, reason=reason)
    residual = ResidualBed(
        activity_mbq=_limits(bed["activity_mbq"]),
        share=_limits(bed["share"]),
        verdict=_VERDICTS[Decision(told["decision"])],
        needed_s=bed["needed_s"],
        misfit=bed["misfit"],
        is_consistent=bed["is_consistent"],
        is_within_calibration=bed["is_within_calibration"],
        reason=reason,
    )
    return Look(counts=counts, live_time_s=live_time_s, bed=residual, reason=reason)


def _limits(told: Mapping[str, Any]) -> Limits:
    upper = inf if told["upper"] is None else told["upper"]
    return Limits(best=told["best"], lower=told["lower"], upper=upper, confidence=told["confidence"])


def _specimen(recorded: Recorded) -> Specimen:
    told = recorded.told
    taken_at_s = recorded.at_s - told["taken_ago_s"]
    count = Count(counts=told["counts"], live_time_s=told["live_time_s"], taken_at_s=taken_at_s)
    return Specimen(number=told["number"], of=told["of"], count=count, dead_time_s=told["dead_time_s"])
