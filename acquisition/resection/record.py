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
from navigation.frames import Frame
from navigation.resection.excision import ResidualBed
from navigation.statistics.count_ratio import Count
from navigation.statistics.limits import Limits, Verdict
from navigation.transforms import RigidTransform

_VERDICTS = {
    Decision.REMOVED: Verdict.BELOW,
    Decision.STILL_THERE: Verdict.ABOVE,
    Decision.COUNT_ON: Verdict.UNDECIDED,
}


CUT_OFF = {
    "bed": "A restart has cut off the count of the bed of {}: count it again",
    "specimen": "A restart has cut off the count of the specimen of {}: count it again",
    "specimen of none": "A restart has cut off the count of the specimen: count it again",
    "background": "A restart has cut off the count of the background: count it again",
}
"""What is said of a count that was under way when the service ended, of a target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event as it was recorded, and when: on this process's monotonic clock, s."""

    at_s: float
    event: str
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """What was being counted by the newest of some events.

    Attributes
    ----------
    what
        ``bed``, ``specimen`` or ``background``.
    number, of
        Of the removed target whose bed it is; which target bed or specimen are of, None for none.
    is_cut_off
        The record says already that it was.

    """

    what: str
    number: int | None
    of: str | None
    is_cut_off: bool = False

    @property
    def words(self) -> str:
        """Say that it came to nothing, and what to do."""
        what = "specimen of none" if self.what == "specimen" and self.of is None else self.what
        return CUT_OFF[what].format(self.of)


@dataclass(slots=True, kw_only=True)
class Findings:
    """Everything that stands after some recorded events."""

    removed: tuple[Removed, ...] = ()
    looks: dict[int, Look] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)
    specimens: tuple[Specimen, ...] = ()
    background: Specimen | None = None
    under_way: UnderWay | None = None
    marked: int = 0
    counted: int = 0


def tell_removed(removed: Removed) -> dict[str, Any]:
    """Tell of a target that was marked."""
    registration = removed.patient_from_reference
    return {
        "number": removed.number,
        "target": removed.target.name,
        "study_uid": removed.study_uid,
        "patient_from_reference": None if registration is None else registration.matrix.tolist(),
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


def tell_cut_off(counting: UnderWay) -> dict[str, Any]:
    """Tell of a count that was under way when the service ended."""
    return {"what": counting.what, "number": counting.number, "of": counting.of}


def tell_limits(limits: Limits) -> dict[str, Any]:
    """Tell of limits; null where nothing bounds from above."""
    upper = limits.upper if isfinite(limits.upper) else None
    return {"best": limits.best, "lower": limits.lower, "upper": upper, "confidence": limits.confidence}


def read_back(recorded: Iterable[Recorded]) -> Findings:
    """Say what stands after these events, oldest first."""
    found = Findings()
    for each in recorded:
        found.under_way = _under_way(found, each)
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


def _under_way(found: Findings, recorded: Recorded) -> UnderWay | None:
    """Say what is being counted after an event."""
    told, counting = recorded.told, found.under_way
    match recorded.event:
        case "counting" | "cut off" as event:
            number, of = told.get("number"), told.get("of")
            of = next((each.target.name for each in found.removed if each.number == number), of)
            return UnderWay(what=told["what"], number=number, of=of, is_cut_off=event == "cut off")
        case "stopped" | "not counted" | "specimen counted" | "background counted" | "another patient":
            return None
        case "looked" if _look(told).is_last:
            return None
        case "not removed" if counting is not None and counting.number == told["number"]:
            return None
    return counting


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
    registration = told.get("patient_from_reference")  # older entries have neither this nor the study
    return Removed(
        number=told["number"],
        target=_estimate(told["belief"]),
        others=tuple(_estimate(each) for each in told["others"]),
        background_cps=told["background_cps"],
        tissue=None,
        marked_at_s=recorded.at_s,
        believed_at_s=recorded.at_s - told["believed_ago_s"],
        study_uid=told.get("study_uid", ""),
        patient_from_reference=None
        if registration is None
        else RigidTransform.from_matrix(registration, to=Frame.PATIENT, from_=Frame.REFERENCE),
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
