"""The service's own sentences, as the page's texts list them: all of them, and none that nobody says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from acquisition.session.steps import Need
from devices.trackers.ndi_words import IN_PORT, INITIALISED, TOOL_STATES, port_words, tool_words
from display.composer import Composer
from navigation.screening.sieve import Reason

UNKNOWN = 99
"""State of a tool that no manual has."""

ROOT = Path(__file__).parents[3]
ROOMS = ("navigation", "acquisition", "devices", "display", "composition")

LISTED = ROOT / "display/page/src/texts/sentences.ts"

SPEAKING = (
    ("navigation/steering/guidance.py", {"guide", "_sentence"}),
    ("navigation/hotspots/masking.py", None),
    ("navigation/estimation/judgement.py", None),
    ("display/composer.py", {Composer._obstacle.__name__}),
    ("display/states/resection.py", {"act"}),
    ("display/states/procedure.py", {"act"}),
    ("display/access/gate.py", {"__call__"}),
    ("display/access/admission.py", {"sign_in"}),
    ("acquisition/session/checklist.py", None),
    ("acquisition/session/session.py", {"refuse", "sort", "check", "confirm_frames", "draw", "erase"}),
    ("acquisition/session/drawn.py", {"refuse_activity", "refuse_drawing", "misplaced"}),
    ("acquisition/session/reception.py", {"choose_scheduled", "choose_study"}),
    ("acquisition/tracking/joining.py", {"_read", "_of_another", "_beyond_limit"}),
    ("acquisition/tracking/suspicion.py", {"doubt"}),
    ("navigation/calibration/on_skin.py", None),
    ("acquisition/tracking/registration_file.py", {"doubt"}),
    ("acquisition/tracking/tip_file.py", {"doubt"}),
    ("acquisition/tracking/desk.py", {"begin", "answer", "end", "_ask"}),
    ("acquisition/tracking/following.py", {"_seen"}),
    (
        "acquisition/tracking/tool.py",
        {"run", "_step", "pivot_progress", "spin_progress", "judge_pivot", "judge_spin"},
    ),
    ("acquisition/tracking/timing.py", {"sweep_of", "sweep_progress", "judge_timing"}),
    ("acquisition/tracking/axis.py", {"swing_of", "swing_progress", "judge_axis"}),
    ("acquisition/tracking/swept_probe.py", {"counted_track"}),
    ("navigation/calibration/looking.py", None),
    ("acquisition/tracking/register.py", {"_judged"}),
    ("acquisition/tracking/touching.py", {"touch_all", "touch_progress", "_not_held"}),
    ("acquisition/tracking/judging.py", None),
    ("acquisition/tracking/drawing.py", None),
    ("acquisition/tracking/approaching.py", None),
    ("acquisition/tracking/landmark_plan.py", {"parse_plan"}),
    ("navigation/calibration/pivot.py", None),
    ("navigation/calibration/spin.py", None),
    ("navigation/calibration/timing.py", None),
    ("navigation/calibration/landmarks.py", None),
    ("navigation/calibration/matching.py", None),
    ("navigation/calibration/approach.py", {"doubt_names"}),
    ("navigation/calibration/surface.py", None),
    ("navigation/registration_error.py", {"check_landmarks"}),
    ("display/routes/calibration.py", {"act"}),
    ("composition/calibrating.py", None),
    ("composition/in_use.py", {"superseded"}),
    ("acquisition/archive.py", {"choose"}),
    ("acquisition/intake.py", {"stranger", "_namesake"}),
    ("devices/trackers/igtl_streams.py", {"hear", "see"}),
    ("devices/trackers/igtl_repeats.py", {"said"}),
    ("devices/trackers/igtl_lateness.py", {"late"}),
    (
        "acquisition/resection/resection.py",
        {"remove", "restore", "count_bed", "label", "discard", "_begin", "_end"},
    ),
    ("acquisition/resection/shift.py", {"refuse_shift"}),
    ("devices/supervision.py", {"_open", "_silence"}),
    ("devices/dicom/clients/outbox.py", {"__str__"}),
    ("devices/dicom/clients/dispatch.py", {"_unstarted", "_broken_off"}),
    ("acquisition/replay/player.py", {"_watch"}),
    ("display/stage.py", {"_refuse"}),
)
"""Where what a person reads is said: modules, and the functions of them."""

NOT_FOR_PERSONS = (
    "docs/feed.md",
    "does not say of what",
    "the time-out is not held",
    "the time-out has no item",
    "landmarks come in pairs of points",
    "not every coordinate of the",
)
"""In sentences that only a program at fault gets."""


def listed() -> list[str]:
    """List the sentences as the page has them."""
    words = LISTED.read_text().split("= [")[1].split("] as const")[0]
    return [each.replace("{n}", "{}") for each in re.findall(r'^\s+"(.+)",$', words, re.MULTILINE)]


def template(node: ast.AST) -> str | None:
    """Write a string literal with ``{}`` for what is put in; None for any other node."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
    return None


def literals(tree: ast.AST) -> Iterator[str]:
    """Give the string literals of a tree, docstrings and parts of longer ones left out."""
    for node in ast.iter_child_nodes(tree):
        text = template(node)
        if text is not None:
            yield text
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield from literals(node)


def said(path: str, functions: set[str] | None) -> Iterator[str]:
    """Give what a module's functions say: literals of more than two words."""
    tree = ast.parse((ROOT / path).read_text())
    places = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (functions is None or node.name in functions)
    ]
    assert functions is None or {place.name for place in places} == functions, f"{path} has no longer all of them"
    for place in places:
        for statement in place.body:
            for text in literals(ast.Module([statement], [])):
                is_sentence = " " in text and len(re.findall(r"[a-z]{2,}", text)) > 2
                if is_sentence and not any(each in text for each in NOT_FOR_PERSONS):
                    yield text


def fixed_parts(sentence: str) -> list[str]:
    """What a template says itself, without units and marks at either end of each part."""
    parts = (re.sub(r"^[ ,;:]*((mm|s|keV)\b)?[ ,;:]*", "", part).strip(" ,;:±") for part in sentence.split("{}"))
    return [part for part in parts if len(part) > 5]


def of_tools() -> set[str]:
    """Give what an NDI tracker's driver puts together of a tool that it does not see well."""
    states = {tool_words(state) for state in (*TOOL_STATES.keys() - {0}, UNKNOWN)}
    return states | {port_words(status) for status in (0, IN_PORT, IN_PORT | INITIALISED)}


@pytest.mark.parametrize(("path", "functions"), SPEAKING, ids=[path for path, _ in SPEAKING])
def test_every_sentence_is_listed(path: str, functions: set[str] | None) -> None:
    """A sentence that the page's texts do not list would stay English everywhere."""
    known = "\n".join(listed())
    missing = [text for text in said(path, functions) if any(part not in known for part in fixed_parts(text))]
    assert not missing, f"add to {LISTED.name}, and to each language: {missing}"


def test_what_a_tracker_says_of_a_tool_is_listed() -> None:
    """Each state of a tool and of its port, and one that we do not know: as whole sentences."""
    assert {each.replace(str(UNKNOWN), "{}") for each in of_tools()} <= set(listed())


@pytest.mark.parametrize("words", [Need, Reason])
def test_what_is_needed_and_left_out_is_listed(words: type[Need | Reason]) -> None:
    """Each need of a step, and each reason to leave a reading out."""
    assert {each.value for each in words} <= set(listed())


def test_no_sentence_is_listed_that_nobody_says() -> None:
    """Each part of each template stands in the service's own sources."""
    modules = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts]
    spoken = "\n".join(
        str(node.value)
        for path in modules
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    spoken += "\n".join(of_tools())
    dead = [each for each in listed() if any(part not in spoken for part in fixed_parts(each))]
    assert not dead
