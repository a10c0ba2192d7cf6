"""Amptek DP5 family: what each answer adds to a spectrum that counts on.

An instrument that is asked without clearing (02 03) tells at each answer all that it counted since it was last
cleared. What was counted between two answers is their difference. So an answer that is damaged or lost costs no
count and no time: the next one holds both. One that comes twice adds nothing.

No answer says whether the spectrum was cleared as it was copied; the next one shows it, for then its time, or a
channel, is less. What it holds is what was counted since.
"""

from dataclasses import dataclass
from typing import Final

from devices.probes.amptek_packets import (
    GREATEST_ACCUMULATION_S,
    GREATEST_CHANNEL_COUNT,
    Spectrum,
    Status,
)

COUNTER_MASK: Final = 0xFFFFFFFF
"""The fast and the slow counter have 32 bits (DP5 Programmer's Guide Rev A7, section 4.2.1)."""
GREATEST_RISE: Final = COUNTER_MASK // 2
"""A counter that seems to have risen by more went back: no detector gives 2e9 events between two polls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Increment:
    """What was counted from one answer to the next.

    Attributes
    ----------
    counts
        Events in each channel, channel 0 first.
    fast_counts, slow_counts
        Events of the fast and of the shaped channel.
    accumulation_s
        Time in which they were counted, s, in whole milliseconds. The instrument cuts off its time since the
        clearing, not each difference: one may be wrong by 1 ms either way, a sum of neighbours by no more.
    is_neighbour
        It begins where the one before ended. Otherwise something that was counted between them is lost.

    """

    counts: tuple[int, ...]
    fast_counts: int
    slow_counts: int
    accumulation_s: float
    is_neighbour: bool


class Accumulation:
    """The last good answer of an instrument that has just been cleared, and what the next one adds to it.

    Parameters
    ----------
    is_neighbour
        Whether what is counted first follows on what was counted before the clearing.

    """

    def __init__(self, *, is_neighbour: bool) -> None:
        self._last: tuple[Spectrum, Status] | None = None
        self._is_last_cleared = False
        self._is_neighbour = is_neighbour

    @property
    def is_half_full(self) -> bool:
        """Whether a channel or the time had come halfway to its greatest value at the last good answer."""
        if self._last is None:
            return False
        spectrum, status = self._last
        return (
            max(spectrum.counts) > GREATEST_CHANNEL_COUNT / 2
            or status.accumulation_s > GREATEST_ACCUMULATION_S / 2
        )

    def advance(self, spectrum: Spectrum, status: Status, *, is_cleared: bool) -> Increment | None:
        """Take the next good answer; None while no time has passed since the last.

        Where it does not continue the last one it was cleared in between, and is itself what was counted since.
        That follows on the last answer only if it was that which was asked to clear: copied and cleared in one
        step, it left nothing between (section 3.4).

        Parameters
        ----------
        spectrum, status
            The answer.
        is_cleared
            Whether the newest request was one to clear (02 04). Where answers come so late that another one
            cleared, counts and times are as right; only a neighbour may then be called none.

        """
        is_continued = self._is_continued_by(spectrum, status)
        if not is_continued:
            # one that was started anew lost what it held, whoever asked it to clear
            self._is_neighbour &= self._is_last_cleared and not status.is_rebooted
            self._last, self._is_last_cleared = None, False
        increment = self._difference(spectrum, status)
        if increment is None:
            return None
        self._last, self._is_last_cleared = (spectrum, status), is_cleared
        self._is_neighbour = True
        return increment

    def _is_continued_by(self, spectrum: Spectrum, status: Status) -> bool:
        """Say whether nothing went back: time, channels, counters modulo their 32 bits."""
        if status.is_rebooted:
            return False
        if self._last is None:
            return True
        last, last_status = self._last
        return (
            status.accumulation_s >= last_status.accumulation_s
            and len(spectrum.counts) == len(last.counts)
            and all(now >= before for now, before in zip(spectrum.counts, last.counts, strict=True))
            and _rise(last_status.fast_counts, status.fast_counts) <= GREATEST_RISE
            and _rise(last_status.slow_counts, status.slow_counts) <= GREATEST_RISE
        )

    def _difference(self, spectrum: Spectrum, status: Status) -> Increment | None:
        counts, fast, slow, accumulation_s = spectrum.counts, 0, 0, status.accumulation_s
        if self._last is not None:
            last, last_status = self._last
            counts = tuple(now - before for now, before in zip(counts, last.counts, strict=True))
            fast, slow = last_status.fast_counts, last_status.slow_counts
            accumulation_s = round(accumulation_s - last_status.accumulation_s, 3)
        if accumulation_s <= 0:
            return None
        return Increment(
            counts=counts,
            fast_counts=_rise(fast, status.fast_counts),
            slow_counts=_rise(slow, status.slow_counts),
            accumulation_s=accumulation_s,
            is_neighbour=self._is_neighbour,
        )


def _rise(before: int, now: int) -> int:
    return (now - before) & COUNTER_MASK
