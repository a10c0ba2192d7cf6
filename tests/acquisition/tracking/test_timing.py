"""``acquire timing`` with the shipped drivers, a simulated hand and a probe that tells its counts 60 ms late."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from acquisition.calibration import CalibrationError, read_calibration
from acquisition.tracking.following import Camera, Pose, Progress
from acquisition.tracking.operator import Rigged
from acquisition.tracking.settings import TimingSettings
from acquisition.tracking.swept_probe import Sweeping, SweptProbe
from acquisition.tracking.timing import (
    Timing,
    TimingOutcome,
    judge_timing,
    load_timing,
    run_timing,
    sweep_progress,
)
from devices.clock import monotonic
from devices.probes.amptek import Settings as AmptekSettings
from devices.trackers.openigtlink import Settings as IgtlSettings
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.theatre import TOOL_FROM_TIP
from simulators.tool_bench import DELAY_S, HandFault, open_tool_bench
from tests.acquisition.tracking.parting import parted
from tests.navigation.calibration.test_timing import RESPONSE as PLAIN
from tests.navigation.calibration.test_timing import swept

RESPONSE = read_calibration(Path(__file__).parents[3] / "config" / "instruments" / "simulated-gamma.json").response
NOW = datetime(2026, 11, 28, 7, tzinfo=UTC)


async def timed(folder: Path, *, fault: HandFault | None = None) -> TimingOutcome:
    async with open_tool_bench(folder, rng=np.random.default_rng(2), clock=monotonic, fault=fault) as bench:
        tracker = IgtlSettings(
            driver="openigtlink", host=bench.tracker.host, port=bench.tracker.port, tools=("Probe", "Patient")
        )
        gamma = AmptekSettings(
            driver="amptek", port=bench.probe, interval_s=0.1, window_kev=(126, 154), energy_kev_per_channel=1.0
        )
        return await run_timing(
            sweeping=Sweeping(
                camera=Camera(name="camera", device=tracker, tool="Probe", clock=monotonic),
                probe=SweptProbe(name="gamma", device=gamma, response=RESPONSE, tool_from_tip=TOOL_FROM_TIP),
                operator=Rigged(bench.hand),
                console=Console(file=io.StringIO()),
                is_simulated=True,
            ),
            # a busy host shifts simulator and driver against each other: the 5 ms are held in navigation's tests
            settings=TimingSettings(file=folder / "timing.json", sweep_s=14.0, greatest_sigma_ms=50.0),
            wall_time=lambda _: NOW,
        )


async def test_the_delay_of_a_late_probe_is_found_and_kept(tmp_path: Path) -> None:
    """The file says how late the counts are, how well that is known, and of which probe and tracker."""
    outcome = await timed(tmp_path)
    assert outcome.passed, outcome.results
    found = load_timing(tmp_path / "timing.json", probe="gamma", tracker="camera", is_simulated=True)
    assert found == outcome.timing
    assert found.delay_s == pytest.approx(DELAY_S, abs=0.05)
    assert 0 < found.sigma_s < 0.05
    assert outcome.to_dict()["delay_ms"] == pytest.approx(1000 * found.delay_s)


async def test_a_probe_that_is_not_moved_is_named_and_writes_nothing(tmp_path: Path) -> None:
    """Nothing can be told of the delay of a probe that is held still."""
    outcome = await timed(tmp_path, fault=HandFault.HELD_STILL)
    assert not outcome.passed
    assert "the probe moved by" in outcome.results[0].reason
    assert not (tmp_path / "timing.json").exists()


@pytest.mark.parametrize("limit_ms", [2.5, 0.1])
def test_a_delay_that_is_not_known_as_well_as_the_site_wants_is_not_used(limit_ms: float) -> None:
    """Known to 1 ms or so, it passes 2.5 ms; for 0.1 ms a stronger source is asked for, and nothing is used."""
    settings = TimingSettings(file=Path("timing.json"), greatest_sigma_ms=limit_ms)
    found, result = judge_timing(*parted(swept(0.065)), PLAIN, settings)
    assert result.passed == (found is not None) == (limit_ms == 2.5)
    assert ("only: a stronger source, nearer, or longer" in result.reason) == (limit_ms == 0.1)


def test_a_sweep_is_as_far_as_it_has_lasted() -> None:
    """With how far the probe was moved, in words; before the second pose it says what is wanted."""
    settings = TimingSettings(file=Path("timing.json"), sweep_s=14.0)
    places_mm = ((0.0, 0.0, 0.0), (30.0, 0.0, 0.0), (10.0, 40.0, 0.0))
    poses = [
        Pose(
            at_s=100.0 + 3.5 * number,
            transform=RigidTransform(
                to=Frame.TRACKER, from_=Frame.TIP, rotation=np.eye(3), translation_mm=np.array(place_mm)
            ),
        )
        for number, place_mm in enumerate(places_mm)
    ]
    assert sweep_progress(poses[:1], settings) == Progress(share=0.0, words="wanted: the probe over the source")
    assert sweep_progress(poses, settings) == Progress(share=0.5, words="7 s of 14 s, moved over 50 mm")
    assert sweep_progress([*poses, replace(poses[-1], at_s=115.0)], settings).share == 1.0


def test_a_verdict_says_the_delay_with_its_interval() -> None:
    """In ms, with the standard error, and 95 % as 1.96 of it to either side."""
    found, result = judge_timing(*parted(swept(0.065)), PLAIN, TimingSettings(file=Path("timing.json")))
    assert found is not None
    delay, low, high, *_ = result.figures
    sigma_ms = 1000 * found.sigma_s
    assert delay.value == pytest.approx(65.0, abs=5.0)
    assert delay.sigma == sigma_ms
    assert low.value == pytest.approx(delay.value - 1.96 * sigma_ms)
    assert high.value == pytest.approx(delay.value + 1.96 * sigma_ms)
    assert result.reason == f"counts are {delay.value:.0f} ms behind poses, known to {sigma_ms:.1f} ms"


def test_counts_that_arrive_unevenly_ask_for_another_remedy_than_a_stronger_source() -> None:
    """A third of them held up by 30 ms: it is the computer that is to be freed."""
    track, rng = swept(0.06), np.random.default_rng(5)
    late = replace(track, start_s=track.start_s + 0.03 * (rng.random(track.start_s.shape) < 1 / 3))
    found, result = judge_timing(*parted(late), PLAIN, TimingSettings(file=Path("timing.json")))
    assert found is None
    remedy = r"only: they arrive unevenly, by \d+ ms: free the computer of other work$"
    assert re.search(remedy, result.reason), result.reason


def test_a_timing_of_other_devices_is_refused(tmp_path: Path) -> None:
    """Another probe, simulated devices for real ones, a damaged file and none: each refused."""
    path = tmp_path / "timing.json"
    timing = Timing(
        probe="gamma", tracker="camera", is_simulated=True, calibrated_at=NOW, delay_s=0.06, sigma_s=0.001
    )
    path.write_bytes(msgspec.json.encode(timing))
    with pytest.raises(CalibrationError, match="of gamma and camera"):
        load_timing(path, probe="other", tracker="camera", is_simulated=True)
    with pytest.raises(CalibrationError, match="simulated devices"):
        load_timing(path, probe="gamma", tracker="camera")
    path.write_text("{}")
    with pytest.raises(CalibrationError, match="no whole timing"):
        load_timing(path, probe="gamma", tracker="camera")
    with pytest.raises(CalibrationError, match="no timing: No such file"):
        load_timing(tmp_path / "none.json", probe="gamma", tracker="camera")
