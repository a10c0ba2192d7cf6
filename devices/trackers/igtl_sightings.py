"""What an OpenIGTLink sender says of each tool, as readings: a pose only where it may be believed."""

from collections import deque
from collections.abc import Collection, Iterable

import structlog

from devices.readings import PoseReading, PoseStatus
from devices.trackers.igtl_bodies import NOTHING_SEEN, Elements, pose_of
from devices.trackers.igtl_lateness import Lateness, late
from devices.trackers.igtl_repeats import Repeats
from devices.trackers.igtl_streams import Streams
from navigation.errors import NavigationError

log = structlog.get_logger()


class Sightings:
    """Makes the readings of one link's tools, in the order in which they were told.

    Parameters
    ----------
    device
        The tracker's name in the site file.
    tools
        Names of the tools, as on the wire; of others nothing may be told.
    lost_after_s
        A tool of which nothing is told for so long, while its sender is heard, is missing, s.
    frozen_after_s
        A pose that stays the same to the last bit for so long is none, s.
    late_after_s
        A pose that is later than so much, by its sender's stamps, is none, s.
    opened_at_s
        When the link was opened, host monotonic clock, s.

    """

    def __init__(
        self,
        device: str,
        tools: Collection[str],
        *,
        lost_after_s: float,
        frozen_after_s: float,
        late_after_s: float,
        opened_at_s: float,
    ) -> None:
        self._device = device
        self._lost_after_s = lost_after_s
        self._late_after_s = late_after_s
        self._pending: deque[PoseReading] = deque()
        self._told_at_s = dict.fromkeys(tools, opened_at_s)
        self._status = dict.fromkeys(tools, PoseStatus.OK)
        self._repeats = Repeats(device, frozen_after_s=frozen_after_s)
        self._lateness = Lateness(device)
        self._streams = Streams()

    def __contains__(self, tool: str) -> bool:
        """Whether a name on the wire is one of the tools."""
        return tool in self._told_at_s

    def next(self) -> PoseReading | None:
        """Give the next reading; None where there is none yet."""
        return self._pending.popleft() if self._pending else None

    def begin(self, timestamp: int) -> None:
        """Begin a message that was made at this time, as on the wire."""
        self._repeats.begin(timestamp)
        self._lateness.begin(timestamp)

    def hear(self, tools: Iterable[str], stream: str) -> None:
        """Take the names of the tools of one message, as often as they are in it, and what stream it is of."""
        self._streams.hear(tools, stream)

    def see(self, tool: str, taken_at_s: float, elements: Elements) -> None:
        """Take a tool's matrix, as on the wire."""
        if elements in NOTHING_SEEN:
            self.miss(tool, taken_at_s)
            return
        self._streams.see(tool, elements, taken_at_s)
        if against := self._streams.against(tool):
            self.refuse(tool, taken_at_s, against)
            return
        if self._repeats.is_repeat(tool, elements, taken_at_s):
            return  # until it is lost
        if (late_s := self._lateness.late_s(tool, taken_at_s)) > self._late_after_s:
            self.refuse(tool, taken_at_s, late(late_s))
            return
        try:
            pose = pose_of(elements)
        except NavigationError as exc:
            self.refuse(tool, taken_at_s, str(exc))
            return
        self._told_at_s[tool], self._status[tool] = taken_at_s, PoseStatus.OK
        self._pending.append(
            PoseReading(device=self._device, tool=tool, taken_at_s=taken_at_s, tracker_from_tool=pose)
        )

    def miss(self, tool: str, taken_at_s: float, said: str = "") -> None:
        """Take it that the sender does not see a tool; ``said`` is why, in its own words."""
        self._repeats.hide(tool)
        if against := self._streams.against(tool):
            self.refuse(tool, taken_at_s, against)
        else:
            self._give(tool, taken_at_s, PoseStatus.MISSING, said)

    def refuse(self, tool: str, taken_at_s: float, reason: str) -> None:
        """Take it that what came of a tool is no pose, and why."""
        if self._status[tool] is not PoseStatus.REFUSED:
            log.warning("pose_refused", device=self._device, tool=tool, reason=reason)
        self._give(tool, taken_at_s, PoseStatus.REFUSED, reason)

    def tell_lost(self, heard_at_s: float) -> bool:
        """Tell which tools nothing came of while the sender was heard, last at ``heard_at_s``; say whether any.

        Call it when all that came is read, or a stall would look like it.
        """
        lost = [
            tool for tool, told_at_s in self._told_at_s.items() if heard_at_s - told_at_s >= self._lost_after_s
        ]
        for tool in lost:
            if against := self._streams.against(tool):
                self.refuse(tool, heard_at_s, against)
            else:
                said = self._repeats.said(tool, since_s=heard_at_s - self._lost_after_s)
                self._give(tool, heard_at_s, PoseStatus.MISSING, said)
        return bool(lost)

    def _give(self, tool: str, taken_at_s: float, status: PoseStatus, said: str) -> None:
        self._told_at_s[tool], self._status[tool] = taken_at_s, status
        self._pending.append(
            PoseReading(
                device=self._device,
                tool=tool,
                taken_at_s=taken_at_s,
                tracker_from_tool=None,
                status=status,
                said=said,
            )
        )
