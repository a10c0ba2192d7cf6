"""Where a tool was at any recent time."""

from collections import deque

from devices.readings import PoseReading
from navigation.errors import PoseGap
from navigation.frame_graph import EdgeState, EdgeStatus
from navigation.frames import Frame
from navigation.transforms import RigidTransform, interpolate


class PoseTimeline:
    """Newest poses of one tool, to be asked for a time between two of them.

    Parameters
    ----------
    longest_gap_s
        Two poses further apart than this are not joined: nobody knows what the hand did between them.
    kept_s
        How far back it remembers.

    """

    def __init__(self, *, longest_gap_s: float = 0.1, kept_s: float = 3.0) -> None:
        self._longest_gap_s = longest_gap_s
        self._kept_s = kept_s
        self._readings: deque[PoseReading] = deque()

    @property
    def newest(self) -> PoseReading | None:
        """The newest reading, seen or not; None before the first."""
        return self._readings[-1] if self._readings else None

    def add(self, reading: PoseReading) -> None:
        """Append a reading; one that is older than the last is left out.

        Of those that came at one time, as in one packet, the last told is the newest; none of the others is
        forgotten, so that a loss among them parts what lies before from what lies after.
        """
        if self._readings and reading.taken_at_s < self._readings[-1].taken_at_s:
            return
        self._readings.append(reading)
        while reading.taken_at_s - self._readings[0].taken_at_s > self._kept_s:
            self._readings.popleft()

    def reaches(self, at_s: float) -> bool:
        """Whether a reading as late as ``at_s`` has come in, so that waiting longer gains nothing."""
        return bool(self._readings) and self._readings[-1].taken_at_s >= at_s

    def edge(self, frame: Frame, at_s: float) -> EdgeState:
        """Give ``tracker_from_<frame>`` at a time, the tool's marker being that frame; unseen where ``at`` raises.

        Its age is the time to the further of the two readings that it lies between.
        """
        try:
            pose = self.at(at_s)
        except PoseGap as gap:
            return EdgeState(transform=None, status=EdgeStatus.UNSEEN, age_s=gap.gap_s, said=str(gap))
        named = RigidTransform(
            to=Frame.TRACKER, from_=frame, rotation=pose.rotation, translation_mm=pose.translation_mm
        )
        before, after = self._around(at_s)
        age_s = max(at_s - before.taken_at_s, after.taken_at_s - at_s)
        return EdgeState(transform=named, age_s=age_s)

    def at(self, at_s: float) -> RigidTransform:
        """Pose at a time, straight and by slerp between the readings on either side.

        Raises
        ------
        PoseGap
            Where no two readings enclose the time, they lie too far apart, or the tool was not seen in one.

        """
        before, after = self._around(at_s)
        if before.tracker_from_tool is None or after.tracker_from_tool is None:
            raise PoseGap(f"{before.tool} was not seen", gap_s=after.taken_at_s - before.taken_at_s)
        gap_s = after.taken_at_s - before.taken_at_s
        if gap_s > self._longest_gap_s:
            raise PoseGap(f"no pose for {gap_s:.2f} s", gap_s=gap_s)
        if gap_s <= 0:
            return before.tracker_from_tool
        return interpolate(before.tracker_from_tool, after.tracker_from_tool, (at_s - before.taken_at_s) / gap_s)

    def _around(self, at_s: float) -> tuple[PoseReading, PoseReading]:
        before = after = None
        for reading in reversed(self._readings):  # what is asked for is nearly always among the newest
            if reading.taken_at_s >= at_s:
                after = reading
            if reading.taken_at_s <= at_s:
                before = reading
                break
        if before is None or after is None:
            raise PoseGap("no pose on either side of that time", gap_s=float("inf"))
        return before, after
