"""The pictures that the manual keeps: of every state, in both sizes, and of no other."""

import re
from pathlib import Path

from acquisition.session.steps import Step
from tests.display.page.pictures import SIZES
from tests.display.page.test_screenshots import STATES

DOCS = Path(__file__).parents[3] / "docs"

KEPT = {each.name for each in (DOCS / "images" / "states").glob("*.jpg")}


def in_both_sizes(names: set[str]) -> set[str]:
    """Names of the files that a state's pictures are kept in."""
    return {f"{name}-{width}x{height}.jpg" for name in names for width, height in SIZES}


def test_the_manual_names_each_picture_and_no_other() -> None:
    """The table of the manual and the folder have the same states."""
    manual = (DOCS / "display.md").read_text(encoding="utf-8").partition("## Every state in pictures")[2]
    rows = re.findall(r"^\| (`.*?) \|", manual, re.MULTILINE)
    assert in_both_sizes({name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}) == KEPT


def test_every_step_and_every_state_of_the_live_view_is_pictured() -> None:
    """A step that is new in the procedure's table is to be looked at from a thumbnail, too."""
    assert in_both_sizes({step.value.replace(" ", "-") for step in Step} | set(STATES)) <= KEPT
