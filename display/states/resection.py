"""What was taken out and counted after an excision, as a display shows it; and what a person asks for."""

from math import isfinite
from typing import Literal

from acquisition.resection.bed import LONGEST_S, BedCount, Look
from acquisition.resection.resection import Resection
from acquisition.resection.specimen import COUNTED_S, BenchCount, Comparison, Specimen
from devices.clock import Clock, monotonic, wall_time
from display.messages.resection import (
    BedState,
    CountingState,
    LimitsState,
    RemovedState,
    ResectionRequest,
    ResectionState,
    SpecimenState,
)
from navigation.errors import NavigationError
from navigation.statistics.counting import poisson_interval
from navigation.statistics.limits import Limits, Verdict

Rule = Literal["hottest", "hot", "cold", "undecided"]

RULES: dict[Verdict, Rule] = {Verdict.ABOVE: "hot", Verdict.BELOW: "cold", Verdict.UNDECIDED: "undecided"}


def show_resection(resection: Resection, *, clock: Clock = monotonic) -> ResectionState:
    """Show all of it; ``clock`` is what its times are by."""
    background = resection.background
    return ResectionState(
        revision=resection.revision,
        removed=tuple(
            RemovedState(
                number=each.number,
                name=each.target.name,
                marked_at_utc=wall_time(each.marked_at_s, clock=clock).isoformat(),
                bed=_show_look(resection.looks.get(each.number)),
            )
            for each in resection.removed
        ),
        counting=_show_counting(resection.counting),
        specimens=tuple(
            _show_specimen(each, resection.comparisons.get(each.number)) for each in resection.specimens
        ),
        background_cps=None if background is None else background.count.rate_cps,
        trouble=resection.trouble,
    )


async def act(resection: Resection, request: ResectionRequest) -> str | None:
    """Do what a person asks for; returns why not, or None."""
    if request.revision != resection.revision:
        return "somebody else has acted meanwhile: look again, then repeat it if it still holds"
    match request:
        case ResectionRequest(action="remove", target=str(name)):
            refusal = await resection.remove(name)
        case ResectionRequest(action="restore", number=int(number)):
            refusal = await resection.restore(number)
        case ResectionRequest(action="count_bed", number=int(number)):
            refusal = resection.count_bed(number)
        case ResectionRequest(action="count_specimen"):
            refusal = resection.count_bench("specimen")
        case ResectionRequest(action="count_background"):
            refusal = resection.count_bench("background")
        case ResectionRequest(action="stop"):
            refusal = resection.stop()
        case ResectionRequest(action="discard", number=int(number)):
            refusal = resection.discard(number)
        case ResectionRequest(action="label", number=int(number), target=name):
            refusal = resection.label(number, name)
        case _:
            refusal = f"{request.action} does not say of what: give a target or a number"
    return refusal


def _show_look(look: Look | None) -> BedState | None:
    if look is None:
        return None
    return BedState(
        counts=look.counts,
        live_time_s=look.live_time_s,
        decision=look.decision.value,
        left_mbq=_show_limits(look.bed.activity_mbq) if look.bed else None,
        left_share=_show_limits(look.bed.share) if look.bed else None,
        needed_s=look.bed.needed_s if look.bed else None,
        reason=look.reason,
    )


def _show_limits(limits: Limits) -> LimitsState:
    return LimitsState(
        best=limits.best,
        lower=limits.lower,
        upper=limits.upper if isfinite(limits.upper) else None,
        confidence=limits.confidence,
    )


def _show_counting(counting: BedCount | BenchCount | None) -> CountingState | None:
    if counting is None:
        return None
    is_bed = isinstance(counting, BedCount)
    return CountingState(
        what="bed" if isinstance(counting, BedCount) else counting.kind,
        number=counting.removed.number if isinstance(counting, BedCount) else None,
        counts=counting.counts,
        live_time_s=counting.live_time_s,
        most_s=LONGEST_S if is_bed else COUNTED_S,
    )


def _show_specimen(specimen: Specimen, comparison: Comparison | None) -> SpecimenState:
    rate_cps, low_cps, high_cps = _rates(specimen)
    share = comparison.share if comparison else None
    rule: Rule | None = RULES[share.verdict] if share else None
    if comparison and comparison.is_hottest:
        rule = "hottest"
    return SpecimenState(
        number=specimen.number,
        of=specimen.of,
        counts=specimen.count.counts,
        live_time_s=specimen.count.live_time_s,
        rate_cps=rate_cps,
        low_cps=low_cps,
        high_cps=high_cps,
        share=_show_limits(share.ratio) if share else None,
        rule=rule,
        needed_s=share.needed_s if share else None,
        reason=comparison.reason if comparison else "",
    )


def _rates(specimen: Specimen) -> tuple[float | None, float | None, float | None]:
    """Dead-time-corrected rate and its 68 % interval; None where no true rate could give such counts."""
    try:
        open_s = specimen.count.corrected_for(specimen.dead_time_s).live_time_s
    except NavigationError:
        return None, None, None
    low, high = poisson_interval(round(specimen.count.counts), confidence=0.6827)
    return specimen.count.counts / open_s, low / open_s, high / open_s
