"""Every sentence that a surgeon may read is written the same way."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from navigation.estimation.estimate import Posterior
from tests.display.test_composer import Console, believed, estimate, ready

KNOWN = believed(estimate(), until_s=9.9).posterior

OBSTACLES: dict[str, Callable[[Console], None]] = {
    "no tracker": lambda console: setattr(console.composer, "synchroniser", None),
    "not registered": lambda console: setattr(
        console.synchroniser, "chain", replace(console.synchroniser.chain, patient_from_reference=None)
    ),
    "not calibrated": lambda console: setattr(console.composer, "response", None),
    "failed": lambda console: console.localiser.begin(None, obstacle="the study has no CT"),
    "calibrating": lambda console: setattr(console.composer, "is_calibrating", lambda: True),
    "probe not seen": lambda console: console.see(10.05, is_seen=False),
    "nothing counted": lambda console: setattr(console.localiser, "newest", None),
}
BELIEFS: dict[str, Posterior] = {
    "seen": KNOWN,
    "no counts": replace(KNOWN, readings=0),
    "inconsistent": replace(KNOWN, is_consistent=False),
    "no target": replace(KNOWN, targets=()),
    "absent": replace(KNOWN, targets=(replace(estimate(), presence=0.01),)),
    "not located": replace(KNOWN, targets=(estimate(is_localisable=False),)),
    "behind": replace(KNOWN, targets=(replace(estimate(), centre_mm=estimate().centre_mm * [1, 9, 1]),)),
}


def is_well_written(sentence: str) -> bool:
    """Whether it begins with a capital and ends without a full stop, as all lines on the display."""
    return sentence[:1].isupper() and sentence[-1:].isalnum()


@pytest.mark.parametrize("case", OBSTACLES)
async def test_what_hinders_is_a_sentence(case: str) -> None:
    """What keeps navigation from guiding is said with a capital and without a full stop."""
    console = await ready()
    OBSTACLES[case](console)
    sentence = console.frame(10.1).guidance.sentence
    assert is_well_written(sentence), sentence


async def test_a_missing_study_is_a_sentence() -> None:
    """So is the wish for a study."""
    console = Console()
    console.see(10.0)
    assert is_well_written(console.frame(10.1).guidance.sentence)


@pytest.mark.parametrize("case", BELIEFS)
async def test_what_is_believed_is_a_sentence(case: str) -> None:
    """So is all that the estimate has to say, also where the target's name comes first."""
    console = await ready()
    assert console.localiser.newest is not None
    console.localiser.newest = replace(console.localiser.newest, posterior=BELIEFS[case])
    sentence = console.frame(10.1).guidance.sentence
    assert is_well_written(sentence), sentence
