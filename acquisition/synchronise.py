"""Counts joined with the pose of the probe's tip while they were counted."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np
from numpy.typing import NDArray

from acquisition.timeline import PoseTimeline
from devices.readings import CountReading, CountStatus, PoseReading
from navigation.frame_graph import EdgeState, EdgeStatus, FrameGraph, MissingEdge, still
from navigation.frames import Frame
from navigation.transforms import RigidTransform

VELOCITY_S = 0.1
"""Time over which the tip's velocity is taken: a hand turns in no less."""


class TrackStatus(StrEnum):
    """Whether a count has a place in the patient, and if not, why."""

    OK = "ok"
    NO_POSE = "no pose"
    """The tracker did not see the probe, or the patient's reference, while it counted."""
    UNREGISTERED = "unregistered"
    """Nothing says where the patient's reference lies in the study."""
    OVERLOAD = "overload"
    """The instrument counted too few; its place is known."""
    DOUBTED = "doubted"
    """Its place is known, and something speaks against it: an expired calibration, a reference that slipped."""


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


def trusted_everywhere(patient_from_tip: RigidTransform) -> str:  # noqa: ARG001 - whatever the pose
    """Say that nothing speaks against any pose."""
    return ""


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
    tip_doubt, registration_doubt
        What speaks against either, in words; empty where nothing does.
    doubt_at
        Says what speaks against a pose of the tip in the patient; empty where nothing does.

    """

    tool: str
    reference: str | None
    tool_from_tip: RigidTransform
    patient_from_reference: RigidTransform | None
    tip_doubt: str = ""
    registration_doubt: str = ""
    doubt_at: Callable[[RigidTransform], str] = trusted_everywhere

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tracked tools that it rests on."""
        return (self.tool,) if self.reference is None else (self.tool, self.reference)


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
    doubt
        What speaks against it, in words; empty where nothing does.

    """

    patient_from_tip: RigidTransform
    taken_at_s: float
    tracker: str
    error_mm: float | None
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Newest:
    """What was found of the newest tip, and of which reading and time."""

    reading: PoseReading
    at_s: float
    tip: SeenTip | None


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
    delay_s
        How late counts are behind poses: one that is stamped t was counted where the tip was at ``t - delay_s``.

    """

    def __init__(
        self,
        chain: TipChain,
        *,
        emit: Callable[[TrackedCount], None],
        longest_gap_s: float = 0.1,
        patience_s: float = 0.5,
        delay_s: float = 0.0,
    ) -> None:
        self._emit = emit
        self._patience_s = patience_s
        self._delay_s = delay_s
        self._waiting: deque[CountReading] = deque()
        self._timelines = {tool: PoseTimeline(longest_gap_s=longest_gap_s) for tool in chain.tools}
        self._chain, self._graph = chain, self._graph_of(chain)
        self._newest: _Newest | None = None

    @property
    def chain(self) -> TipChain:
        """What joins tracker and patient; a new one is of the same tools, and places the counts that wait."""
        return self._chain

    @chain.setter
    def chain(self, chain: TipChain) -> None:
        self._chain, self._graph, self._newest = chain, self._graph_of(chain), None

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
            known = all(timeline.reaches(middle_s - self._delay_s) for timeline in self._timelines.values())
            if not known and now_s - middle_s < self._patience_s:
                return
            self._emit(self._track(self._waiting.popleft(), now_s=now_s))

    def newest_tip(self) -> SeenTip | None:
        """Newest pose of the tip in the patient; None where by a tool's newest reading it is not seen."""
        newest_of = {tool: timeline.newest for tool, timeline in self._timelines.items()}
        times_s = [each.taken_at_s for each in newest_of.values() if each and each.tracker_from_tool is not None]
        reading = newest_of[self.chain.tool]
        if reading is None or len(times_s) < len(newest_of):
            return None
        at_s = min(times_s)
        # asked for with each pose of either tool and with each frame: for most it is the one before
        newest = self._newest
        if newest is None or newest.reading is not reading or newest.at_s != at_s:
            newest = self._newest = _Newest(reading=reading, at_s=at_s, tip=self._see(reading, at_s))
        return newest.tip

    def velocity_mm_s(self, seen: SeenTip) -> NDArray[np.float64] | None:
        """Velocity of the tip in the patient before it was seen, shape (3,), over ``VELOCITY_S``.

        None where it was not seen then. ``seen`` is `newest_tip` of the chain as it is.
        """
        before = self._tip(seen.taken_at_s - VELOCITY_S)
        if before is None or before.transform is None:
            return None
        return (seen.patient_from_tip.translation_mm - before.transform.translation_mm) / VELOCITY_S

    def _see(self, reading: PoseReading, at_s: float) -> SeenTip | None:
        tip = self._tip(at_s)
        if tip is None or tip.transform is None:
            return None
        return SeenTip(
            patient_from_tip=tip.transform,
            taken_at_s=at_s,
            tracker=reading.device,
            error_mm=reading.error_mm,
            doubt=tip.said or self._chain.doubt_at(tip.transform),
        )

    def _track(self, reading: CountReading, *, now_s: float) -> TrackedCount:
        tip, status = self._tip(reading.middle_s - self._delay_s), TrackStatus.OK
        if tip is None:
            status = TrackStatus.UNREGISTERED
        elif tip.transform is None:
            status = TrackStatus.NO_POSE
        elif reading.status in {CountStatus.OVERLOAD, CountStatus.SATURATED}:
            status = TrackStatus.OVERLOAD
        elif tip.status is EdgeStatus.DOUBTED or self._chain.doubt_at(tip.transform):
            status = TrackStatus.DOUBTED
        return TrackedCount(
            device=reading.device,
            middle_s=reading.middle_s,
            counts=reading.counts,
            live_time_s=reading.live_time_s,
            patient_from_tip=tip.transform if tip else None,
            age_s=max(0.0, now_s - reading.middle_s),
            status=status,
        )

    def _tip(self, at_s: float) -> EdgeState | None:
        """Pose of the tip in the patient at a time; None without a registration."""
        try:
            return self._graph.at(Frame.PATIENT, Frame.TIP, at_s)
        except MissingEdge:
            return None

    def _graph_of(self, chain: TipChain) -> FrameGraph:
        graph = FrameGraph()
        graph.join(Frame.TRACKER, Frame.TOOL, partial(self._timelines[chain.tool].edge, Frame.TOOL))
        if chain.reference is None:
            graph.join(
                Frame.TRACKER, Frame.REFERENCE, still(RigidTransform.identity(Frame.TRACKER, Frame.REFERENCE))
            )
        else:
            graph.join(
                Frame.TRACKER, Frame.REFERENCE, partial(self._timelines[chain.reference].edge, Frame.REFERENCE)
            )
        graph.join(Frame.TOOL, Frame.TIP, still(chain.tool_from_tip, doubt=chain.tip_doubt))
        if chain.patient_from_reference is not None:
            registration = still(chain.patient_from_reference, doubt=chain.registration_doubt)
            graph.join(Frame.PATIENT, Frame.REFERENCE, registration)
        return graph
