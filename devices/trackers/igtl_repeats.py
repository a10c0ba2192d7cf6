"""Poses that an OpenIGTLink sender repeats: a stream that has frozen while its link goes on."""

import math
from dataclasses import dataclass, replace

import structlog

from devices.trackers.igtl_bodies import Elements

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pose:
    """A tool's newest pose: its message's time stamp, as on the wire, its numbers, and since when it has them.

    ``since_s`` is None where its sender has said since that it does not see the tool.
    """

    timestamp: int
    elements: Elements
    since_s: float | None


class Repeats:
    """Knows the newest pose of each tool; ``device`` is the tracker's name in the site file, for the log.

    A measurement that is sent again has the former's time stamp and, to the last bit, its numbers. Many senders
    stamp anew what they repeat, or stamp nothing: there the same numbers for ``frozen_after_s`` are none, since no
    camera measures without noise.
    """

    def __init__(self, device: str, *, frozen_after_s: float) -> None:
        self._device = device
        self._frozen_after_s = frozen_after_s
        self._timestamp = 0
        self._newest: dict[str, _Pose] = {}
        self._repeated_at_s: dict[str, float] = {}

    def begin(self, timestamp: int) -> None:
        """Begin a message that was made at this time, as on the wire."""
        self._timestamp = timestamp

    def is_repeat(self, tool: str, elements: Elements, taken_at_s: float) -> bool:
        """Whether a tool's pose in this message was there before; what is, is no measurement."""
        former = self._newest.get(tool)
        is_same = former is not None and elements == former.elements
        since_s = taken_at_s
        if former is not None and is_same and former.since_s is not None:
            since_s = former.since_s
        self._newest[tool] = _Pose(timestamp=self._timestamp, elements=elements, since_s=since_s)
        is_stamped_alike = former is not None and 0 != self._timestamp == former.timestamp
        if not is_same or not (is_stamped_alike or taken_at_s - since_s > self._frozen_after_s):
            self._repeated_at_s.pop(tool, None)
            return False
        is_first = tool not in self._repeated_at_s
        self._repeated_at_s[tool] = taken_at_s
        if is_first:
            log.warning("pose_repeated", device=self._device, tool=tool, reason=self.said(tool))
        return True

    def hide(self, tool: str) -> None:
        """Take it that the sender does not see a tool: it is not frozen, and what it saw before is no news."""
        self._repeated_at_s.pop(tool, None)
        if (former := self._newest.get(tool)) is not None:
            self._newest[tool] = replace(former, since_s=None)

    def said(self, tool: str, *, since_s: float = -math.inf) -> str:
        """Say in words that a tool's poses are repeats; empty where no repeat came after ``since_s``."""
        if self._repeated_at_s.get(tool, -math.inf) <= since_s:
            return ""
        return "the same pose comes again and again: its sender has frozen, restart it"
