"""A slip of the reference, from tracked counts to whoever is told: the process of the estimate finds it."""

from dataclasses import replace

import numpy as np
import pytest

from acquisition.estimate.estimating import Misplaced, Premises
from acquisition.estimate.localising import Localiser
from acquisition.synchronise import TrackedCount, TrackStatus
from devices.clock import monotonic
from navigation.estimation.slip import Slip
from navigation.frames import Frame
from navigation.observations import Observations
from navigation.transforms import RigidTransform
from tests.acquisition.estimate.test_localising import running, until
from tests.navigation.bench import SKIN
from tests.navigation.estimation.test_slip import ACTIVITY_MBQ, NODES_MM, mapped, response, swept


def tracked(counted: Observations, began_s: float) -> list[TrackedCount]:
    """Give what a sweep counted as tracked counts."""
    found = []
    for number, (tip_mm, axis) in enumerate(zip(counted.tip_mm, counted.axis, strict=True)):
        left = np.cross([0.0, 1.0, 0.0], axis)
        left /= np.linalg.norm(left)
        pose = RigidTransform(
            to=Frame.PATIENT,
            from_=Frame.TIP,
            rotation=np.column_stack((left, np.cross(axis, left), axis)),
            translation_mm=tip_mm,
        )
        found.append(
            TrackedCount(
                device="gamma",
                middle_s=began_s + 0.1 * number,
                counts=int(counted.counts[number]),
                live_time_s=0.1,
                patient_from_tip=pose,
                age_s=0.05,
                status=TrackStatus.OK,
            )
        )
    return found


async def until_believed(localiser: Localiser, at_s: float) -> None:
    """Wait until the belief rests on what was counted then."""
    await until(lambda: localiser.newest is not None and localiser.newest.counted_until_s >= at_s)


@pytest.mark.timeout(400)
async def test_a_slip_is_handed_on_once_and_not_before_it_happened() -> None:
    """The reference slips by 18 mm once both nodes are located; whoever listens hears of it, and how far."""
    slips = list[Misplaced]()
    localiser = Localiser(clock=monotonic, on_misplaced=slips.append)
    localiser.begin(Premises(response=response(), prior=mapped(), tissue=SKIN))
    after = swept(NODES_MM, ACTIVITY_MBQ, 2)
    slipped = replace(after, tip_mm=after.tip_mm + np.array((18.0, 0.0, 0.0)))
    before = tracked(swept(NODES_MM, ACTIVITY_MBQ, 1, seconds=24.0), 0.0)
    counts = [*before, *tracked(slipped, 24.0)]
    async with running(localiser):
        for start in range(0, len(counts), 10):
            assert not slips or start > len(before)
            for count in counts[start : start + 10]:
                localiser.take(count)
            await until_believed(localiser, counts[start : start + 10][-1].middle_s)
    (slip,) = slips
    assert isinstance(slip, Slip)
    assert slip.length_mm == pytest.approx(18.0, abs=7.0)
