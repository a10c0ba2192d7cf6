"""Whoever moves the probe of the simulated room as a calibration asks."""

import asyncio

import numpy as np

from acquisition.quality.technologist import Choice
from acquisition.tracking.desk import Desk, Phase
from acquisition.tracking.following import Pose, Screen
from acquisition.tracking.operator import Motion, Move, Operator
from acquisition.tracking.register import RegisterOutcome
from acquisition.tracking.touching import touch_progress
from composition.simulation import move_as_asked
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.theatre import PATIENT_FROM_REFERENCE, PATIENT_TOOL, PROBE_TOOL, TOOL_FROM_TIP, Grip
from simulators.tool_bench import Hand, landmarks_mm
from tests.acquisition.tracking.registering import SETTINGS

PATIENCE_S = 60.0


def poses(grip: Grip) -> list[Pose]:
    """Give the tip before the patient's marker, 20 times a second for half a minute."""
    found = []
    for at_s in np.arange(0.0, 30.0, 0.05).tolist():
        seen = grip.poses(at_s)
        tool, marker = seen[PROBE_TOOL], seen[PATIENT_TOOL]
        assert tool is not None
        assert marker is not None
        reference = RigidTransform(
            to=marker.to, from_=Frame.REFERENCE, rotation=marker.rotation, translation_mm=marker.translation_mm
        )
        found.append(Pose(at_s=at_s, transform=reference.inverse @ tool @ TOOL_FROM_TIP))
    return found


async def test_a_landmark_that_the_hand_does_not_know_is_never_touched_and_the_next_one_is() -> None:
    """Markups of 3D Slicer are called F-1 by default: the simulated room outlives it, and no touch passes."""

    async def touch(operator: Operator, screen: Screen) -> RegisterOutcome:
        for place in ("F-1", "xiphoid"):
            await operator.ready(Move(motion=Motion.TOUCH, instruction=f"Touch {place}", place=place))
        return RegisterOutcome(is_simulated=True, results=(), aborted="", written=None)

    desk, rng = Desk(), np.random.default_rng(1)
    surgeon = Hand(started_s=0.0, rng=rng)
    grip, hand = Grip(surgeon), Hand(started_s=0.0, rng=rng, delay_s=0.0)
    assert desk.begin("register", touch) is None
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(desk.run()), tasks.create_task(move_as_asked(desk, grip, hand))]
        found = dict[str, list[Pose]]()
        while len(found) < 2:
            standing = await desk.changed(desk.standing.seq - 1, longest_s=PATIENCE_S)
            await asyncio.sleep(0)  # the hand looks at it too
            if standing.phase is Phase.WAITING and standing.move is not None:
                found[standing.move.place] = poses(grip)
                assert desk.answer("register", Choice.CONTINUE, seq=standing.seq) is None
        for task in running:
            task.cancel()
    sought = [touch_progress(found["F-1"][n - 30 : n], SETTINGS) for n in range(30, len(found["F-1"]) + 1, 3)]
    assert {progress.share for progress in sought} == {0.0}
    assert "hold it still: the tip wanders by" in sought[-1].words
    assert touch_progress(found["xiphoid"], SETTINGS).share == 1.0
    touched_mm = PATIENT_FROM_REFERENCE.points_mm(found["xiphoid"][0].transform.translation_mm[None])[0]
    assert np.linalg.norm(touched_mm - landmarks_mm()["xiphoid"]) < 5.0
