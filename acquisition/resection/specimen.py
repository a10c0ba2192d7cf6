"""Counts of what was taken out, on the bench, and how each specimen compares with the hottest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from devices.readings import CountReading, CountStatus
from navigation.decay import decay_factor
from navigation.errors import NavigationError
from navigation.resection.specimens import ShareOfHottest, share_of_hottest
from navigation.statistics.count_ratio import Count

COUNTED_S = 10.0
"""Live time of a specimen's count, and of the background's: as in the published series on the ten-percent rule."""

LEAST_S = 1.0
"""Live time below which a count that was stopped is none."""

NOT_COUNTED = {
    CountStatus.OVERLOAD: "the instrument is overloaded: hold the probe farther away and count again",
    CountStatus.SATURATED: "the instrument is saturated: hold the probe farther away and count again",
}
"""Why a reading that an instrument itself does not trust is no count of anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """A specimen and its count.

    Attributes
    ----------
    number
        From 1, in the order of counting; never given twice.
    of
        The removed target that it is said to be of; None where none was marked.
    count
        As counted.
    dead_time_s
        Non-paralysable dead time per event that the live time still holds, s.

    """

    number: int
    of: str | None
    count: Count
    dead_time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a specimen compares with the hottest.

    Attributes
    ----------
    is_hottest
        It is the hottest itself.
    share
        Of the hottest's net rate, and what the ten-percent rule says; None for the hottest, and where it cannot be
        told.
    reason
        Why it cannot be told; empty where it can.

    """

    is_hottest: bool
    share: ShareOfHottest | None
    reason: str = ""


class BenchCount:
    """Counts on the bench from a beginning on (host monotonic clock, s): of a specimen, or of nothing."""

    def __init__(self, kind: Literal["specimen", "background"], *, of: str | None, began_s: float) -> None:
        self.kind = kind
        self.of = of
        self.began_s = began_s
        self.dead_time_s = 0.0
        self.counts = 0
        self.live_time_s = 0.0
        self.trouble = ""
        self._counted_s: tuple[float, float] | None = None

    @property
    def is_over(self) -> bool:
        """Whether enough was counted, or what was counted is not to be trusted."""
        return bool(self.trouble) or self.live_time_s >= COUNTED_S

    def take(self, reading: CountReading) -> None:
        """Take a reading that lies wholly after the beginning."""
        if reading.taken_at_s < self.began_s or self.is_over:
            return
        self.trouble = NOT_COUNTED.get(reading.status, "")
        if not self.trouble:
            self.counts += reading.counts
            self.live_time_s += reading.live_time_s
            self.dead_time_s = reading.dead_time_s
            first_s = reading.taken_at_s if self._counted_s is None else self._counted_s[0]
            self._counted_s = first_s, reading.taken_at_s + reading.real_time_s

    def result(self) -> Count:
        """All of it as one count.

        Raises
        ------
        NavigationError
            Where too little was counted, or it is not to be trusted; the sentence says what to do.

        """
        if self.trouble:
            raise NavigationError(self.trouble)
        if self._counted_s is None or self.live_time_s < LEAST_S:
            raise NavigationError(
                f"only {self.live_time_s:.1f} s were counted: hold the probe still, {COUNTED_S:.0f} s are best"
            )
        first_s, last_s = self._counted_s
        return Count(counts=self.counts, live_time_s=self.live_time_s, taken_at_s=(first_s + last_s) / 2)


def compared(
    specimens: Sequence[Specimen], background: Specimen | None, *, half_life_s: float
) -> dict[int, Comparison]:
    """Compare each specimen with the hottest, by number; up to a second of work, off the event loop."""
    if not specimens:
        return {}
    hottest = _hottest(specimens, half_life_s)
    under = background.count if background else None
    found: dict[int, Comparison] = {}
    for each in specimens:
        if each is hottest:
            found[each.number] = Comparison(is_hottest=True, share=None)
            continue
        try:
            share = share_of_hottest(
                each.count,
                hottest.count,
                specimen_background=under,
                hottest_background=under,
                half_life_s=half_life_s,
                dead_time_s=each.dead_time_s,
            )
        except NavigationError as exc:
            found[each.number] = Comparison(is_hottest=False, share=None, reason=str(exc))
        else:
            found[each.number] = Comparison(is_hottest=False, share=share)
    return found


def _hottest(specimens: Sequence[Specimen], half_life_s: float) -> Specimen:
    """Find the one of the greatest rate, all as at the time of the first."""

    def rate_cps(each: Specimen) -> float:
        elapsed_s = each.count.taken_at_s - specimens[0].count.taken_at_s
        return each.count.rate_cps / decay_factor(half_life_s=half_life_s, elapsed_s=elapsed_s)

    return max(specimens, key=rate_cps)
