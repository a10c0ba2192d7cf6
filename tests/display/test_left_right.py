"""Left is left: from a tracker's bytes to what the display says, over a scene that is worked out by hand.

The patient lies on the back; DICOM's axes are +x to the patient's left, +y to the back, +z to the head. The
tracker stands at the feet and looks to the head: its +z is the patient's head, its +y the front, its +x the
patient's right. The marker on the patient has +x to the head, +y to the patient's left, +z to the back; it lies at
(0, -100, 50) mm in the patient, (-30, 40, 900) mm in the tracker. The probe points straight down into the patient,
its tip at (20, -90, 100) mm in the patient, which is (-50, 30, 950) mm in the tracker.
"""

import numpy as np
import pyigtl
import pytest

from acquisition.synchronise import Synchroniser, TipChain, TrackedCount
from devices.readings import PoseReading
from devices.trackers.igtl_link import IgtlLink
from devices.trackers.openigtlink import OpenIgtLinkTracker, Settings
from display.messages.estimate import TargetState
from display.states.target import show_target
from navigation.estimation.estimate import TargetEstimate, region_of
from navigation.frames import Frame
from navigation.transforms import RigidTransform

PATIENT_FROM_REFERENCE = ((0, 1, 0, 0), (0, 0, 1, -100), (1, 0, 0, 50), (0, 0, 0, 1))
"""Columns: the marker's axes in the patient, and its place."""
TRACKER_FROM_REFERENCE = ((0, -1, 0, -30), (0, 0, -1, 40), (1, 0, 0, 900), (0, 0, 0, 1))
TOOL_FROM_TIP = ((0, 1, 0, 20), (0, 0, -1, -150), (-1, 0, 0, 5), (0, 0, 0, 1))
"""The marker on the handle: the probe looks along its -y, the up mark is at its +x, the tip 150 mm down."""

UP_TO_THE_HEAD = ((0, 0, -1, -45), (0, 1, 0, 180), (1, 0, 0, 930), (0, 0, 0, 1))
"""Handle's marker in the tracker: +x to the head, +y to the front, +z to the patient's left."""
UP_TO_THE_FEET = ((0, 0, 1, -55), (0, 1, 0, 180), (-1, 0, 0, 970), (0, 0, 0, 1))
"""The same, turned half round about the way it looks; the tip stays where it is."""

ON_THE_LEFT, ON_THE_RIGHT = (60.0, -20.0, 110.0), (-20.0, -20.0, 90.0)

Rows = tuple[tuple[int, ...], ...]


def transform(rows: Rows, *, to: Frame, from_: Frame) -> RigidTransform:
    return RigidTransform.from_matrix(np.array(rows, dtype=np.float64), to=to, from_=from_)


def drop(_: TrackedCount) -> None:
    """Nothing is counted here."""


def node(centre_mm: tuple[float, float, float]) -> TargetEstimate:
    semi_axes_mm, axes = region_of(np.eye(3))
    return TargetEstimate(
        name="node",
        kind="target",
        presence=0.99,
        centre_mm=np.array(centre_mm),
        covariance_mm2=np.eye(3),
        log_activity_mean=0.0,
        log_activity_sigma=0.1,
        is_localisable=True,
        reason="",
        region_semi_axes_mm=semi_axes_mm,
        region_axes=axes,
        mapped_mm=None,
    )


async def poses(**tools: Rows) -> list[PoseReading]:
    """What the driver makes of the bytes that pyigtl sends for these tools."""
    settings = Settings(driver="openigtlink", host="camera", tools=tuple(tools))
    link = IgtlLink(lambda: 10.0, largest_body_bytes=settings.largest_body_bytes)
    for tool, rows in tools.items():
        link.data_received(pyigtl.TransformMessage(np.array(rows, dtype=np.float64), device_name=tool).pack())
    tracker = OpenIgtLinkTracker("camera", settings, link, opened_at_s=10.0)
    return [await anext(tracker) for _ in tools]


async def shown(target: TargetEstimate, **tools: Rows) -> TargetState:
    """The target as a display gets it."""
    chain = TipChain(
        tool="Probe",
        reference="Patient",
        tool_from_tip=transform(TOOL_FROM_TIP, to=Frame.TOOL, from_=Frame.TIP),
        patient_from_reference=transform(PATIENT_FROM_REFERENCE, to=Frame.PATIENT, from_=Frame.REFERENCE),
    )
    synchroniser = Synchroniser(chain, emit=drop)
    for reading in await poses(**tools):
        synchroniser.add_pose(reading, now_s=10.0)
    seen = synchroniser.newest_tip()
    assert seen is not None
    assert seen.patient_from_tip.translation_mm == pytest.approx((20.0, -90.0, 100.0))
    return show_target(target, seen.patient_from_tip)


@pytest.mark.parametrize(
    ("place_mm", "probe", "right_mm", "up_mm"),
    [
        pytest.param(ON_THE_LEFT, UP_TO_THE_HEAD, 40.0, 10.0, id="patient's left, up mark to the head"),
        pytest.param(ON_THE_RIGHT, UP_TO_THE_HEAD, -40.0, -10.0, id="patient's right, up mark to the head"),
        pytest.param(ON_THE_LEFT, UP_TO_THE_FEET, -40.0, -10.0, id="patient's left, up mark to the feet"),
        pytest.param(ON_THE_RIGHT, UP_TO_THE_FEET, 40.0, 10.0, id="patient's right, up mark to the feet"),
    ],
)
async def test_left_is_left_from_the_trackers_bytes_on(
    place_mm: tuple[float, float, float], probe: Rows, right_mm: float, up_mm: float
) -> None:
    """Who looks down on a patient, head up, has the patient's left at the right hand; turned round, not."""
    target = await shown(node(place_mm), Probe=probe, Patient=TRACKER_FROM_REFERENCE)
    assert target.tip_right_mm == pytest.approx(right_mm)
    assert target.tip_up_mm == pytest.approx(up_mm)
    assert target.tip_ahead_mm == pytest.approx(70.0)
    assert target.distance_mm == pytest.approx(np.sqrt(40**2 + 10**2 + 70**2))


async def test_a_tracker_that_is_moved_changes_nothing() -> None:
    """Turned a quarter and carried away, it sees both markers elsewhere; the target stays where it was."""
    moved = np.array(((0, 0, 1, 500), (0, 1, 0, -70), (-1, 0, 0, 800), (0, 0, 0, 1)))
    target = await shown(
        node(ON_THE_LEFT),
        Probe=tuple(map(tuple, (moved @ UP_TO_THE_HEAD).tolist())),
        Patient=tuple(map(tuple, (moved @ TRACKER_FROM_REFERENCE).tolist())),
    )
    assert target.tip_right_mm == pytest.approx(40.0)
    assert target.tip_up_mm == pytest.approx(10.0)
    assert target.tip_ahead_mm == pytest.approx(70.0)
