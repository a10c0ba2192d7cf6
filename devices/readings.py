"""What devices deliver: readings that say how they were taken and whether they can be believed."""

from dataclasses import dataclass
from enum import StrEnum

from devices.frame_timing import FrameTiming
from devices.traffic import Condition, Traffic
from navigation.transforms import RigidTransform


class CountStatus(StrEnum):
    """Whether a count can be believed."""

    OK = "ok"
    OVERLOAD = "overload"
    """The instrument says, or its dead time shows, that it counts too few."""
    SATURATED = "saturated"
    """The wire's number is at its greatest value: the true one may be larger."""
    RESYNCED = "resynced"
    """First after bytes were lost: correct, but not the neighbour of the one before."""


WORST_FIRST = (CountStatus.OVERLOAD, CountStatus.SATURATED, CountStatus.RESYNCED, CountStatus.OK)
"""What a reading made of several values says: the first of these that was said of any."""


class PoseStatus(StrEnum):
    """Whether a pose can be believed, and if not, why."""

    OK = "ok"
    MISSING = "missing"
    """The tracker does not see the tool."""
    REFUSED = "refused"
    """What came is no pose: not finite, mirrored, not rigid."""


class LinkState(StrEnum):
    """What a device's supervisor knows of its link."""

    CONNECTING = "connecting"
    LIVE = "live"
    SILENT = "silent"
    """Linked, but no reading within its time."""
    LOST = "lost"
    """Not linked; the supervisor is trying again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountReading:
    """Counts of one interval, as the instrument sent them.

    Counts are kept and the rate is derived, so that the Poisson error is never lost. No bytes is no reading,
    never zero counts.

    Attributes
    ----------
    device
        The probe's name in the site file.
    taken_at_s
        Start of the counting interval, host monotonic clock, s.
    real_time_s
        Length of the interval, s.
    live_time_s
        The part of it in which the instrument could count, s; equal to ``real_time_s`` where the instrument
        does not measure it.
    counts
        Events in the energy window, as counted, not corrected for dead time: of this interval alone. Where an
        instrument gives only a smoothed rate, its driver undoes that first (``navigation.statistics.ratemeter``),
        rounds, and carries the rest to the next reading.
    dead_time_s
        Non-paralysable dead time per event that is *not* yet in ``live_time_s``, s; 0 where it is.
    status
        Whether it can be believed.
    time_constant_s
        Above 0: the instrument shows an exponential mean with this time constant, s, and ``counts`` and
        ``live_time_s`` are what a Poisson count would have to be that says as much. 0: counted.

    """

    device: str
    taken_at_s: float
    real_time_s: float
    live_time_s: float
    counts: int
    dead_time_s: float = 0.0
    status: CountStatus = CountStatus.OK
    time_constant_s: float = 0.0

    def __post_init__(self) -> None:
        if not (self.real_time_s > 0 and self.live_time_s > 0):
            raise ValueError(f"{self.device}: a count needs a positive time, not {self.live_time_s} s")
        if self.counts < 0:
            raise ValueError(f"{self.device}: {self.counts} counts")

    @property
    def middle_s(self) -> float:
        """Middle of the counting interval, host monotonic clock, s."""
        return self.taken_at_s + self.real_time_s / 2

    @property
    def rate_cps(self) -> float:
        """Rate as counted, not corrected for dead time."""
        return self.counts / self.live_time_s


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseReading:
    """Where a tool was.

    Attributes
    ----------
    device
        The tracker's name in the site file.
    tool
        The tool's name as the tracker sends it.
    taken_at_s
        Host monotonic clock, s.
    tracker_from_tool
        Its pose, or None: not seen. Never the last one known.
    status
        Why there is none, or ``OK``.
    error_mm
        The tracker's own residual, mm RMS, where it sends one.
    said
        Why there is no pose, or what is amiss though there is one, and what to do, in words; empty where the
        tracker does not say.

    """

    device: str
    tool: str
    taken_at_s: float
    tracker_from_tool: RigidTransform | None
    status: PoseStatus = PoseStatus.OK
    error_mm: float | None = None
    said: str = ""

    def __post_init__(self) -> None:
        if (self.tracker_from_tool is None) == (self.status is PoseStatus.OK):
            raise ValueError(f"{self.device}/{self.tool}: a pose is there exactly when its status is ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHealth:
    """What is known of a device's link now.

    Attributes
    ----------
    device
        Its name in the site file.
    state
        State of the link.
    since_s
        When it entered that state, host monotonic clock, s.
    detail
        A sentence for a person: what is wrong and what to do; empty while live, but for a storage node, which
        tells its last refusal.
    reconnects
        How often the link was opened again since the start.
    rejected
        Frames or lines refused since the start.
    timing
        How well the times of its frames are known; None for a device without frame numbers, or without a link.
    traffic
        What came over its link since the start; None for a device that is not asked for account of it.
    condition
        What it said of itself last; None where it never did.

    """

    device: str
    state: LinkState
    since_s: float
    detail: str = ""
    reconnects: int = 0
    rejected: int = 0
    timing: FrameTiming | None = None
    traffic: Traffic | None = None
    condition: Condition | None = None
