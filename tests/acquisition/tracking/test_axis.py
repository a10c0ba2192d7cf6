"""``acquire axis`` with shipped drivers: a simulated hand swings a probe, straight or bent, about a source."""

import asyncio
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from acquisition.calibration import read_calibration
from acquisition.quality.results import StepResult
from acquisition.quality.technologist import Choice, MorningAborted
from acquisition.tracking.axis import AxisOutcome, judge_axis, run_axis
from acquisition.tracking.following import Camera
from acquisition.tracking.operator import Move, Operator, Rig, Rigged
from acquisition.tracking.settings import TipSettings
from acquisition.tracking.swept_probe import Sweeping, SweptProbe
from acquisition.tracking.tip_file import TipCalibration, load_tip, write_tip
from devices.clock import monotonic
from devices.probes.amptek import Settings as AmptekSettings
from devices.trackers.openigtlink import Settings as IgtlSettings
from simulators.theatre import TOOL_FROM_TIP
from simulators.tool_bench import HandFault, open_tool_bench
from tests.acquisition.tracking.parting import parted
from tests.acquisition.tracking.tips import tip_calibration
from tests.navigation.calibration.test_looking import circled

RESPONSE = read_calibration(Path(__file__).parents[3] / "config" / "instruments" / "simulated-gamma.json").response
NOW = datetime(2026, 11, 28, 7, tzinfo=UTC)


def lay_down(folder: Path) -> TipCalibration:
    """Make the folder, with the file that acquire tool wrote."""
    folder.mkdir()
    tip = tip_calibration(NOW)
    write_tip(folder / "tip.json", tip)
    return tip


class Leaving(Rigged):
    """One who tries a swing that failed again, without moving, and then walks away."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig)
        self._rests = rig
        self._failed = list[StepResult]()

    async def ready(self, move: Move) -> None:
        """Swing it the first time, and hold it to a place the second."""
        if self._failed:
            self._rests.move("touch", "xiphoid")
        else:
            await super().ready(move)

    async def judge(self, result: StepResult) -> Choice:
        """Try once more."""
        self._failed.append(result)
        if len(self._failed) > 1:
            raise MorningAborted("ended by the technologist")
        return Choice.REPEAT


async def swung(
    folder: Path,
    *,
    fault: HandFault | None = None,
    swing_s: float = 12.0,
    by: Callable[[Rig], Operator] = Rigged,
) -> tuple[AxisOutcome, str]:
    shown, tip = io.StringIO(), lay_down(folder)
    async with open_tool_bench(folder, rng=np.random.default_rng(2), clock=monotonic, fault=fault) as bench:
        tracker = IgtlSettings(
            driver="openigtlink", host=bench.tracker.host, port=bench.tracker.port, tools=("Probe", "Patient")
        )
        gamma = AmptekSettings(
            driver="amptek", port=bench.probe, interval_s=0.1, window_kev=(126, 154), energy_kev_per_channel=1.0
        )
        outcome = await run_axis(
            sweeping=Sweeping(
                camera=Camera(name="camera", device=tracker, tool="Probe", clock=monotonic),
                probe=SweptProbe(name="gamma", device=gamma, response=RESPONSE, tool_from_tip=TOOL_FROM_TIP),
                operator=by(bench.hand),
                console=Console(file=shown, width=200),
                is_simulated=True,
            ),
            tip=tip,
            settings=TipSettings(file=folder / "tip.json", swing_s=swing_s),
            wall_time=lambda _: NOW,
        )
    return outcome, " ".join(shown.getvalue().split())


async def test_an_axis_that_is_right_passes_and_one_that_is_3_degrees_off_is_caught(tmp_path: Path) -> None:
    """The counts bear out a straight probe, and speak against a bent one in words; the file says so, and doubts.

    Where the probe is not swung, it fails for that reason, and accuses no axis.
    """
    (right, _), (bent, shown), (still, untold) = await asyncio.gather(
        swung(tmp_path / "right"),
        swung(tmp_path / "bent", fault=HandFault.BENT_HEAD),
        swung(tmp_path / "still", fault=HandFault.HELD_STILL, swing_s=10.0),
    )
    assert right.passed, right.results
    assert right.look is not None
    assert right.look.away_deg < 1.0
    found = load_tip(tmp_path / "right" / "tip.json", tool="Probe", serial="", is_simulated=True)
    assert found.axis_check is not None
    assert (found.axis_check.passed, found.axis_check.checked_at, found.doubt(NOW)) == (True, NOW, "")

    assert not bent.passed
    assert bent.look is not None
    assert bent.look.away_deg == pytest.approx(3.0, abs=0.9)
    assert "from its axis, towards its left" in bent.results[0].reason
    assert "run acquire tool again" in bent.results[0].reason.lower()
    assert "FAIL" in shown
    assert "SIMULATED" in shown
    assert "beside its axis: run acquire tool" in shown
    doubted = load_tip(tmp_path / "bent" / "tip.json", tool="Probe", serial="", is_simulated=True)
    assert "beside its axis: run acquire tool" in doubted.doubt(NOW)
    plain = bent.to_dict()
    assert (plain["passed"], plain["file"]) == (False, str(tmp_path / "bent" / "tip.json"))
    assert plain["interval_deg"][0] < plain["away_deg"] < plain["interval_deg"][1]

    assert not still.passed
    assert "tilt it to all sides" in still.results[0].reason
    assert still.written is None
    assert f"{tmp_path / 'still' / 'tip.json'} is as it was." in untold
    found = load_tip(tmp_path / "still" / "tip.json", tool="Probe", serial="", is_simulated=True)
    assert found.axis_check is None


async def test_who_walks_away_from_a_verdict_against_the_axis_leaves_it(tmp_path: Path) -> None:
    """Neither a second try that tells nothing nor ending it takes back what the counts told before."""
    folder = tmp_path / "left"
    outcome, shown = await swung(folder, fault=HandFault.BENT_HEAD, by=Leaving)
    assert (outcome.passed, outcome.aborted) == (False, "ended by the technologist")
    assert "tilt it to all sides" in outcome.results[0].reason
    doubted = load_tip(folder / "tip.json", tool="Probe", serial="", is_simulated=True)
    assert "beside its axis: run acquire tool" in doubted.doubt(NOW)
    assert outcome.written == folder / "tip.json"
    assert f"Noted in {folder / 'tip.json'}: the probe counts most" in shown
    assert "Ended early: ended by the technologist." in shown


@pytest.mark.parametrize("limit_deg", [2.0, 0.2])
def test_counts_that_cannot_tell_as_well_as_the_site_wants_bear_out_and_accuse_nothing(limit_deg: float) -> None:
    """Known to 0.1° or so, a straight axis is borne out within 2°; for 0.2° that is not enough, and is said."""
    poses, counts = parted(circled())
    settings = TipSettings(file=Path("tip.json"), greatest_axis_deg=limit_deg)
    look, result = judge_axis(poses, counts, RESPONSE, settings)
    assert result.passed == (look is not None) == (limit_deg == 2.0)
    assert ("only: a stronger source, longer, tilted and turned further" in result.reason) == (limit_deg == 0.2)


def test_nothing_that_came_is_named() -> None:
    """No poses, and no counts."""
    _, result = judge_axis([], [], RESPONSE, TipSettings(file=Path("tip.json")))
    assert "no poses came" in result.reason
