"""Counts joined with poses."""

from dataclasses import replace

import numpy as np
import pytest

from acquisition.synchronise import Synchroniser, TipChain, TrackedCount, TrackStatus
from devices.readings import CountReading, CountStatus, PoseReading, PoseStatus
from navigation.frames import Frame
from navigation.transforms import RigidTransform


def shift(to: Frame, from_: Frame, *translation_mm: float) -> RigidTransform:
    return RigidTransform(to=to, from_=from_, rotation=np.eye(3), translation_mm=np.array(translation_mm))


CHAIN = TipChain(
    tool="Probe",
    reference=None,
    tool_from_tip=shift(Frame.TOOL, Frame.TIP, 0, 0, 100),
    patient_from_reference=shift(Frame.PATIENT, Frame.REFERENCE, 1000, 0, 0),
)


def pose(at_s: float, *translation_mm: float, tool: str = "Probe") -> PoseReading:
    return PoseReading(
        device="camera",
        tool=tool,
        taken_at_s=at_s,
        tracker_from_tool=shift(Frame.TRACKER, Frame.TOOL, *translation_mm),
    )


def count(at_s: float, *, status: CountStatus = CountStatus.OK) -> CountReading:
    return CountReading(
        device="gamma", taken_at_s=at_s, real_time_s=0.1, live_time_s=0.09, counts=12, status=status
    )


def synchroniser(chain: TipChain = CHAIN) -> tuple[Synchroniser, list[TrackedCount]]:
    emitted: list[TrackedCount] = []
    return Synchroniser(chain, emit=emitted.append), emitted


def test_a_count_gets_the_pose_at_its_middle() -> None:
    """The tip is where the chain puts it half way through the interval, and the age says how old that is."""
    made, emitted = synchroniser()
    made.add_pose(pose(1.02, 0, 2, 0), now_s=1.02)
    made.add_pose(pose(1.08, 0, 8, 0), now_s=1.08)
    made.add_count(count(1.0), now_s=1.1)
    assert [tracked.status for tracked in emitted] == [TrackStatus.OK]
    tip = emitted[0].patient_from_tip
    assert tip is not None
    assert np.allclose(tip.translation_mm, (1000, 5, 100))
    assert emitted[0].age_s == pytest.approx(0.05)
    assert (emitted[0].counts, emitted[0].live_time_s) == (12, 0.09)


def test_a_count_waits_for_its_poses_and_order_is_kept() -> None:
    """A late tracker delays, never extrapolates, and the first count leaves first."""
    made, emitted = synchroniser()
    made.add_pose(pose(1.0, 0, 0, 0), now_s=1.0)
    made.add_count(count(1.0), now_s=1.1)
    made.add_count(count(1.1), now_s=1.2)
    assert emitted == []
    for step in range(1, 6):
        made.add_pose(pose(1.0 + 0.05 * step, 0, 0, 0), now_s=1.25)
    assert [tracked.middle_s for tracked in emitted] == pytest.approx([1.05, 1.15])


def test_a_lost_tool_gives_a_count_without_a_place() -> None:
    """Counts go on without a pose: nothing is lost, nothing is made up."""
    made, emitted = synchroniser()
    made.add_pose(pose(1.0, 0, 0, 0), now_s=1.0)
    made.add_pose(
        PoseReading(
            device="camera", tool="Probe", taken_at_s=1.06, tracker_from_tool=None, status=PoseStatus.MISSING
        ),
        now_s=1.06,
    )
    made.add_count(count(1.0), now_s=1.1)
    assert (emitted[0].status, emitted[0].patient_from_tip) == (TrackStatus.NO_POSE, None)
    assert made.newest_tip() is None


def test_a_dead_tracker_does_not_hold_counts_for_ever() -> None:
    """After its patience a count goes on without a place."""
    made, emitted = synchroniser()
    made.add_count(count(1.0), now_s=1.1)
    made.advance(now_s=1.5)
    assert emitted == []
    made.advance(now_s=1.6)
    assert emitted[0].status is TrackStatus.NO_POSE


def test_without_registration_no_count_has_a_place() -> None:
    """The tracker alone does not know the patient."""
    chain = TipChain(tool="Probe", reference=None, tool_from_tip=CHAIN.tool_from_tip, patient_from_reference=None)
    made, emitted = synchroniser(chain)
    made.add_pose(pose(1.0, 0, 0, 0), now_s=1.0)
    made.add_pose(pose(1.06, 0, 0, 0), now_s=1.06)
    made.add_count(count(1.0), now_s=1.1)
    assert emitted[0].status is TrackStatus.UNREGISTERED


def test_an_overloaded_count_keeps_its_place_but_says_so() -> None:
    """The display may show where it was; the estimate must not use it."""
    made, emitted = synchroniser()
    made.add_pose(pose(1.0, 0, 0, 0), now_s=1.0)
    made.add_pose(pose(1.06, 0, 0, 0), now_s=1.06)
    made.add_count(count(1.0, status=CountStatus.OVERLOAD), now_s=1.1)
    assert emitted[0].status is TrackStatus.OVERLOAD


def test_a_patient_who_moves_with_her_reference_stays_where_she_is() -> None:
    """Probe and reference moved together leave the tip where it was in the patient."""
    chain = TipChain(
        tool="Probe",
        reference="Patient",
        tool_from_tip=CHAIN.tool_from_tip,
        patient_from_reference=CHAIN.patient_from_reference,
    )
    made, emitted = synchroniser(chain)
    for at_s, moved_mm in ((1.0, 0.0), (1.06, 40.0)):
        made.add_pose(pose(at_s, moved_mm, 5, 0), now_s=at_s)
        made.add_pose(pose(at_s, moved_mm, 0, 0, tool="Patient"), now_s=at_s)
    made.add_count(count(1.0), now_s=1.1)
    tip = emitted[0].patient_from_tip
    assert tip is not None
    assert np.allclose(tip.translation_mm, (1000, 5, 100))


@pytest.mark.parametrize(
    ("chain", "doubt"),
    [
        (replace(CHAIN, tip_doubt="the tip's calibration has expired"), "the tip's calibration has expired"),
        (replace(CHAIN, registration_doubt="the reference has slipped"), "the reference has slipped"),
    ],
    ids=["tip", "registration"],
)
def test_a_doubted_chain_places_a_count_and_keeps_it_from_use(chain: TipChain, doubt: str) -> None:
    """What speaks against the tip or the registration goes with the pose, and the count may not localise."""
    made, emitted = synchroniser(chain)
    made.add_pose(pose(1.0, 0, 0, 0), now_s=1.0)
    made.add_pose(pose(1.06, 0, 0, 0), now_s=1.06)
    made.add_count(count(1.0), now_s=1.1)
    assert emitted[0].status is TrackStatus.DOUBTED
    assert emitted[0].patient_from_tip is not None
    seen = made.newest_tip()
    assert seen is not None
    assert seen.doubt == doubt


def test_a_new_registration_places_the_counts_that_wait() -> None:
    """A chain that is put in place of another holds from the next pose on."""
    made, emitted = synchroniser(replace(CHAIN, patient_from_reference=None))
    made.add_pose(pose(1.0, 0, 0, 0), now_s=1.0)
    made.add_count(count(1.0), now_s=1.1)
    made.chain = CHAIN
    made.add_pose(pose(1.06, 0, 0, 0), now_s=1.11)
    assert emitted[0].status is TrackStatus.OK


def test_a_pose_that_is_doubted_where_it_is_keeps_its_count_from_use() -> None:
    """Far from the landmarks a count is placed and not believed, nearer to them the next one is.

    The tip that is shown is doubted there and nowhere else, in the same words.
    """
    chain = replace(CHAIN, doubt_at=lambda tip: "too far from the landmarks" if tip.translation_mm[1] > 5 else "")
    made, emitted = synchroniser(chain)
    doubts = []
    for step in range(7):
        made.add_pose(pose(1.0 + 0.05 * step, 0, 8.0 if step < 3 else 0.0, 0), now_s=1.0 + 0.05 * step)
        seen = made.newest_tip()
        doubts.append(seen.doubt if seen else "not seen")
    assert doubts == 3 * ["too far from the landmarks"] + 4 * [""]
    made.add_count(count(1.0), now_s=1.4)
    made.add_count(count(1.2), now_s=1.4)
    assert [tracked.status for tracked in emitted] == [TrackStatus.DOUBTED, TrackStatus.OK]


def test_the_newest_tip_has_its_velocity() -> None:
    """A tip that moves by 3 mm each 50 ms has 60 mm/s; where it was not seen before, none is told."""
    made, _ = synchroniser()
    made.add_pose(pose(1.0, 0, 0, 0), now_s=1.0)
    seen = made.newest_tip()
    assert seen is not None
    assert made.velocity_mm_s(seen) is None
    for step in range(1, 5):
        made.add_pose(pose(1.0 + 0.05 * step, 0, 3.0 * step, 0), now_s=1.0 + 0.05 * step)
    seen = made.newest_tip()
    assert seen is not None
    velocity_mm_s = made.velocity_mm_s(seen)
    assert velocity_mm_s is not None
    assert np.allclose(velocity_mm_s, (0, 60, 0))


def test_the_newest_tip_is_of_the_newest_poses_and_the_newest_chain() -> None:
    """Asked again it moves with the reference's next pose, with a new registration, and is gone with its tool."""
    made, _ = synchroniser(replace(CHAIN, reference="Patient"))
    for at_s in (1.0, 1.02):
        made.add_pose(pose(at_s, 0, 5, 0), now_s=at_s)
        made.add_pose(pose(at_s, 0, 0, 0, tool="Patient"), now_s=at_s)
    seen = made.newest_tip()
    assert seen is not None
    assert np.allclose(seen.patient_from_tip.translation_mm, (1000, 5, 100))
    made.add_pose(pose(1.04, 0, 5, 0), now_s=1.04)
    made.add_pose(pose(1.04, 0, 2, 0, tool="Patient"), now_s=1.04)
    seen = made.newest_tip()
    assert seen is not None
    assert np.allclose(seen.patient_from_tip.translation_mm, (1000, 3, 100))
    made.chain = replace(made.chain, patient_from_reference=shift(Frame.PATIENT, Frame.REFERENCE, 2000, 0, 0))
    seen = made.newest_tip()
    assert seen is not None
    assert np.allclose(seen.patient_from_tip.translation_mm, (2000, 3, 100))
    lost = replace(pose(1.06, 0, 0, 0), tracker_from_tool=None, status=PoseStatus.MISSING)
    made.add_pose(lost, now_s=1.06)
    assert made.newest_tip() is None


def test_a_lost_reference_is_a_lost_tip_at_once() -> None:
    """Though the tool was seen a moment before: where the patient is by now nobody knows."""
    made, _ = synchroniser(replace(CHAIN, reference="Patient"))
    made.add_pose(pose(1.0, 0, 5, 0), now_s=1.0)
    made.add_pose(pose(1.0, 0, 0, 0, tool="Patient"), now_s=1.0)
    assert made.newest_tip() is not None
    gone = pose(1.01, 0, 0, 0, tool="Patient")
    made.add_pose(replace(gone, tracker_from_tool=None, status=PoseStatus.MISSING), now_s=1.01)
    assert made.newest_tip() is None


def test_counts_that_are_late_get_the_pose_of_when_they_were_counted() -> None:
    """Where counts are 40 ms behind poses, one stamped 1.05 s is placed where the tip was at 1.01 s."""
    emitted: list[TrackedCount] = []
    made = Synchroniser(CHAIN, emit=emitted.append, delay_s=0.04)
    made.add_count(count(1.0), now_s=1.1)
    made.add_pose(pose(1.0, 0, 0, 0), now_s=1.1)
    made.add_pose(pose(1.02, 0, 2, 0), now_s=1.1)
    assert emitted[0].patient_from_tip is not None
    assert np.allclose(emitted[0].patient_from_tip.translation_mm, (1000, 1, 100))
