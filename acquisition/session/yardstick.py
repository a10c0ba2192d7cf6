"""What a rate is held against: the greatest since somebody began to look anew, and a background of her choice."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from acquisition.session.chapter import Chapter

PEAK, PEAK_BEGUN = "peak", "peak begun anew"
CHOSEN, LEFT = "background chosen", "background left"
KINDS = (PEAK, PEAK_BEGUN, CHOSEN, LEFT)
"""Of the record's entries."""

ENTERED_EVERY_S = 1.0
"""A peak that is climbed grows with each count: the record gets one a second, and loses as much at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRate:
    """A rate that is kept.

    Attributes
    ----------
    device
        The probe that it was counted with.
    counts
        As counted: a ratio's error is theirs.
    rate_cps, low_cps, high_cps
        Dead-time-corrected rate and its 68 % interval; no upper end where that is beyond correction.

    """

    device: str
    counts: int
    rate_cps: float
    low_cps: float
    high_cps: float | None


class Yardstick:
    """Keeps a room's peak and chosen background, of one procedure, patient and probe.

    Both are what somebody decided, and decides by: they belong to the procedure, are the same on each display, and
    are read back from its record after a restart. While no procedure is open they are of the room's memory alone.

    Parameters
    ----------
    chapter
        The procedure's part of the record.

    """

    def __init__(self, chapter: Chapter) -> None:
        self._chapter = chapter
        self._of: tuple[int, str, str] | None = None
        self._entered: KeptRate | None = None
        self._entered_s = float("-inf")
        self.peak: KeptRate | None = None
        """None before the first rate."""
        self.background: KeptRate | None = None
        """None: that of the probe's calibration."""

    def take(self, rate: KeptRate | None, *, device: str, patient_id: str, now_s: float) -> None:
        """Take the rate of now, None where there is none.

        ``device`` is the probe in hand, ``patient_id`` whose study is in use; empty where none is.
        """
        if (of := (self._chapter.number, patient_id, device)) != self._of:
            self._of = of
            self._begin(device)
        if rate is not None and (self.peak is None or rate.rate_cps > self.peak.rate_cps):
            self.peak = rate
        is_due = now_s - self._entered_s >= ENTERED_EVERY_S
        if self._chapter.is_open and self.peak is not None and self.peak is not self._entered and is_due:
            self._entered, self._entered_s = self.peak, now_s
            self._chapter.enter(PEAK, asdict(self.peak))

    def begin_peak(self) -> None:
        """Look for the greatest rate anew."""
        self.peak = self._entered = None
        self._chapter.enter(PEAK_BEGUN, {})

    def choose(self, background: KeptRate) -> None:
        """Compare with this rate from now on."""
        self.background = background
        self._chapter.enter(CHOSEN, asdict(background))

    def leave(self) -> None:
        """Compare with the background of the probe's calibration again."""
        self.background = None
        self._chapter.enter(LEFT, {})

    def _begin(self, device: str) -> None:
        """Go on with what the record of an open procedure has of this probe; else with nothing."""
        self.peak = self.background = None
        if self._chapter.is_open:
            for entry in self._chapter.entries(self._chapter.number, *KINDS):
                self._read(entry.kind, entry.told, device)
        self._entered = self.peak

    def _read(self, kind: str, told: Mapping[str, Any], device: str) -> None:
        if kind == PEAK_BEGUN:
            self.peak = None
        elif kind == LEFT:
            self.background = None
        else:
            rate = KeptRate(**told)
            if kind == CHOSEN:
                self.background = rate if rate.device == device else None
            elif rate.device == device:
                self.peak = rate
