from dataclasses import replace
from math import inf

import numpy as np
import pytest

from navigation.errors import NavigationError
from navigation.resection.specimens import TenPercentRule, share_of_hottest, target_to_background
from navigation.statistics.count_ratio import Count
from navigation.statistics.limits import Verdict

TC99M_S = 21_624.0
BENCH = Count(counts=120, live_time_s=30.0)
HOTTEST = Count(counts=10_000 + 40, live_time_s=10.0)


def specimen(counts: float, *, taken_at_s: float = 0.0) -> Count:
    return Count(counts=counts, live_time_s=10.0, taken_at_s=taken_at_s)


@pytest.mark.parametrize(
    ("counts", "verdict"), [(2000, Verdict.ABOVE), (1040, Verdict.UNDECIDED), (600, Verdict.BELOW)]
)
def test_rule_says_what_the_counts_allow(counts: float, verdict: Verdict) -> None:
    """A fifth of the hottest is hot, a twentieth is not, and exactly a tenth cannot be told."""
    found = share_of_hottest(
        specimen(counts), HOTTEST, specimen_background=BENCH, hottest_background=BENCH, half_life_s=TC99M_S
    )
    assert found.verdict is verdict
    assert found.ratio.best == pytest.approx((counts - 40) / 10_000)
    assert (found.needed_s == 0) == (verdict is not Verdict.UNDECIDED)


def test_fraction_is_a_choice() -> None:
    """The same specimen is hot by a rule of 10 % and not by one of 30 %."""
    found = [
        share_of_hottest(
            specimen(2000),
            HOTTEST,
            specimen_background=BENCH,
            hottest_background=BENCH,
            half_life_s=TC99M_S,
            rule=TenPercentRule(fraction=fraction),
        ).verdict
        for fraction in (0.1, 0.3)
    ]
    assert found == [Verdict.ABOVE, Verdict.BELOW]


def test_decay_between_the_counts_is_taken_off() -> None:
    """A specimen counted a half-life after the hottest is twice what its counts say."""
    early, late = (
        share_of_hottest(
            specimen(800, taken_at_s=at),
            HOTTEST,
            specimen_background=None,
            hottest_background=None,
            half_life_s=TC99M_S,
        ).ratio
        for at in (0.0, TC99M_S)
    )
    assert early.best is not None
    assert late.best == pytest.approx(2 * early.best)
    assert late.upper == pytest.approx(2 * early.upper)


def test_dead_time_of_the_hottest_is_taken_off() -> None:
    """20 us lose a sixth of 10,000 cps, and the specimen would seem a fifth too strong."""
    hottest = Count(counts=10_000 / 1.2 * 10, live_time_s=10.0)
    found = share_of_hottest(
        specimen(1000 / 1.02 * 10),
        hottest,
        specimen_background=None,
        hottest_background=None,
        half_life_s=TC99M_S,
        dead_time_s=20e-6,
    )
    assert found.ratio.best == pytest.approx(0.1)


def test_wait_leads_to_a_verdict() -> None:
    """Counting on for the time that was asked for, at the same rate, decides; for half of it does not."""
    rule = TenPercentRule()
    open_count = specimen(970)
    found = share_of_hottest(
        open_count, HOTTEST, specimen_background=None, hottest_background=None, half_life_s=TC99M_S, rule=rule
    )
    assert found.verdict is Verdict.UNDECIDED
    assert found.needed_s is not None

    def after(more_s: float) -> Verdict:
        longer = open_count.lengthened(open_count.rate_cps, more_s)
        return share_of_hottest(
            longer, HOTTEST, specimen_background=None, hottest_background=None, half_life_s=TC99M_S
        ).verdict

    assert after(found.needed_s) is Verdict.BELOW
    assert after(found.needed_s / 2) is Verdict.UNDECIDED


def test_wait_that_would_not_help_is_not_proposed() -> None:
    """A specimen of exactly a tenth is not counted for ever."""
    found = share_of_hottest(
        specimen(1000),
        replace(HOTTEST, counts=10_000.0),
        specimen_background=None,
        hottest_background=None,
        half_life_s=TC99M_S,
    )
    assert found.needed_s is None


def test_false_verdicts_at_the_threshold_are_rare() -> None:
    """Of specimens of exactly a tenth over a bench background 5 % are called on either side, less chance."""
    rng = np.random.default_rng(2)
    trials = 150
    verdicts = [
        share_of_hottest(
            Count(counts=float(rng.poisson(20 + 8)), live_time_s=2.0),
            Count(counts=float(rng.poisson(200 + 8)), live_time_s=2.0),
            specimen_background=Count(counts=float(rng.poisson(120)), live_time_s=30.0),
            hottest_background=Count(counts=float(rng.poisson(120)), live_time_s=30.0),
            half_life_s=TC99M_S,
            rule=TenPercentRule(longest_s=0.5),
        ).verdict
        for _ in range(trials)
    ]
    allowed = 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / trials)
    assert verdicts.count(Verdict.ABOVE) / trials < allowed
    assert verdicts.count(Verdict.BELOW) / trials < allowed


def test_three_sigmas_and_a_half_more_are_two_criteria() -> None:
    """800 counts beside 600 are 8.2 sigmas more, but not 1.5 times as many; 8 beside 4 are twice, and 2 sigmas."""
    strong = target_to_background(specimen(800), specimen(600))
    assert strong.excess_sigmas == pytest.approx(200 / np.sqrt(600))
    assert strong.is_three_sigma
    assert not strong.is_ratio
    assert strong.against_ratio is Verdict.BELOW
    weak = target_to_background(specimen(8), specimen(4))
    assert weak.excess_sigmas == pytest.approx(2.0)
    assert not weak.is_three_sigma
    assert weak.is_ratio
    assert weak.against_ratio is Verdict.UNDECIDED


def test_significance_counts_the_backgrounds_error() -> None:
    """50 counts beside 55 in twice the time: 2.93 sigmas (Cousins et al. 2008), not the 4.3 of the criterion."""
    found = target_to_background(Count(counts=50, live_time_s=1.0), Count(counts=55, live_time_s=2.0))
    assert found.significance_sigmas == pytest.approx(2.93, abs=0.006)
    assert found.excess_sigmas == pytest.approx(22.5 / np.sqrt(27.5))


def test_nothing_beside_nothing_is_no_target() -> None:
    """No counts on either side meet no criterion, and the ratio is not known."""
    found = target_to_background(specimen(0), specimen(0))
    assert found.ratio.best is None
    assert found.ratio.upper == inf
    assert not found.is_three_sigma
    assert not found.is_ratio
    assert found.significance_sigmas == -inf


def test_background_without_counts_still_has_an_error() -> None:
    """One count beside none in as long a time is one sigma, not infinitely many."""
    found = target_to_background(specimen(1), specimen(0))
    assert found.excess_sigmas == pytest.approx(1.0)
    assert found.significance_sigmas == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    "changes", [{"fraction": 10.0}, {"fraction": 0.0}, {"confidence": 0.4}, {"longest_s": float("nan")}]
)
def test_rule_of_nothing_is_refused(changes: dict[str, float]) -> None:
    """A rule without a fraction (ten for ten per cent is none), a confidence or a time is refused in words."""
    with pytest.raises(NavigationError, match="wants"):
        TenPercentRule(**changes)
