"""What a frame says where something speaks against the tip's place, and that it guides nowhere from there."""

from dataclasses import replace
from typing import Any

import pytest

from display.messages.procedure import ProcedureRequest
from display.states.procedure import act
from tests.display.test_composer import TIP_MM, ready

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


async def test_a_mark_keeps_where_the_tip_was_only_where_that_is_trusted() -> None:
    """The report would give a place that is doubted, or a second old, as where it was."""
    console = await ready()
    registered = console.synchroniser.chain
    slipped = replace(registered, registration_doubt="the reference has slipped")
    kept = list[object]()
    for chain, at_s in ((registered, 10.1), (slipped, 10.1), (registered, 11.1)):
        console.synchroniser.chain = chain
        frame = console.frame(at_s)
        asked = ProcedureRequest(revision=0, action="mark")
        seq = await act(console.session, console.composer.yardstick, asked, frame)
        assert isinstance(seq, int)
        marked = console.journal.find(seq)
        assert marked is not None
        kept.append(marked.told["tip_mm"])
    assert kept == [list(TIP_MM), None, None]
