"""Half a turn of the patient, told by where the tip came from and by what landmarks are called."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.calibration.approach import FROM_BELOW_DEG, Lying, angle_to_down_deg, doubt_names

NAMES = ("sternal notch", "left shoulder", "right shoulder", "xiphoid")
PLACES_MM = np.array([(0.0, -100, 90), (120.0, -60, 80), (-130.0, -55, 85), (4.0, -105, -40)])
"""LPS: +x is her left, +y her back."""

TURN = np.array((-1.0, -1.0, 1.0))


@pytest.mark.parametrize(
    ("lying", "down"),
    [
        (Lying.SUPINE, (0, 1, 0)),
        (Lying.PRONE, (0, -1, 0)),
        (Lying.LEFT, (1, 0, 0)),
        (Lying.RIGHT, (-1, 0, 0)),
    ],
)
def test_down_is_the_side_that_she_lies_on(lying: Lying, down: tuple[int, int, int]) -> None:
    """In DICOM's patient axes +x is the patient's left and +y her back (PS3.3 C.7.6.2.1.1)."""
    np.testing.assert_array_equal(lying.down, down)
    assert angle_to_down_deg([down], lying) == pytest.approx(0.0)
    assert angle_to_down_deg([down * TURN], lying) == pytest.approx(180.0)


@given(
    lean_deg=st.floats(0.0, 70.0),
    about_deg=st.floats(0.0, 360.0),
    lying=st.sampled_from(list(Lying)),
)
def test_half_a_turn_takes_what_came_from_above_to_below(lean_deg: float, about_deg: float, lying: Lying) -> None:
    """However the hand leans, up to 70°: the angle to straight down and that after half a turn add up to 180°."""
    lean, about = np.radians((lean_deg, about_deg))
    aside, headwards = np.array((lying.down[1], lying.down[0], 0.0)), np.array((0.0, 0.0, 1.0))
    axis = np.cos(lean) * lying.down + np.sin(lean) * (np.cos(about) * aside + np.sin(about) * headwards)
    # a lean to the side turns with her, one along her does not
    turned_deg = angle_to_down_deg([axis * TURN], lying)
    assert angle_to_down_deg([axis], lying) == pytest.approx(lean_deg, abs=1e-4)
    assert turned_deg == pytest.approx(180.0 - lean_deg, abs=1e-4)
    assert turned_deg > FROM_BELOW_DEG


def test_names_tell_a_half_turn() -> None:
    """What is called left lies on her right: x was negated, with y or without."""
    assert doubt_names(NAMES, PLACES_MM) == ""
    for turned in (PLACES_MM * TURN, PLACES_MM * (-1, 1, 1)):
        assert "left shoulder lies to the right of right shoulder" in doubt_names(NAMES, turned)


@pytest.mark.parametrize(
    "names",
    [
        ("вырезка", "левое плечо", "правое плечо", "мечевидный отросток"),
        ("Jugulum", "linke Schulter", "rechte Schulter", "Xiphoid"),
        ("notch", "Shoulder L", "Shoulder R", "xiphoid"),
    ],
)
def test_names_of_other_languages_tell_it_too(names: tuple[str, ...]) -> None:
    """Russian, German, and letters."""
    assert doubt_names(names, PLACES_MM) == ""
    assert f"{names[1]} lies to the right of {names[2]}" in doubt_names(names, PLACES_MM * TURN)


@pytest.mark.parametrize(
    "names",
    [
        ("notch", "shoulder 1", "shoulder 2", "xiphoid"),
        ("notch", "left shoulder", "other shoulder", "xiphoid"),
        ("notch", "upright cleft", "bright leftover", "xiphoid"),
        ("notch", "left of right breast", "right shoulder", "xiphoid"),
    ],
)
def test_names_that_tell_nothing_doubt_nothing(names: tuple[str, ...]) -> None:
    """Without a word for either side, with one of both, with it inside another word, with both in one name."""
    assert doubt_names(names, PLACES_MM * TURN) == ""


def test_what_lies_close_together_is_not_told_by_its_name() -> None:
    """Left and right rim of one wound, 10 mm apart, may be the viewer's."""
    near_mm = np.array([(0.0, -100, 0), (-5.0, -100, 0), (5.0, -100, 0), (0, -100, 40)])
    assert doubt_names(("a", "left rim", "right rim", "b"), near_mm) == ""
