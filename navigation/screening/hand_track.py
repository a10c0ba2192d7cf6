"""Whether a hand can have carried the probe from pose to pose.

A tracker that mistakes a reflection or another marker for the probe gives a pose far from the one before and the
one after. A bound on speed would let most of these pass, or cut off a fast reach: a reach of 300 mm in 0.6 s peaks
at 0.9 m/s and 5 m/s2 (minimum jerk: Flash and Hogan, J. Neurosci. 5 (1985) 1688), and a wild pose 60 mm off makes
no more at ten readings a second. What tells them apart is what comes next: a hand that moved goes on from there, a
wild pose is left again at once. So a pose that the last ones did not lead to waits for the next ones, and only
such a pose. Where the hand shakes, more is granted: the bound follows the median of the newest accelerations,
which a wild pose now and then does not move (Hampel, J. Am. Stat. Assoc. 69 (1974) 383).
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NOISE = np.array([3.0, np.radians(2.0)])
"""Deviation that a tracker's noise explains however short the time, mm and rad."""

STEADY = np.array([1000.0, np.radians(500.0)])
"""Acceleration up to which a pose is believed at once, mm/s2 and rad/s2: above what sweeping over skin needs."""

SUDDEN = np.array([3000.0, np.radians(2000.0)])
"""Acceleration that a hand that was steady does not pass when it goes out and comes back, mm/s2 and rad/s2."""

SHAKING = 3.0
"""A hand may do so many times what it usually does."""

USUAL_OF, USUAL_LEAST = 9, 5
"""Newest accelerations whose median is the usual one, and the fewest that make one."""

START = np.array([300.0, np.radians(90.0)])
"""Speed up to which a second pose is believed at once, mm/s and rad/s: one alone does not tell a speed."""

LONGEST_GAP_S = 1.0
"""After so long without a pose the hand may be anywhere."""

CONFIRMED_BY = 3
"""Poses in a row that lead to one another and so are a hand's, wherever it was before."""

MOST_HELD = 5
"""Poses that wait at most; the oldest is given up for a further one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waypoint:
    """One pose of the probe.

    Attributes
    ----------
    number
        Whatever the caller knows the reading by.
    taken_at_s
        Host monotonic clock, s.
    tip_mm, axis
        Of the probe, patient frame, shapes (3,).
    is_deep
        Whether the tip lies so deep in the patient that no probe gets there in one jump.

    """

    number: int
    taken_at_s: float
    tip_mm: Array
    axis: Array
    is_deep: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """What became of poses, in time order: the hand's, and the wild ones."""

    followed: tuple[Waypoint, ...] = ()
    wild: tuple[Waypoint, ...] = ()


def _apart(one: Waypoint, other: Waypoint) -> Array:
    """How far two poses lie apart: mm, and (a chord's) radians of the axis."""
    return np.array([np.linalg.norm(one.tip_mm - other.tip_mm), np.linalg.norm(one.axis - other.axis)])


def _between(one: Waypoint, other: Waypoint, share: float) -> Waypoint:
    """Pose on the straight way from one to the other, or beyond."""
    return Waypoint(
        number=0,
        taken_at_s=(1 - share) * one.taken_at_s + share * other.taken_at_s,
        tip_mm=(1 - share) * one.tip_mm + share * other.tip_mm,
        axis=(1 - share) * one.axis + share * other.axis,
        is_deep=False,
    )


def _acceleration(first: Waypoint, second: Waypoint, third: Waypoint) -> tuple[Array, float]:
    """How far the third lies from where the first two lead, and t (t + t0) / 2: the ratio is the acceleration."""
    before_s, after_s = second.taken_at_s - first.taken_at_s, third.taken_at_s - second.taken_at_s
    off = _apart(third, _between(first, second, 1 + after_s / before_s))
    return off, after_s * (after_s + before_s) / 2


class HandTrack:
    """The way that the hand took, pose by pose."""

    def __init__(self) -> None:
        self._followed: deque[Waypoint] = deque(maxlen=2)
        self._held: list[Waypoint] = []
        self._accelerations: deque[Array] = deque(maxlen=USUAL_OF)

    @property
    def held(self) -> int:
        """Poses that wait for the next ones."""
        return len(self._held)

    def judge(self, pose: Waypoint) -> Verdict:
        """Take the next pose, later than all before; say what it and those that waited are.

        A pose that the last ones lead to is followed at once, and so is the first one and the first after a gap.
        Another waits. If the hand then carries on as if it had not been there, the one that waited is judged by
        its way between the two. If ``CONFIRMED_BY`` poses lead to one another instead, the hand has moved there.
        """
        self._note(pose)
        if self._followed and self._held and pose.taken_at_s - self._held[-1].taken_at_s > LONGEST_GAP_S:
            wild = self._give_up()
            return Verdict(followed=self._follow(pose), wild=wild)
        if self._goes_on_to(pose):
            followed: tuple[Waypoint, ...] = ()
            wild = ()
            for each in self._held:
                if self._is_detour(self._followed[-1], each, pose):
                    wild += (each,)
                else:
                    followed += self._follow(each)
            self._held.clear()
            return Verdict(followed=followed + self._follow(pose), wild=wild)
        self._held.append(pose)
        newest = self._held[-CONFIRMED_BY:]
        if len(newest) == CONFIRMED_BY and self._leads(newest[0], newest[1], newest[2]):
            return self._confirm()
        return Verdict(wild=(self._held.pop(0),) if len(self._held) > MOST_HELD else ())

    def _goes_on_to(self, pose: Waypoint) -> bool:
        """Whether the poses that were followed lead to this one, or say nothing of it."""
        if not self._followed:
            return True
        last = self._followed[-1]
        gap_s = pose.taken_at_s - last.taken_at_s
        if gap_s > LONGEST_GAP_S:
            return not self._held
        if len(self._followed) == 2 and last.taken_at_s - self._followed[0].taken_at_s <= LONGEST_GAP_S:
            return self._leads(self._followed[0], last, pose)
        return bool((_apart(pose, last) <= NOISE + START * gap_s).all())

    def _note(self, pose: Waypoint) -> None:
        """Keep the acceleration that leads to the newest pose, wild or not."""
        if len(self._followed) == 2 and pose.taken_at_s - self._followed[0].taken_at_s <= LONGEST_GAP_S:
            off, square = _acceleration(self._followed[0], self._followed[1], pose)
            self._accelerations.append(np.maximum(off - NOISE, 0.0) / square)

    def _granted(self, least: Array) -> Array:
        """Acceleration that a hand like this one is granted, mm/s2 and rad/s2."""
        if len(self._accelerations) < USUAL_LEAST:
            return least
        return np.maximum(least, SHAKING * np.median(self._accelerations, axis=0))

    def _leads(self, first: Waypoint, second: Waypoint, third: Waypoint) -> bool:
        """Whether a steady acceleration leads from the first two to the third."""
        off, square = _acceleration(first, second, third)
        return bool((off <= NOISE + self._granted(STEADY) * square).all())

    def _is_detour(self, before: Waypoint, between: Waypoint, after: Waypoint) -> bool:
        """Whether no hand gets to ``between`` on its way from ``before`` to ``after``.

        A constant acceleration bends a way by a t1 t2 / 2; a sudden start or stop leaves the pose on the way, at
        most half of it from where it should be.
        """
        before_s, after_s = between.taken_at_s - before.taken_at_s, after.taken_at_s - between.taken_at_s
        off = _apart(between, _between(before, after, before_s / (before_s + after_s)))
        # a jump into the body and out again needs less to be disbelieved
        is_in_and_out = between.is_deep and not before.is_deep and not after.is_deep
        granted = STEADY if is_in_and_out else self._granted(SUDDEN)
        return bool((off > NOISE + granted * before_s * after_s / 2 + _apart(before, after) / 2).any())

    def _confirm(self) -> Verdict:
        """Follow the newest that wait; of those before them, the ones that lie on the way there."""
        newest = self._held[-CONFIRMED_BY:]
        followed: tuple[Waypoint, ...] = ()
        wild: tuple[Waypoint, ...] = ()
        for each in self._held[:-CONFIRMED_BY]:
            if self._is_detour(self._followed[-1], each, newest[0]):
                wild += (each,)
            else:
                followed += self._follow(each)
        for each in newest:
            followed += self._follow(each)
        self._held.clear()
        return Verdict(followed=followed, wild=wild)

    def _give_up(self) -> tuple[Waypoint, ...]:
        """Drop the ones that wait: nothing came in time to confirm them."""
        wild = tuple(self._held)
        self._held.clear()
        self._followed.clear()
        return wild

    def _follow(self, pose: Waypoint) -> tuple[Waypoint, ...]:
        self._followed.append(pose)
        return (pose,)
