"""The rate of the last minutes, for a display that has just been opened; it outlives a restart of the service."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from acquisition.session.chapter import Chapter
from acquisition.session.journal import Entry

TREND = "trend"
"""Kind of the record's entries on it."""

KEPT_S, EVERY_S = 120.0, 0.2

ENTERED_EVERY_S = 1.0
"""The record gets an entry a second while there is a rate, and loses as much of it at most."""

MOST_ENTRIES = 1000
"""Of all kinds in the last minutes, several a second: older ones need not be read for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendedRate:
    """A rate as it was.

    Attributes
    ----------
    seq
        Of the frame that showed it; 0 where a former run of the service did.
    at_s
        When, host monotonic clock; that of a former run may lie before its zero.
    rate_cps
        None where there was no live rate: a gap, never a zero.

    """

    seq: int
    at_s: float
    rate_cps: float | None


class RateTrend:
    """Keeps the rate of the probe in hand, for each fifth of a second.

    What was counted in an open procedure is read back after a restart, at its true age; between it and what is
    counted from then on is a gap.

    Parameters
    ----------
    chapter
        The procedure's part of the record.
    device
        The probe in hand: another one's rates are none of its.
    now
        The time of day, with its zone.

    """

    def __init__(self, chapter: Chapter, *, device: str, now: Callable[[], datetime]) -> None:
        self._chapter = chapter
        self._device = device
        self._now = now
        self._points: deque[TrendedRate] = deque(maxlen=round(KEPT_S / EVERY_S))
        self._unentered: list[TrendedRate] = []
        self._entered_s = self._noted_s = float("-inf")
        self._is_begun = self._is_gap_entered = False

    def take(self, rate_cps: float | None, *, seq: int, now_s: float) -> None:
        """Take the rate of now; most come too soon after the one before."""
        if now_s - self._noted_s < EVERY_S:
            return
        if not self._is_begun:
            self._is_begun = True
            self._resume(now_s)
        self._noted_s = now_s
        point = TrendedRate(seq=seq, at_s=now_s, rate_cps=rate_cps)
        self._points.append(point)
        if not self._chapter.is_open:
            self._unentered.clear()
            return
        self._unentered.append(point)
        if now_s - self._entered_s >= ENTERED_EVERY_S:
            self._entered_s = now_s
            self._enter(now_s)

    def since(self, seq: int) -> tuple[TrendedRate, ...]:
        """Give the points after a frame's number, oldest first."""
        return tuple(point for point in self._points if point.seq > seq)

    def _enter(self, now_s: float) -> None:
        points, self._unentered = self._unentered, []
        is_gap = all(point.rate_cps is None for point in points)
        if is_gap and self._is_gap_entered:
            return  # a gap that lasts is told by no entry
        self._is_gap_entered = is_gap
        told = [
            (round(now_s - point.at_s, 2), None if point.rate_cps is None else float(f"{point.rate_cps:.4g}"))
            for point in points
        ]
        self._chapter.enter(TREND, {"device": self._device, "ago_s_and_cps": told})

    def _resume(self, now_s: float) -> None:
        """Go on with what the record of an open procedure has of the last minutes."""
        if not self._chapter.is_open:
            return
        now = self._now()
        for entry in self._chapter.entries(self._chapter.number, TREND, newest=MOST_ENTRIES):
            if entry.told["device"] == self._device:
                self._read(entry, now_s - (now - entry.at).total_seconds(), now_s)
        if self._points:
            gap_s = self._points[-1].at_s + EVERY_S
            self._points.append(TrendedRate(seq=0, at_s=min(gap_s, now_s), rate_cps=None))

    def _read(self, entry: Entry, entered_s: float, now_s: float) -> None:
        for ago_s, rate_cps in entry.told["ago_s_and_cps"]:
            at_s = entered_s - ago_s
            is_next = not self._points or at_s > self._points[-1].at_s  # else the host's time of day was set back
            if is_next and now_s - KEPT_S <= at_s < now_s:
                self._points.append(TrendedRate(seq=0, at_s=at_s, rate_cps=rate_cps))
