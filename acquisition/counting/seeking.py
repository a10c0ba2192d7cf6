"""A source that is looked for: a count that lasts until a sequential test has decided whether it is there."""

from dataclasses import dataclass, replace

from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure
from navigation.errors import NavigationError
from navigation.statistics.sequential import Decision
from navigation.statistics.sequential_ratio import AboveBackground


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A source that is looked for by a sequential test: one that makes the rate ``factor`` times the background's.

    Attributes
    ----------
    factor
        Above 1.
    error
        Share of wrong verdicts that is aimed at, of either kind.

    """

    factor: float
    error: float = 0.01

    def test(self, background: Count | None) -> AboveBackground:
        """Plan the test over a background.

        Raises
        ------
        NavigationError
            Where none is known, or it was counted too briefly.

        """
        if background is None:
            raise NavigationError("no background of today is known to compare with: acquire background first")
        return AboveBackground.planned(
            background_counts=background.counts,
            background_s=background.live_time_s,
            factor=self.factor,
            false_alarm=self.error,
            miss=self.error,
        )


def deciding(exposure: Exposure, test: AboveBackground) -> Exposure:
    """Let a count last until a test has decided, at each reading, or at the latest when it must."""

    def is_decided(counts: int, live_time_s: float) -> bool:
        return test.decide(counts, live_time_s) is not Decision.OPEN

    return replace(exposure, longest_s=test.longest_s, counts_wanted=None, is_decided=is_decided)


def in_words(decision: Decision, test: AboveBackground, count: Count) -> str:
    """Say what a sequential test has decided, how soon, and how often it is wrong."""
    after = f"decided after {count.live_time_s:.1f} of at most {test.longest_s:.0f} s"
    if decision is Decision.SIGNAL:
        return f"a source is there ({after}; wrong in {test.false_alarm:.1%} of empty ones)"
    return (
        f"no source that makes it {test.factor:g} times the background "
        f"({after}; wrong in {test.miss:.1%} of such sources, and oftener of weaker ones)"
    )
