"""``acquire tool`` with the shipped OpenIGTLink driver and a simulated hand before a simulated camera."""

import asyncio
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation

from acquisition.calibration import CalibrationError
from acquisition.quality.results import StepResult
from acquisition.quality.technologist import Choice
from acquisition.tracking.following import Camera, Pose
from acquisition.tracking.operator import Move, Operator, Rig, Rigged
from acquisition.tracking.settings import TipSettings
from acquisition.tracking.tip_file import TipCalibration, load_tip, write_tip
from acquisition.tracking.tool import ToolOutcome, pivot_progress, run_tool
from devices.clock import monotonic
from devices.trackers.openigtlink import Settings
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.theatre import TOOL_FROM_TIP
from simulators.tool_bench import HandFault, open_tool_bench
from tests.acquisition.tracking.tips import tip_calibration

NOW = datetime(2026, 11, 28, 7, tzinfo=UTC)
UP = (0.0, -1.0, 0.0)


async def acquired(
    folder: Path,
    *,
    fault: HandFault | None = None,
    tools: tuple[str, ...] = ("Probe",),
    tool: str = "",
    longest_s: float = 60.0,
    person: Callable[[Rig], Operator] = Rigged,
) -> tuple[ToolOutcome, str]:
    shown = io.StringIO()
    async with open_tool_bench(folder, rng=np.random.default_rng(5), clock=monotonic, fault=fault) as bench:
        device = Settings(driver="openigtlink", host=bench.tracker.host, port=bench.tracker.port, tools=tools)
        outcome = await run_tool(
            camera=Camera(name="camera", device=device, tool=tool or tools[0], clock=monotonic),
            operator=person(bench.hand),
            settings=TipSettings(file=folder / "tip.json", serial="TM-17", up=UP, longest_s=longest_s),
            console=Console(file=shown, width=200),
            wall_time=lambda _: NOW,
            is_simulated=True,
        )
    return outcome, shown.getvalue()


async def test_tip_and_axis_are_found_and_kept(tmp_path: Path) -> None:
    """Under noise of 0.1 mm and 0.1° the tip is found to 0.2 mm, the axis to 0.5°; the file has an expiry."""
    outcome, shown = await acquired(tmp_path)
    assert outcome.passed
    assert "SIMULATED" in shown
    assert "Probe passed" in shown
    found = load_tip(tmp_path / "tip.json", tool="Probe", serial="TM-17", is_simulated=True)
    assert np.linalg.norm(found.transform.translation_mm - TOOL_FROM_TIP.translation_mm) < 0.2
    cosine = float(found.transform.rotation[:, 2] @ TOOL_FROM_TIP.rotation[:, 2])
    assert np.degrees(np.arccos(min(1.0, cosine))) < 0.5
    assert found.transform.rotation[:, 1] @ TOOL_FROM_TIP.rotation[:, 1] > 0.99
    assert found.expires_at == NOW + timedelta(days=30)
    plain = json.loads(json.dumps(outcome.to_dict()))
    assert [step["name"] for step in plain["steps"]] == ["pivot", "spin"]
    assert "very good" in plain["steps"][0]["reason"]


@pytest.mark.parametrize(
    ("fault", "words"), [(HandFault.HELD_STILL, "held still"), (HandFault.SLIDING_TIP, "mm RMS: the tip slid")]
)
async def test_a_bad_motion_is_named_and_writes_nothing(tmp_path: Path, fault: HandFault, words: str) -> None:
    """A tool that is held still and a tip that slides fail the pivot for that reason; the old file stays."""
    (tmp_path / "tip.json").write_text("yesterday's")
    outcome, shown = await acquired(tmp_path, fault=fault, longest_s=5.0)
    assert not outcome.passed
    assert [result.name for result in outcome.results] == ["pivot"]
    assert words in outcome.results[0].reason
    assert (tmp_path / "tip.json").read_text() == "yesterday's"
    assert "do not navigate with it" in shown


class Forgetful:
    """A person who holds the tool still at first, and repeats what failed."""

    def __init__(self, rig: Rig) -> None:
        self._rigged = Rigged(rig)
        self._has_begun = False

    async def ready(self, move: Move) -> None:
        """Move from the second time on."""
        if self._has_begun:
            await self._rigged.ready(move)
        self._has_begun = True

    async def judge(self, result: StepResult) -> Choice:
        """Repeat it, once she knows why."""
        assert "held still" in result.reason
        return Choice.REPEAT

    async def accept(self, results: Sequence[StepResult]) -> None:
        """Use what passed."""


async def test_a_step_that_was_repeated_says_so(tmp_path: Path) -> None:
    """What counts is the attempt that passed, and which that was stays with it."""
    outcome, shown = await acquired(tmp_path, longest_s=5.0, person=Forgetful)
    assert outcome.passed
    assert [(result.name, result.attempts) for result in outcome.results] == [("pivot", 2), ("spin", 1)]
    assert "held still" in shown


async def test_a_tool_that_is_never_seen_is_named(tmp_path: Path) -> None:
    """A tool that the stream does not have is said not to be seen."""
    outcome, _ = await acquired(tmp_path, tools=("Pointer", "Probe"), longest_s=1.5)
    assert "never saw Pointer" in outcome.results[0].reason


async def test_a_tool_of_which_nothing_comes_is_named(tmp_path: Path) -> None:
    """A name that the tracker does not know, while others are told: the motion ends in its time."""
    async with asyncio.timeout(60):
        outcome, _ = await acquired(tmp_path, tool="Prode", longest_s=1.0)
    assert "the camera never saw Prode: check its name" in outcome.results[0].reason


def kept() -> TipCalibration:
    return tip_calibration(NOW, serial="TM-17")


def test_a_file_of_another_tool_is_refused(tmp_path: Path) -> None:
    """Another tool, another marker's number, a simulated one for a real tool, a damaged file: each refused."""
    path = tmp_path / "tip.json"
    write_tip(path, kept())
    assert load_tip(path, tool="Probe", serial="TM-17", is_simulated=True) == kept()
    for tool, serial, is_simulated, words in (
        ("Pointer", "TM-17", True, "of tool Probe, not of Pointer"),
        ("Probe", "TM-18", True, "of marker TM-17, not of TM-18"),
        ("Probe", "TM-17", False, "simulated tracker"),
    ):
        with pytest.raises(CalibrationError, match=words):
            load_tip(path, tool=tool, serial=serial, is_simulated=is_simulated)
    whole = path.read_text()
    for damaged in (
        whole[:-30],
        whole.replace('"passed": true', '"passed": false'),
        whole.replace("TM-17", "TM-9"),
    ):
        path.write_text(damaged)
        with pytest.raises(CalibrationError, match="run acquire tool"):
            load_tip(path, tool="Probe", serial="TM-17", is_simulated=True)
    with pytest.raises(CalibrationError, match="no tip's calibration: No such file"):
        load_tip(tmp_path / "none.json", tool="Probe", serial="TM-17")


def test_an_expired_calibration_is_doubted() -> None:
    """From its last day on it says so."""
    found = kept()
    assert found.doubt(NOW + timedelta(days=29)) == ""
    assert "expired on 2026-12-28" in found.doubt(NOW + timedelta(days=31))


def test_a_pivot_ends_by_what_it_reached() -> None:
    """Few poses and poses without tilt are not enough, and the words say how far it is."""
    still = Pose(at_s=0.0, transform=RigidTransform.identity(Frame.TRACKER, Frame.TOOL))
    settings = TipSettings(file=Path("tip.json"))
    assert pivot_progress([still] * 10, settings).share == 0
    found = pivot_progress([still] * 500, settings)
    assert found.share == 0
    assert found.words == "500 poses, tilted by 0° of 20°"


@pytest.mark.parametrize(("sigma_mm", "is_enough"), [(0.1, True), (3.0, False)])
def test_a_pivot_does_not_end_before_the_tip_is_known(sigma_mm: float, is_enough: bool) -> None:  # noqa: FBT001
    """As many poses, tilted as far: with a marker that shakes by 3 mm the motion goes on, and says why."""
    rng, settings = np.random.default_rng(1), TipSettings(file=Path("tip.json"))
    poses = []
    for turn in Rotation.from_euler("xyz", rng.uniform(-60, 60, (300, 3)), degrees=True):
        tip_mm = turn.as_matrix() @ TOOL_FROM_TIP.translation_mm
        marker = RigidTransform(
            to=Frame.TRACKER,
            from_=Frame.TOOL,
            rotation=turn.as_matrix(),
            translation_mm=rng.normal(0, sigma_mm, 3) - tip_mm,
        )
        poses.append(Pose(at_s=0.0, transform=marker))
    found = pivot_progress(poses, settings)
    assert (found.share == 1.0) == is_enough
    assert ", tip to 0." in found.words
