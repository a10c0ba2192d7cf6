"""What a frame says where something speaks against the tip's place, and that it guides nowhere from there."""

from dataclasses import replace
from typing import Any

import pytest

from tests.display.test_composer import ready

SPOKEN_AGAINST: tuple[dict[str, Any], ...] = (
    {"tip_doubt": "the tip's calibration has expired"},
    {"registration_doubt": "it was last checked 40 min ago"},
)
FAR_FROM_LANDMARKS = "here the registration is good to 9 mm only"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        *((keys, words) for keys in SPOKEN_AGAINST for words in keys.values()),
        ({"doubt_at": lambda _: FAR_FROM_LANDMARKS}, FAR_FROM_LANDMARKS),
    ],
    ids=["tip", "registration", "place"],
)
async def test_whatever_is_doubted_is_said_with_the_pose_and_in_place_of_guidance(
    keys: dict[str, Any], words: str
) -> None:
    """The tip's calibration, the registration, and a place where it is not good enough."""
    console = await ready()
    console.synchroniser.chain = replace(console.synchroniser.chain, **keys)
    frame = console.frame(10.1)
    assert frame.pose is not None
    assert (frame.pose.doubt, frame.guidance.sentence) == (words, f"Position not trusted: {words}")
    assert all(target.distance_mm is None for target in frame.targets)


@pytest.mark.parametrize("keys", SPOKEN_AGAINST, ids=["tip", "registration"])
async def test_a_doubt_is_said_also_while_the_probe_is_not_seen(keys: dict[str, Any]) -> None:
    """Who knows it while the probe lies on the table needs no second look once it is held."""
    console = await ready()
    console.synchroniser.chain = replace(console.synchroniser.chain, **keys)
    console.see(10.05, is_seen=False)
    frame = console.frame(10.1)
    assert frame.pose is None
    assert frame.guidance.sentence == f"Position not trusted: {next(iter(keys.values()))}"
