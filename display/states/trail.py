"""Where the tip was of late, as long as it was seen all the time."""

from collections import deque

import numpy as np

from acquisition.synchronise import SeenTip
from navigation.steering.guidance import MOTION_S, Track


class Trail:
    """The newest second of the tip's way; forgotten as soon as the tip is lost."""

    def __init__(self) -> None:
        self._seen: deque[SeenTip] = deque()

    def follow(self, seen: SeenTip | None) -> Track | None:
        """Take the tip as it is seen now, None where it is not, and return its way until now."""
        if seen is None or (self._seen and seen.taken_at_s < self._seen[-1].taken_at_s):
            self._seen.clear()
        if seen is None:
            return None
        if not self._seen or seen.taken_at_s > self._seen[-1].taken_at_s:
            self._seen.append(seen)
        while seen.taken_at_s - self._seen[0].taken_at_s > MOTION_S:
            self._seen.popleft()
        return Track(
            taken_at_s=np.array([each.taken_at_s for each in self._seen]),
            tip_mm=np.array([each.patient_from_tip.translation_mm for each in self._seen]),
        )
