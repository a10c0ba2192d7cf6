"""The simulated hand: what it touches when it is asked."""

import numpy as np
import pytest

from simulators.theatre import PATIENT_FROM_REFERENCE, PATIENT_TOOL, PROBE_TOOL, TOOL_FROM_TIP
from simulators.tool_bench import Hand, landmarks_mm


def touched(hand: Hand) -> str:
    """Name the landmark that its tip is at."""
    seen = hand.poses(0.0)
    tool, marker = seen[PROBE_TOOL], seen[PATIENT_TOOL]
    assert tool is not None
    assert marker is not None
    tip_mm = (tool @ TOOL_FROM_TIP).translation_mm
    reference_mm = (tip_mm - marker.translation_mm) @ marker.rotation
    place_mm = PATIENT_FROM_REFERENCE.points_mm(reference_mm)
    return min(landmarks_mm(), key=lambda name: float(np.linalg.norm(landmarks_mm()[name] - place_mm)))


def test_a_landmark_is_touched_by_its_name_or_any_that_was_not_yet() -> None:
    """Where none is named it comes to each once, in an order of its own, before it begins anew."""
    hand = Hand(started_s=0.0, rng=np.random.default_rng(1))
    hand.move("touch", "xiphoid")
    assert touched(hand) == "xiphoid"
    found = []
    for _ in range(12):
        hand.move("touch")
        found.append(touched(hand))
    assert sorted(found[:6]) == sorted(found[6:]) == sorted(landmarks_mm())
    assert found[:6] != list(landmarks_mm())
    with pytest.raises(ValueError, match="touch nose"):
        hand.move("touch", "nose")


def test_it_misses_alike_however_much_is_drawn_meanwhile() -> None:
    """A busy host has other counts and poses drawn between two touches; where they miss is the seed's alone."""
    left, right = (Hand(started_s=0.0, rng=np.random.default_rng(1)) for _ in range(2))
    for name in landmarks_mm():
        right.events(0.0, 1.0)
        seen = []
        for hand in (left, right):
            hand.move("touch", name)
            tool = hand.poses(0.0)[PROBE_TOOL]
            assert tool is not None
            seen.append(tool.translation_mm)
        np.testing.assert_array_equal(seen[0], seen[1])
