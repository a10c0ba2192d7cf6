"""Comparisons of two counts: a specimen with the hottest one, a target with the background beside it.

The ten-percent rule (McMasters, Ann. Surg. Oncol. 8 (2001) 192): remove every node that counts a tenth of the
hottest one ex vivo, and leave a bed that counts less. The criteria for "more than background" are those of
radioguided surgery: three sigmas of the background above it, and 1.5 times it (BMC Cancer 14 (2014) 667).
"""

from dataclasses import dataclass
from math import inf, sqrt

from scipy.special import ndtri

from navigation.decay import decay_factor
from navigation.errors import NavigationError
from navigation.statistics.count_ratio import Count, chance_of_background, ratio_limits
from navigation.statistics.limits import Limits, Verdict, require_confidence, require_positive, shortest_wait_s


@dataclass(frozen=True, slots=True, kw_only=True)
class TenPercentRule:
    """When a specimen or a bed counts as hot.

    Attributes
    ----------
    fraction
        Of the hottest specimen's net rate; more than that is hot.
    confidence
        Of each limit.
    longest_s
        A longer count than this many seconds more is not proposed.

    Raises
    ------
    NavigationError
        Where a number makes no rule.

    """

    fraction: float = 0.1
    confidence: float = 0.95
    longest_s: float = 300.0

    def __post_init__(self) -> None:
        require_positive(longest_s=self.longest_s)
        require_confidence(self.confidence)
        if not 0 < self.fraction < 1:
            raise NavigationError(
                f"ten-percent rule: a fraction of {self.fraction}: wants more than 0 and less than 1, as 0.1"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOfHottest:
    """How a specimen, or a bed, compares with the hottest specimen.

    Attributes
    ----------
    ratio
        Of net rates, both as they would have been at one time.
    verdict
        ``ABOVE`` the rule's fraction, ``BELOW`` it, or ``UNDECIDED``.
    needed_s
        How much longer to count the specimen until the verdict is expected; 0 where it stands, None where counting
        on will not bring it within the rule's longest time.

    """

    ratio: Limits
    verdict: Verdict
    needed_s: float | None


def share_of_hottest(
    specimen: Count,
    hottest: Count,
    *,
    specimen_background: Count | None,
    hottest_background: Count | None,
    half_life_s: float,
    dead_time_s: float = 0.0,
    rule: TenPercentRule | None = None,
) -> ShareOfHottest:
    """Compare net rates, decay between the two counts taken off.

    Parameters
    ----------
    specimen, hottest
        As counted in the same geometry, times of counting included.
    specimen_background, hottest_background
        Counted without them (of the bench; for a bed, beside it), or None where there is none.
    half_life_s
        Of the nuclide.
    dead_time_s
        Non-paralysable, per event; 0 where the instrument's live time has it off already.

    Raises
    ------
    NavigationError
        Where a count is more than the dead time allows, or a number is absurd.

    """
    rule = rule or TenPercentRule()
    decay = decay_factor(half_life_s=half_life_s, elapsed_s=specimen.taken_at_s - hottest.taken_at_s)
    first, second = specimen.corrected_for(dead_time_s), hottest.corrected_for(dead_time_s)
    under_first = specimen_background.corrected_for(dead_time_s) if specimen_background else None
    under_second = hottest_background.corrected_for(dead_time_s) if hottest_background else None

    def compared(more_s: float) -> Limits:
        counted = first.lengthened(first.rate_cps, more_s)
        raw = ratio_limits(
            counted,
            second,
            first_background=under_first,
            second_background=under_second,
            confidence=rule.confidence,
        )
        return Limits(
            best=None if raw.best is None else raw.best / decay,
            lower=raw.lower / decay,
            upper=raw.upper / decay,
            confidence=rule.confidence,
        )

    ratio = compared(0.0)
    verdict = ratio.against(rule.fraction)
    needed_s: float | None = 0.0
    if verdict is Verdict.UNDECIDED:
        needed_s = shortest_wait_s(
            lambda more_s: compared(more_s).against(rule.fraction) is not Verdict.UNDECIDED,
            longest_s=rule.longest_s,
        )
    return ShareOfHottest(ratio=ratio, verdict=verdict, needed_s=needed_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetToBackground:
    """A target's rate against the background beside it, both gross.

    Attributes
    ----------
    ratio
        Target over background.
    excess_sigmas
        Target less background, over the background's standard deviation in as long a count as the target's; of a
        background of no counts, that of one. What the three-sigma criterion looks at.
    significance_sigmas
        The same with the error of both counts, exact: the normal deviate of the chance that the background alone
        gives so many counts; infinite where that is too small to be told from none.
    is_three_sigma
        ``excess_sigmas`` above 3.
    against_ratio
        Whether the ratio is above or below 1.5 (or what was asked for), its limits taken into account.
    is_ratio
        Whether it is at least that without regard to its limits: the published criterion.

    """

    ratio: Limits
    excess_sigmas: float
    significance_sigmas: float
    is_three_sigma: bool
    against_ratio: Verdict
    is_ratio: bool


def target_to_background(
    target: Count, background: Count, *, least_ratio: float = 1.5, confidence: float = 0.95
) -> TargetToBackground:
    """Compare a count over a target with one beside it.

    Raises
    ------
    NavigationError
        Where ``least_ratio`` or ``confidence`` is absurd.

    """
    require_positive(least_ratio=least_ratio)
    ratio = ratio_limits(target, background, confidence=confidence)
    deviation_cps = sqrt(max(background.rate_cps, 1 / background.live_time_s) / target.live_time_s)
    excess_sigmas = (target.rate_cps - background.rate_cps) / deviation_cps
    chance = chance_of_background(target, background)
    return TargetToBackground(
        ratio=ratio,
        excess_sigmas=excess_sigmas,
        significance_sigmas=-float(ndtri(chance)) if chance > 0 else inf,
        is_three_sigma=excess_sigmas > 3,
        against_ratio=ratio.against(least_ratio),
        is_ratio=target.counts > 0 and target.rate_cps >= least_ratio * background.rate_cps,
    )
