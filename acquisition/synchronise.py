"""Counts joined with the pose of the probe's tip while they were counted."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from acquisition.timeline import PoseTimeline
from devices.readings import CountReading, CountStatus, PoseReading
from navigation.errors import PoseGap
from navigation.frames import Frame
from navigation.transforms import RigidTransform


class TrackStatus(StrEnum):
    """Whether a count has a place in the patient, and if not, why."""

    OK = "ok"
    NO_POSE = "no pose"
    """The tracker did not see the probe, or the patient's reference, while it counted."""
    UNREGISTERED = "unregistered"
    """Nothing says where the patient's reference lies in the study."""
    OVERLOAD = "overload"
    """The instrument counted too few; its place is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedCount:
    """A count and where the tip was at the middle of its interval.

    Attributes
    ----------
    device
        The probe's name in the site file.
    middle_s
        Middle of the counting interval, host monotonic clock, s.
    counts, live_time_s
        As the instrument gave them, not corrected for dead time.
    patient_from_tip
        Pose of the tip, interpolated, never extrapolated; None unless it is known.
    age_s
        From the middle of the interval until the two were joined, s.
    status
        Whether it may be used to localise.

    """

    device: str
    middle_s: float
    counts: int
    live_time_s: float
    patient_from_tip: RigidTransform | None
    age_s: float
    status: TrackStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TipChain:
    """What joins the tracker's readings to the patient.

    Attributes
    ----------
    tool, reference
        Names of the tracked tools on the probe and on the patient; no reference means that the tracker itself
        stands still beside the patient.
    tool_from_tip
        Calibration of the probe's tip and look direction.
    patient_from_reference
        Registration; None until there is one.

    """

    tool: str
    reference: str | None
    tool_from_tip: RigidTransform
    patient_from_reference: RigidTransform | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTip:
    """Where the tip was last seen.

    Attributes
    ----------
    patient_from_tip
        Its pose.
    taken_at_s
        When both the tool and the patient's reference were known to be there, host monotonic clock, s.
    tracker
        The tracker's name in the site file.
    error_mm
        The tracker's own residual of the tool, mm RMS, where it sends one.

    """

    patient_from_tip: RigidTransform
    taken_at_s: float
    tracker: str
    error_mm: float | None


class Synchroniser:
    """Joins one probe's counts with its tip's poses and hands each on once.

    A count waits until poses enclose its middle, at most ``patience_s``; then it goes on without one. Counts
    leave in the order in which they came.

    Parameters
    ----------
    chain
        What joins tracker and patient.
    emit
        Takes each tracked count.
    longest_gap_s
        Poses further apart are not joined.
    patience_s
        How long a count waits for its poses.

    """

    def __init__(
        self,
        chain: TipChain,
        *,
        emit: Callable[[TrackedCount], None],
        longest_gap_s: float = 0.1,
        patience_s: float = 0.5,
    ) -> None:
        self.chain = chain
        self._emit = emit
        self._patience_s = patience_s
        self._waiting: deque[CountReading] = deque()
        tools = [chain.tool] if chain.reference is None else [chain.tool, chain.reference]
        self._timelines = {tool: PoseTimeline(longest_gap_s=longest_gap_s) for tool in tools}

    def add_count(self, reading: CountReading, *, now_s: float) -> None:
        """Take a count; it is handed on as soon as its poses are known."""
        self._waiting.append(reading)
        self.advance(now_s=now_s)

    def add_pose(self, reading: PoseReading, *, now_s: float) -> None:
        """Take a pose; tools that are not on the chain are none of its business."""
        timeline = self._timelines.get(reading.tool)
        if timeline is not None:
            timeline.add(reading)
            self.advance(now_s=now_s)

    def advance(self, *, now_s: float) -> None:
        """Hand on every count whose poses are known or that has waited long enough."""
        while self._waiting:
            middle_s = self._waiting[0].middle_s
            known = all(timeline.reaches(middle_s) for timeline in self._timelines.values())
            if not known and now_s - middle_s < self._patience_s:
                return
            self._emit(self._track(self._waiting.popleft(), now_s=now_s))

    def newest_tip(self) -> SeenTip | None:
        """Newest pose of the tip in the patient; None where the newest reading says that it is not seen."""
        reading = self._timelines[self.chain.tool].newest
        if reading is None or reading.tracker_from_tool is None:
            return None
        times_s = [timeline.newest.taken_at_s for timeline in self._timelines.values() if timeline.newest]
        if len(times_s) < len(self._timelines):
            return None
        at_s = min(times_s)
        try:
            tip = self._patient_from_tip(at_s)
        except PoseGap:
            return None
        if tip is None:
            return None
        return SeenTip(patient_from_tip=tip, taken_at_s=at_s, tracker=reading.device, error_mm=reading.error_mm)

    def _track(self, reading: CountReading, *, now_s: float) -> TrackedCount:
        tip, status = None, TrackStatus.OK
        try:
            tip = self._patient_from_tip(reading.middle_s)
        except PoseGap:
            status = TrackStatus.NO_POSE
        else:
            if tip is None:
                status = TrackStatus.UNREGISTERED
            elif reading.status in {CountStatus.OVERLOAD, CountStatus.SATURATED}:
                status = TrackStatus.OVERLOAD
        return TrackedCount(
            device=reading.device,
            middle_s=reading.middle_s,
            counts=reading.counts,
            live_time_s=reading.live_time_s,
            patient_from_tip=tip,
            age_s=max(0.0, now_s - reading.middle_s),
            status=status,
        )

    def _patient_from_tip(self, at_s: float) -> RigidTransform | None:
        """Pose of the tip at a time: None without a registration, ``PoseGap`` without poses."""
        tracker_from_tool = self._timelines[self.chain.tool].at(at_s)
        tracker_from_reference = RigidTransform.identity(Frame.TRACKER, Frame.REFERENCE)
        if self.chain.reference is not None:
            seen = self._timelines[self.chain.reference].at(at_s)
            tracker_from_reference = RigidTransform(
                to=Frame.TRACKER,
                from_=Frame.REFERENCE,
                rotation=seen.rotation,
                translation_mm=seen.translation_mm,
            )
        if self.chain.patient_from_reference is None:
            return None
        patient_from_tracker = self.chain.patient_from_reference @ tracker_from_reference.inverse
        return patient_from_tracker @ tracker_from_tool @ self.chain.tool_from_tip
