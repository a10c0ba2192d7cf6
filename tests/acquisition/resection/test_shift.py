"""How far a bed lies elsewhere by another registration: worked out by hand, refused beyond a limit."""

import numpy as np
import pytest

from acquisition.resection.shift import FARTHEST_MM, refuse_shift, shift_mm, widened
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from tests.navigation.resection.test_excision import removed as target


def registered(x_mm: float, *, half_turns: int = 0) -> RigidTransform:
    """Register so that the reference's origin lies on the patient's x axis, turned by half turns about its z."""
    sign = (-1.0) ** half_turns
    return RigidTransform(
        to=Frame.PATIENT,
        from_=Frame.REFERENCE,
        rotation=np.diag([sign, sign, 1.0]),
        translation_mm=np.array([x_mm, 0.0, 0.0]),
    )


def test_a_shift_is_that_of_the_place_itself() -> None:
    """Half a turn about the reference at x = 10 mm leaves what lies on its axis, and takes the rest across it."""
    then, now = registered(10.0), registered(10.0, half_turns=1)
    on_axis, beside = np.array([10.0, 0.0, -25.0]), np.array([14.0, 3.0, -25.0])
    np.testing.assert_allclose(shift_mm(on_axis, then=then, now=now), 0.0, atol=1e-12)
    np.testing.assert_allclose(shift_mm(beside, then=then, now=now), [-8.0, -6.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(shift_mm(beside, then=then, now=registered(12.5)), [2.5, 0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize(("then", "now"), [(None, registered(9.0)), (registered(9.0), None), (None, None)])
def test_where_one_of_both_is_not_known_nothing_is_compared(
    then: RigidTransform | None, now: RigidTransform | None
) -> None:
    """No shift, so nothing is refused and nothing widened."""
    assert not shift_mm(np.ones(3), then=then, now=now).any()


def test_a_bed_is_refused_from_the_largest_error_of_a_shown_place_on() -> None:
    """A 95 % region of 20 mm is 7.2 mm of standard error: 20 over the root of 7.815."""
    assert pytest.approx(7.154, abs=0.001) == FARTHEST_MM
    assert refuse_shift(np.array([0.0, 7.1, 0.0])) == ""
    assert "8 mm elsewhere" in refuse_shift(np.array([4.5, 4.5, 4.5]))


def test_a_place_in_doubt_by_a_shift_is_wider_along_it_alone() -> None:
    """3 mm of error and a shift of 4 mm are 5 mm; across it stay 3 mm."""
    wide = widened(target(3.0), np.array([0.0, 4.0, 0.0]))
    np.testing.assert_allclose(wide.covariance_mm2, np.diag([9.0, 25.0, 9.0]))
    np.testing.assert_allclose(wide.region_semi_axes_mm, np.sqrt(7.815) * np.array([5.0, 3.0, 3.0]))
