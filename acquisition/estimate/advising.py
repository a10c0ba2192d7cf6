"""When to ask where to hold the probe next, and how long the answer holds."""

from collections import deque
from dataclasses import dataclass

from acquisition.synchronise import TrackedCount
from navigation.estimation.estimate import Posterior
from navigation.steering.advice import Advice
from navigation.steering.guidance import ABSENT_BELOW
from navigation.transforms import RigidTransform

EVERY_S = 1.0
"""Time between two questions; a hand needs longer to follow an answer."""

LEAST_REST = 1.0
"""Time between two questions over the time that the last one took: a slow host gives half of itself to counts."""

LATE_S = 0.4
"""Age of a reading that still waits for the estimate above which a question waits for it."""

STALE_AFTER_S = 3.0
"""Age of the newest count that an advice rests on above which it is no advice any more."""

REMEMBERED = 64
"""Newest counts whose poses are kept: more than ever wait to be told whether they are the hand's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advised:
    """An advice, and what it was given on.

    Attributes
    ----------
    advice
        Where to hold the probe next.
    counted_until_s
        Middle of the newest count that it rests on, host monotonic clock, s: the probe was there then.
    took_ms
        Time that it took to compute.
    restarts
        How often the estimate had begun anew by then.

    """

    advice: Advice
    counted_until_s: float
    took_ms: float
    restarts: int

    def holds(self, posterior: Posterior, *, now_s: float) -> bool:
        """Whether it may still be followed: young enough, of this estimate, its target not given up."""
        if now_s - self.counted_until_s > STALE_AFTER_S or posterior.restarts != self.restarts:
            return False
        if self.advice.target is None:
            return posterior.is_consistent
        targets = [each for each in posterior.targets if each.name == self.advice.target]
        return posterior.is_consistent and any(each.presence >= ABSENT_BELOW for each in targets)


class Cadence:
    """Says when the next advice is due, and from where the hand would go there."""

    def __init__(self) -> None:
        self._asked_at_s = float("-inf")
        self._took_s = 0.0
        self._newest: deque[TrackedCount] = deque(maxlen=REMEMBERED)

    def note(self, tracked: TrackedCount) -> None:
        """Remember where the probe was while it counted."""
        self._newest.append(tracked)

    def pose_at(self, counted_until_s: float) -> RigidTransform | None:
        """Pose that a count was tracked at; None where that was not kept."""
        poses = (each.patient_from_tip for each in self._newest if each.middle_s == counted_until_s)
        return next(poses, None)

    def is_due(self, *, oldest_waiting_s: float | None, now_s: float) -> bool:
        """Whether to ask now; ``oldest_waiting_s`` is the middle of the oldest count not believed yet, if any."""
        if oldest_waiting_s is not None and now_s - oldest_waiting_s > LATE_S:
            return False
        return now_s - self._asked_at_s >= max(EVERY_S, (1 + LEAST_REST) * self._took_s)

    def asked(self, *, at_s: float, until_s: float) -> None:
        """Note that a question was asked, and when it was answered."""
        self._asked_at_s, self._took_s = at_s, until_s - at_s
