"""Poses that an OpenIGTLink sender made long before they came: what waited in a queue looks live as it comes."""

from collections import deque

import structlog

log = structlog.get_logger()

OVER_S = 60.0
"""Over which the quickest way is remembered: a queue that grows by less than 1 % of the time is a slow clock."""

LEAST_JUMP_S = 0.1
"""Stamps that go back, or ahead of all that came, by less are those of several threads, or the wire's wobble."""


class _Way:
    """How long the poses of one tool are on their way, by their stamps; from an unknown constant on."""

    def __init__(self) -> None:
        self.stamp_s = 0.0
        self.late_s = 0.0
        self._least: deque[tuple[float, float]] = deque()
        """When a message came and how long it was on its way, s: both rising, the least first."""

    def take(self, stamp_s: float, at_s: float) -> float:
        """Take another stamp and when it came; give by how much the sender's clock jumped, s, else 0."""
        way_s, jump_s = at_s - stamp_s, 0.0
        while self._least and at_s - self._least[0][0] > OVER_S:
            self._least.popleft()
        if self._least:
            ahead_s = self._least[0][1] - way_s
            back_s = self.stamp_s - stamp_s
            jump_s = ahead_s if ahead_s > LEAST_JUMP_S else -back_s if back_s > LEAST_JUMP_S else 0.0
        if jump_s:
            self._least.clear()
        while self._least and self._least[-1][1] >= way_s:
            self._least.pop()
        self._least.append((at_s, way_s))
        self.stamp_s, self.late_s = stamp_s, way_s - self._least[0][1]
        return jump_s


class Lateness:
    """Knows how late each tool's poses are; ``device`` is the tracker's name in the site file, for the log.

    Late is what was longer on its way than the quickest of the last minute. The sender's clock need not be ours,
    only run alike: where it is set to another time the count begins anew, which the log says.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._stamp_s = 0.0
        self._ways: dict[str, _Way] = {}
        self._jumped_at_s: float | None = None

    def begin(self, timestamp: int) -> None:
        """Begin a message that was made at this time, as on the wire; 0 says nothing."""
        self._stamp_s = timestamp / 2**32

    def late_s(self, tool: str, taken_at_s: float) -> float:
        """Say how late a tool's pose in this message is, which came then, s; 0 where nobody can tell."""
        if not self._stamp_s:
            return 0.0
        way = self._ways.setdefault(tool, _Way())
        # of a clock that ticks slowly only a new tick tells anything
        if self._stamp_s != way.stamp_s and (jump_s := way.take(self._stamp_s, taken_at_s)):
            self._say_jump(jump_s, taken_at_s)
        return way.late_s

    def _say_jump(self, jump_s: float, at_s: float) -> None:
        """Log it, once where stamps that are no times jump with each message."""
        if self._jumped_at_s is None or at_s - self._jumped_at_s > OVER_S:
            log.warning("tracker_clock", device=self._device, reason=f"its clock jumped by {jump_s:.1f} s")
        self._jumped_at_s = at_s


def late(late_s: float) -> str:
    """Say how late a pose is, and what to do."""
    return f"its poses come {late_s:.1f} s late: free the tracker's computer and the network of other work"
