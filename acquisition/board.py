"""What is known now: the newest of every device, and how much has come in."""

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace

from devices.readings import CountReading, DeviceHealth, PoseReading

LONGEST_GAP_S = 0.25
"""Counts on either side of a longer pause are not added up: two lost polls are bridged, a pulled plug is not."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """How much has come in since the start."""

    readings: int = 0
    poses: int = 0
    tracked_counts: int = 0
    frames: int = 0
    studies: int = 0


@dataclass(slots=True)
class Board:
    """Newest readings and health, by device; written as they arrive, read when a frame is composed.

    Attributes
    ----------
    kept_s
        How far back counts are kept, s: the longest integration time that can be shown.

    """

    kept_s: float = 5.0
    tally: Tally = field(default_factory=Tally)
    health: dict[str, DeviceHealth] = field(default_factory=dict)
    delivered_s: dict[str, float] = field(default_factory=dict)
    """When each device's newest reading was taken, host monotonic clock, s."""
    tools: dict[str, dict[str, PoseReading]] = field(default_factory=dict)
    """The newest reading of each tracker's tools; what it says is why it is not used, where it is not."""
    counted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each probe's reading; whoever waits for one clears it before."""
    _counts: dict[str, deque[CountReading]] = field(default_factory=dict)

    def count(self, reading: CountReading) -> None:
        """Take a probe's reading."""
        self.tally.readings += 1
        end_s = reading.taken_at_s + reading.real_time_s
        self.delivered_s[reading.device] = end_s
        kept = self._counts.setdefault(reading.device, deque())
        kept.append(reading)
        while len(kept) > 1 and end_s - kept[0].taken_at_s > self.kept_s:
            kept.popleft()
        self.counted.set()

    def pose(self, reading: PoseReading, *, against: str = "") -> None:
        """Take a tracker's reading; one that does not see its tool keeps nothing fresh.

        ``against`` says why it is not used, whatever the tracker says of it.
        """
        self.tally.poses += 1
        self.tools.setdefault(reading.device, {})[reading.tool] = replace(reading, said=against or reading.said)
        if reading.tracker_from_tool is not None:
            self.delivered_s[reading.device] = reading.taken_at_s

    def link(self, health: DeviceHealth) -> None:
        """Take what a supervisor says of a device's link."""
        self.health[health.device] = health

    def newest_counts(self, device: str, *, integration_s: float) -> tuple[CountReading, ...]:
        """Newest readings of a probe that together fill ``integration_s`` of live time, oldest first.

        Fewer where there is a pause among them: what was counted before it is not what the probe sees now.
        """
        chosen: list[CountReading] = []
        live_s = 0.0
        for reading in reversed(self._counts.get(device, ())):
            if chosen and live_s + reading.live_time_s > integration_s * 1.001:
                break
            if chosen and chosen[-1].taken_at_s - reading.taken_at_s - reading.real_time_s > LONGEST_GAP_S:
                break
            chosen.append(reading)
            live_s += reading.live_time_s
        return tuple(reversed(chosen))
