"""The simulated patient's trunk against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulators.body import AIR_HU, BONE_HU, LUNG_HU, SOFT_TISSUE_HU, STEPS, Body

BODY = Body()
POINTS = 20_001
SOFT, LUNG = 1.0224, 0.25
"""Of 40 HU and of -750 HU: on the lines from water to bone, and from air to water."""

place = st.tuples(st.floats(-250, 250), st.floats(-200, 200), st.floats(-100, 100)).map(np.array)


def sampled_mm(from_mm: NDArray[np.float64], to_mm: NDArray[np.float64]) -> float:
    """Water by asking along the line for the organ, a point at a time."""
    share = (np.arange(POINTS) + 0.5) / POINTS
    hu = BODY.hounsfield(from_mm + share[:, None] * (to_mm - from_mm))
    by_organ = {AIR_HU: 0.0, LUNG_HU: LUNG, SOFT_TISSUE_HU: SOFT, BONE_HU: 1.2352}
    return float(sum(water * (hu == number).mean() for number, water in by_organ.items())) * float(
        np.linalg.norm(to_mm - from_mm)
    )


@given(from_mm=place, to_mm=place)
def test_the_water_on_a_line_is_what_sampling_finds(
    from_mm: NDArray[np.float64], to_mm: NDArray[np.float64]
) -> None:
    """From anywhere to anywhere, inside or out, through lung and spine."""
    step_mm = float(np.linalg.norm(to_mm - from_mm)) / STEPS
    (found_mm,) = BODY.water_mm(from_mm, to_mm[None])
    assert found_mm == pytest.approx(sampled_mm(from_mm, to_mm), abs=4 * step_mm + 1e-2)


def test_lines_that_are_known() -> None:
    """To the spine, along the long axis, past the body, and each of several points for itself."""
    front = np.array([0.0, -200.0, 0.0])
    targets = np.array([[0.0, 50.0, 0.0], [300.0, -200.0, 0.0], [0.0, -105.0, 0.0]])
    assert BODY.water_mm(front, targets) == pytest.approx([155.0 * SOFT, 0.0, 0.0], abs=0.7)
    assert BODY.water_mm(np.zeros(3), np.array([[0.0, 0.0, 50.0]])) == pytest.approx([50.0 * SOFT])
    assert BODY.water_mm(np.zeros(3), np.zeros((1, 3))) == pytest.approx([0.0])


@given(across=st.floats(-0.95, 0.95), z_mm=st.floats(-100, 100))
def test_the_skin_is_the_front_wall(across: float, z_mm: float) -> None:
    """On the wall, towards the front (-y in LPS); a step out is air, a step in is body, a depth is a path."""
    point_mm, outward = BODY.skin(across, z_mm)
    assert np.linalg.norm(outward) == pytest.approx(1.0)
    assert point_mm[1] < 0
    assert outward[1] < 0
    assert not BODY.contains(point_mm + 0.01 * outward)
    assert BODY.contains(point_mm - 0.01 * outward)
    (depth_mm,) = BODY.water_mm(point_mm + 5 * outward, (point_mm - 20 * outward)[None])
    assert depth_mm == pytest.approx(20.0 * SOFT, abs=0.1)


def test_the_ct_shows_lungs_left_and_right_and_the_spine_behind() -> None:
    """CT numbers at places that an anatomy book names."""
    places = {
        (72.0, 5.0, 0.0): LUNG_HU,
        (-72.0, 5.0, 0.0): LUNG_HU,
        (0.0, 68.0, 0.0): BONE_HU,
        (0.0, -68.0, 0.0): SOFT_TISSUE_HU,
        (0.0, -110.0, 0.0): AIR_HU,
        (0.0, 0.0, 121.0): AIR_HU,
    }
    assert BODY.hounsfield(np.array(list(places))) == pytest.approx(list(places.values()))
