"""A registration that is turned by half, in the simulated room, whose patient lies evenly about the axis."""

import json
from pathlib import Path
from typing import Any

import pytest

from acquisition.tracking.registration_file import read_registrations
from display.messages.feed import State
from simulators.tool_bench import LANDMARKS
from tests.system.running import looking, running
from tests.system.test_tracking import SIMULATED, ask, do

SCANNED_WITHIN_S = 150.0
"""The node is located after a dozen seconds of scanning, on a busy machine later."""


def saved_as_lps(right: str) -> Any:
    """Say LPS of landmarks whose places are RAS, and name them so that no name tells her sides."""
    told = json.loads(right)
    (markup,) = told["markups"]
    markup["coordinateSystem"] = "LPS"
    for number, point in enumerate(markup["controlPoints"]):
        point["label"] = f"point {number}" if point["label"] in LANDMARKS else point["label"]
    return told


def is_turned(state: State) -> bool:
    """Whether the counts speak against the registration."""
    return state.pose is not None and "the counts fit the study turned by half" in state.pose.doubt


@pytest.mark.timeout(600)
def test_half_a_turn_is_named_at_the_touch_and_else_by_the_counts(tmp_path: Path) -> None:
    """Landmarks saved as RAS where LPS is said are refused, or found out by scanning.

    Their names tell it before a touch, the way of the tip after the last one. Whoever says that she lies on her
    front has them accepted: then the counts speak against it, no way is shown any more, and a right registration
    ends it.
    """
    with running(*SIMULATED, folder=tmp_path) as service, looking(service.display) as display:
        marked = Path(service.said(r"SIMULATED landmarks: (\S+),")[1])
        right, turned = json.loads(marked.read_text()), saved_as_lps(marked.read_text())
        display.until(lambda state: state.study and state.pose and state.pose.error)
        named = json.loads(marked.read_text().replace('"RAS"', '"LPS"'))
        code, why = ask(service, "POST", "/register", {"landmarks": named})
        assert (code, "left shoulder lies to the right of right shoulder" in why) == (409, True)
        refused = do(service, "register", {"landmarks": turned, "points": 6})
        assert refused["passed"] is False
        assert "the landmarks are turned by half, as where RAS was saved as LPS" in refused["reason"]

        assert do(service, "register", {"landmarks": right})["passed"] is True
        told = do(service, "register", {"landmarks": turned, "points": 6, "lies": "prone"})
        assert told["passed"] is True
        assert told["results"][0]["reason"].startswith("very good"), "no distance shows it"
        doubted = display.until(is_turned, within_s=SCANNED_WITHIN_S)
        assert doubted.pose is not None
        assert "Save them anew, register again" in doubted.pose.doubt
        shown = display.until(lambda state: "turned by half" in state.guidance.sentence)
        assert shown.guidance.sentence.startswith("Position not trusted: registration doubtful: the counts fit")
        assert shown.guidance.advice is None

        assert do(service, "register", {"landmarks": right})["passed"] is True
        display.until(lambda state: state.pose and not state.pose.doubt, after_seq=shown.seq)
        assert len(read_registrations(marked.parent / "calibrations" / "registration.json")) == 3
        service.terminate()
        assert service.ended() == 0
