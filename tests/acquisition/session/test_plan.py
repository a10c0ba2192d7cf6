"""What a plan says of a hot spot: its side, its depth, and the rate to expect at the skin."""

from dataclasses import replace

import numpy as np
import pytest

from acquisition.session.plan import PlannedSource, plan_of
from acquisition.studies.reading import StudyMap
from tests.acquisition.received import STEP_MM, hotspot, study, study_map
from tests.acquisition.resection.test_resection import RESPONSE


def map_of(x_mm: float) -> StudyMap:
    """A map whose only hot spot lies so far to the patient's left (LPS), 10 mm under the front skin."""
    return replace(study_map(study()), hotspots=(replace(hotspot(1.0), centre_mm=np.array([x_mm, -20.0, 0.0])),))


def planned(x_mm: float, *, left: float | None) -> PlannedSource:
    (source,) = plan_of(map_of(x_mm), RESPONSE, left=left)
    return source


@pytest.mark.parametrize(
    ("x_mm", "side"), [(30.0, "left"), (16.0, "left"), (10.0, "midline"), (-10.0, "midline"), (-30.0, "right")]
)
def test_the_side_is_the_patients(x_mm: float, side: str) -> None:
    """DICOM's x grows to the patient's left (PS3.3 C.7.6.2.1.1); near the middle of the scan no side is named."""
    assert planned(x_mm, left=1.0).side == side


def test_the_rate_at_the_skin_is_of_what_is_left() -> None:
    """Half of the activity adds half as much to the background; of a share that is not known nothing is told."""
    whole, half, unknown = (planned(0.0, left=share) for share in (1.0, 0.5, None))
    assert (whole.activity_mbq, half.activity_mbq, unknown.activity_mbq) == (1.0, 0.5, None)
    assert whole.skin_rate_cps is not None
    assert half.skin_rate_cps is not None
    added_cps = [rate_cps - RESPONSE.background_cps for rate_cps in (half.skin_rate_cps, whole.skin_rate_cps)]
    assert added_cps[1] > 0
    assert added_cps[0] == pytest.approx(added_cps[1] / 2)
    assert unknown.skin_rate_cps is None


def test_without_a_calibration_no_rate_is_expected() -> None:
    """A rate is of a probe that was calibrated; side, depth and activity are the map's all the same."""
    (source,) = plan_of(map_of(30.0), None, left=1.0)
    assert (source.side, source.activity_mbq, source.skin_rate_cps) == ("left", 1.0, None)
    assert source.depth_mm == pytest.approx(10.0, abs=STEP_MM / 2)
