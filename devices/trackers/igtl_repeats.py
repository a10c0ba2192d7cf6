"""Poses that an OpenIGTLink sender repeats: a stream that has frozen while its link goes on."""

import structlog

from devices.trackers.igtl_bodies import Elements

log = structlog.get_logger()


class Repeats:
    """Knows the newest pose of each tool; ``device`` is the tracker's name in the site file, for the log.

    A measurement that is sent again has the former's time stamp and, to the last bit, its numbers. A sender
    without time stamps (0) cannot be judged: a tool that stands still in a simulation has the same numbers too.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._timestamp = 0
        self._newest: dict[str, tuple[int, Elements]] = {}
        self._told: set[str] = set()

    def begin(self, timestamp: int) -> None:
        """Begin a message that was made at this time, as on the wire."""
        self._timestamp = timestamp

    def is_repeat(self, tool: str, elements: Elements) -> bool:
        """Whether a tool's pose in this message was there before; what is, is no measurement."""
        pose, former = (self._timestamp, elements), self._newest.get(tool)
        self._newest[tool] = pose
        if not self._timestamp or pose != former:
            self._told.discard(tool)
            return False
        if tool not in self._told:
            self._told.add(tool)
            log.warning("pose_repeated", device=self._device, tool=tool, reason="its sender has frozen")
        return True
