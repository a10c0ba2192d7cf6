"""What stands between readings and estimator: a reading that cannot be is left out, and counted with the reason.

Every reading that an estimator takes in is kept for the whole session, and beside an injection site a single one
with a wild pose outweighs the node. What is left out here never comes back; what is merely unlikely passes, since
the estimator weighs it. A probe that is lifted off the patient is no error: it tells the background.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from navigation.errors import NavigationError
from navigation.observations import UNIT_TOLERANCE, Observations
from navigation.screening.hand_track import HandTrack, Waypoint
from navigation.tissue import NoTissue, Tissue

Array = NDArray[np.float64]

SHORTEST_S, LONGEST_S = 1e-3, 5.0
"""Live times of a reading that can be: in less no instrument counts, in more the hand does not hold one pose."""

GREATEST_RATE_CPS = 1e6
"""Above what any hand-held probe counts, whatever its dead time."""

GREATEST_OVERLAP = 0.5
"""Share of the shorter of two intervals that the clock's jitter explains."""

LATEST_S = 1.0
"""Longest that a busy host stamps a reading late: a gap is left before it, and as long an overlap after it."""

FARTHEST_MM = 1e4
"""Of a tip from the patient frame's origin: ten metres off no tracker sees a probe, whatever it says."""

DEEP_MM = 15.0
"""Below the skin of the study: farther than pressing a probe into the skin gets it."""

REMEMBERED = 64
"""Newest readings that one is compared with that may be counted twice."""

RESUMED_AFTER = 5
"""Readings in a row before the last one, each later than the one before: then it was the last that was wrong."""


class Reason(StrEnum):
    """Why a reading was left out."""

    UNREADABLE = "no number, or no direction"
    NEGATIVE = "fewer counts than none"
    FAR = "its pose is not in the room"
    LIVE_TIME = "its live time cannot be"
    COUNTS = "more counts than the instrument can count"
    REPEATED = "counted twice"
    BACKWARD = "older than the one before"
    OVERLAP = "its interval overlaps the one before"
    WILD = "its pose is off the hand's way"
    DEEP = "its pose jumped into the patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejections:
    """Readings left out since the start.

    Attributes
    ----------
    by_reason
        How many; a reason that never came is not in it.
    newest
        The reason of the newest; None where all were taken.

    """

    by_reason: Mapping[Reason, int] = field(default_factory=lambda: MappingProxyType({}))
    newest: Reason | None = None

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_reason.values())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Screening:
    """What one batch came to.

    Attributes
    ----------
    accepted
        Readings for the estimator, oldest first, among them earlier ones that had waited.
    rejections
        Since the start, this batch included.
    held
        Readings that wait for the next poses to tell whether theirs are the hand's.

    """

    accepted: Observations
    rejections: Rejections
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One row of ``Observations``; two are equal where all their numbers are."""

    counts: float
    live_time_s: float
    tip_mm: tuple[float, ...]
    axis: tuple[float, ...]
    taken_at_s: float


def _readings(observations: Observations) -> list[_Reading]:
    columns = (observations.counts, observations.live_time_s, observations.tip_mm, observations.axis)
    rows = zip(*(each.tolist() for each in (*columns, observations.taken_at_s)), strict=True)
    return [
        _Reading(counts=count, live_time_s=live_s, tip_mm=tuple(tip), axis=tuple(axis), taken_at_s=at_s)
        for count, live_s, tip, axis, at_s in rows
    ]


def _joined(readings: list[_Reading]) -> Observations:
    if not readings:
        return Observations.empty()
    return Observations(
        counts=np.array([each.counts for each in readings]),
        live_time_s=np.array([each.live_time_s for each in readings]),
        tip_mm=np.array([each.tip_mm for each in readings]),
        axis=np.array([each.axis for each in readings]),
        taken_at_s=np.array([each.taken_at_s for each in readings]),
    )


class Sieve:
    """Lets through the readings that can be; remembers the way of the hand from batch to batch.

    Parameters
    ----------
    dead_time_s
        Non-paralysable dead time per event that is not in the live times, s: no more than one count fits in each.
    greatest_rate_cps
        Counted rate above which a reading is absurd.
    tissue
        Where the patient's skin is; without it no tip lies deep.

    Raises
    ------
    NavigationError
        Where a parameter makes no sense.

    """

    def __init__(
        self,
        *,
        dead_time_s: float = 0.0,
        greatest_rate_cps: float = GREATEST_RATE_CPS,
        tissue: Tissue | None = None,
    ) -> None:
        if not (np.isfinite(dead_time_s) and dead_time_s >= 0 and greatest_rate_cps > 0):
            raise NavigationError(
                f"screening: wants a dead time of 0 s or more, a greatest rate above 0 cps, not {dead_time_s} s "
                f"and {greatest_rate_cps} cps; see the probe's calibration"
            )
        self._dead_time_s = dead_time_s
        self._greatest_rate_cps = greatest_rate_cps
        self._tissue = tissue or NoTissue()
        self._track = HandTrack()
        self._waiting: dict[int, _Reading] = {}
        self._counter: Counter[Reason] = Counter()
        self._newest: Reason | None = None
        self._seen: deque[_Reading] = deque(maxlen=REMEMBERED)
        self._last_s, self._last_live_s, self._gap_s = -np.inf, 0.0, 0.0
        self._backward: list[float] = []
        self._numbered = 0

    @property
    def rejections(self) -> Rejections:
        """Readings left out since the start."""
        return Rejections(by_reason=MappingProxyType(dict(self._counter)), newest=self._newest)

    def screen_rows(
        self,
        *,
        counts: ArrayLike,
        live_time_s: ArrayLike,
        tip_mm: ArrayLike,
        axis: ArrayLike,
        taken_at_s: ArrayLike,
    ) -> Screening:
        """Screen readings whose numbers nobody has looked at yet: one bad one does not take the others with it.

        Arrays as in ``Observations``; NaN, infinite and negative values may stand in any of them.

        Raises
        ------
        NavigationError
            Where the shapes do not fit: then no row can be told from another.

        """
        given = [np.asarray(each, dtype=np.float64) for each in (counts, live_time_s, taken_at_s)]
        tips, axes = np.asarray(tip_mm, np.float64).reshape(-1, 3), np.asarray(axis, np.float64).reshape(-1, 3)
        if len({len(each) for each in (*given, tips, axes)}) != 1:
            raise NavigationError(
                "screening: counts, times and poses are not equally many; give one of each a reading"
            )
        count, live_s, at_s = given
        readable = np.isfinite(np.column_stack((count, live_s, at_s, tips, axes))).all(axis=1)
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is out already
            readable &= np.abs(np.linalg.norm(axes, axis=1) - 1) <= UNIT_TOLERANCE
        self._reject(Reason.UNREADABLE, int((~readable).sum()))
        for reason, is_flawed in (
            (Reason.NEGATIVE, count < 0),
            (Reason.LIVE_TIME, live_s <= 0),
            (Reason.FAR, (np.abs(tips) > FARTHEST_MM).any(axis=1)),
        ):
            self._reject(reason, int((readable & is_flawed).sum()))
            readable &= ~is_flawed
        return self.screen(
            Observations(
                counts=count[readable],
                live_time_s=live_s[readable],
                tip_mm=tips[readable],
                axis=axes[readable],
                taken_at_s=at_s[readable],
            )
        )

    def screen(self, observations: Observations) -> Screening:
        """Screen the next readings, in the order in which they came."""
        accepted: list[_Reading] = []
        depth_mm = -self._tissue.skin_at(observations.tip_mm).height_mm
        for row, reading in enumerate(_readings(observations)):
            reason = self._flaw(reading)
            if reason is not None:
                self._reject(reason)
                continue
            self._numbered += 1
            self._waiting[self._numbered] = reading
            verdict = self._track.judge(
                Waypoint(
                    number=self._numbered,
                    taken_at_s=reading.taken_at_s,
                    tip_mm=observations.tip_mm[row],
                    axis=observations.axis[row],
                    is_deep=bool(depth_mm[row] > DEEP_MM),
                )
            )
            accepted += [self._waiting.pop(each.number) for each in verdict.followed]
            for each in verdict.wild:
                self._waiting.pop(each.number)
                self._reject(Reason.DEEP if each.is_deep else Reason.WILD)
        return Screening(accepted=_joined(accepted), rejections=self.rejections, held=self._track.held)

    def _flaw(self, reading: _Reading) -> Reason | None:
        """Say what is wrong with a reading by itself, or with its time; None where nothing is."""
        if not SHORTEST_S <= reading.live_time_s <= LONGEST_S:
            return Reason.LIVE_TIME
        if reading.counts * self._dead_time_s >= reading.live_time_s:
            return Reason.COUNTS
        if reading.counts > self._greatest_rate_cps * reading.live_time_s:
            return Reason.COUNTS
        return self._flaw_in_time(reading)

    def _flaw_in_time(self, reading: _Reading) -> Reason | None:
        if reading in self._seen:
            return Reason.REPEATED
        if reading.taken_at_s < self._last_s and not self._has_resumed(reading.taken_at_s):
            return Reason.BACKWARD
        self._backward.clear()
        # the live time is at most the interval's length, so what overlaps here overlaps in truth
        shared_s = (reading.live_time_s + self._last_live_s) / 2 - (reading.taken_at_s - self._last_s)
        if shared_s > GREATEST_OVERLAP * min(reading.live_time_s, self._last_live_s) + self._gap_s:
            return Reason.OVERLAP
        self._seen.append(reading)
        self._gap_s = -shared_s if 0 < -shared_s < LATEST_S else 0.0
        self._last_s, self._last_live_s = reading.taken_at_s, reading.live_time_s
        return None

    def _has_resumed(self, at_s: float) -> bool:
        """Whether readings before the last have gone on in order for so long that its time was wrong."""
        if self._backward and at_s <= self._backward[-1]:
            self._backward.clear()
        self._backward.append(at_s)
        if len(self._backward) < RESUMED_AFTER:
            return False
        self._last_s, self._last_live_s, self._gap_s = -np.inf, 0.0, 0.0
        self._reject(Reason.BACKWARD, len(self._waiting))  # they came with the wrong time, or just before it
        self._waiting.clear()
        self._track = HandTrack()
        return True

    def _reject(self, reason: Reason, readings: int = 1) -> None:
        if readings:
            self._counter[reason] += readings
            self._newest = reason
