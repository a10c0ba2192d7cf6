"""A technologist's whole morning: shipped drivers, real ptys, a simulated bench that runs fast."""

import asyncio
import contextlib
import io
import json
import re
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from rich.console import Console

from acquisition.calibration import CalibrationError, load_calibration, read_calibration
from acquisition.command import MorningOutcome, run_morning
from acquisition.logbook.logbook import open_logbook
from acquisition.logbook.records import Kind, Record
from acquisition.logbook.seal import LogbookUnusable
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.bench import Bench
from acquisition.quality.guided import Guided
from acquisition.quality.placements import Placement
from acquisition.quality.results import Figure, StepResult
from acquisition.quality.settings import MorningSettings, PointSource
from acquisition.quality.steps import Assay
from acquisition.quality.technologist import (
    BY_CHANCE,
    Choice,
    Decision,
    MorningAborted,
    StepInterrupted,
    Technologist,
    Unattended,
)
from config.nuclides import load_nuclides
from devices import links
from devices.clock import monotonic
from devices.errors import DeviceUnavailable
from devices.probes.amptek import Settings as AmptekSettings
from devices.probes.mightyohm import Settings as MightyOhmSettings
from navigation.errors import NavigationError
from navigation.tissue import NoTissue
from simulators.bench import Bench as SimulatedBench
from simulators.bench import BenchFault, FastClock
from simulators.bench_room import instrument_of
from simulators.ports import PtyPort, open_pty_port
from simulators.probe_physics import ProbePhysics
from simulators.probes.mightyohm import SimulatedMightyOhm

pytestmark = pytest.mark.timeout(600)
"""A busy host takes minutes to a morning."""

STARTED = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
SPEED = 200.0
SECONDS = 50.0
PERSON = "A. Berg"

AT_A_PACE = {
    "battery": {"bias_v": (450.0, 550.0)},
    "background": {"count_s": 40.0},
    "constancy": {"counts": 2500, "longest_s": 15.0},
    # wide limits: the host's timing decides which counts are drawn, so that one set in ten would fail by chance
    "chi_square": {"count_s": 4.0, "tail": 0.0001, "greatest_drift": 0.2},
    "sensitivity": {"reference_cps_per_mbq": 2000.0, "longest_s": 20.0},
    "angular": {"longest_s": 20.0},
    "dead_time": {"count_s": 15.0},
    "settle_s": 30.0,  # of a fast bench: a busy host stamps a reading late by seconds of the bench
}
"""The shipped morning with shorter counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A bench with a probe on a pty."""

    bench: SimulatedBench
    clock: FastClock
    port: PtyPort
    device: AmptekSettings | MightyOhmSettings
    settings: MorningSettings
    calibration: Path
    logbook: LogbookSettings
    shown: io.StringIO

    def guided(self, technologist: Technologist | None = None) -> Guided:
        """Give what the morning goes by."""
        bench = Bench(
            probe="gamma",
            device=self.device,
            technologist=technologist or Unattended(self.bench),
            logbook=self.logbook,
            person=PERSON,
            console=Console(file=self.shown, width=160),
            clock=self.clock,
            wall_time=self.clock.wall_time,
            is_simulated=True,
        )
        return Guided(
            bench=bench,
            settings=self.settings,
            nuclides=load_nuclides(),
            calibration=self.calibration,
            place="General hospital, OR 3",
        )

    async def morning(self, technologist: Technologist | None = None) -> MorningOutcome:
        """Run it."""
        async with asyncio.timeout(SECONDS):
            return await run_morning(self.guided(technologist))


@asynccontextmanager
async def room(
    folder: Path, *, fault: BenchFault | None = None, is_mightyohm: bool = False
) -> AsyncIterator[Room]:
    """Set up a bench with an Amptek, or with a MightyOhm counter of the same dead time."""
    rng = np.random.default_rng(2026)
    clock = FastClock(monotonic, SPEED, STARTED)
    bench = SimulatedBench(started_at=STARTED, started_s=clock.started_s, rng=rng, fault=fault)
    instrument = (
        SimulatedMightyOhm(bench.events, powered_at_s=clock.started_s, rng=rng, dead_time_s=5e-6)
        if is_mightyohm
        else instrument_of(bench, clock, rng, fault)
    )
    async with open_pty_port(instrument, folder / "probe", clock=clock) as port:
        yield Room(
            bench=bench,
            clock=clock,
            port=port,
            device=MightyOhmSettings(driver="mightyohm", port=port.url, dead_time_s=5e-6)
            if is_mightyohm
            else AmptekSettings(
                driver="amptek",
                port=port.url,
                interval_s=0.01,
                answer_s=0.2,
                window_kev=(126, 154),
                energy_kev_per_channel=1.0,
            ),
            settings=MorningSettings.model_validate(AT_A_PACE | {"check_source": bench.label()}),
            calibration=folder / "gamma.json",
            logbook=LogbookSettings().beside(folder),
            shown=io.StringIO(),
        )


def failed(outcome: MorningOutcome) -> dict[str, str]:
    """Give the reasons of the steps that failed, without the fit, which fails with each of them."""
    return {result.name: result.reason for result in outcome.results if not result.passed} | {"response": ""}


@pytest.mark.parametrize("is_mightyohm", [False, True], ids=["amptek", "mightyohm"])
async def test_a_good_probe_passes_and_is_calibrated(tmp_path: Path, is_mightyohm: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """All steps pass, and the calibration predicts what the bench's own physics sees, off axis too."""
    async with room(tmp_path, is_mightyohm=is_mightyohm) as found:
        outcome = await found.morning()
    assert [result.reason for result in outcome.results if not result.passed] == []
    assert len(outcome.results) == (15 if is_mightyohm else 16)
    peak = next(result for result in outcome.results if result.name == "peak")
    assert ("no spectrum" in peak.reason) == is_mightyohm
    battery = next(result for result in outcome.results if result.name == "battery")
    assert ("tells neither battery nor bias" in battery.reason) == is_mightyohm
    assert [str(figure) for figure in battery.figures][:1] == ([] if is_mightyohm else ["bias 500 V"])
    assert outcome.written == found.calibration
    response = load_calibration(found.calibration, is_simulated=True).response
    physics = ProbePhysics()
    points_mm = np.array([[0.0, 0.0, 20.0], [5.0, 0.0, 40.0], [0.0, 12.0, 35.0], [10.0, 10.0, 80.0]])
    expected = response.expected_rate_cps(points_mm, np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]), NoTissue())[0]
    seen = 1e6 * physics.photons_per_decay * physics.efficiency * physics.acceptance(points_mm)
    assert expected == pytest.approx(seen, rel=0.05)
    assert response.background_cps == pytest.approx(5.0, abs=2.0)
    with pytest.raises(CalibrationError, match="simulated bench"):
        load_calibration(found.calibration)


async def test_the_outcome_is_told_on_screen_in_json_and_in_the_file(tmp_path: Path) -> None:
    """Screen and file say SIMULATED, name every step, the device and the dates of the bench."""
    async with room(tmp_path) as found:
        outcome = await found.morning()
    assert "SIMULATED" in found.shown.getvalue()
    assert "gamma passed" in found.shown.getvalue()
    plain = json.loads(json.dumps(outcome.to_dict()))
    assert (plain["passed"], plain["simulated"], len(plain["steps"])) == (True, True, 16)
    provenance = read_calibration(found.calibration).provenance
    assert "12345" in provenance.identity
    assert STARTED <= provenance.started_at < provenance.ended_at
    assert [result["name"] for result in provenance.results] == [result.name for result in outcome.results]


@pytest.mark.parametrize(
    ("fault", "step", "words", "others"),
    [
        (BenchFault.DEAD_CRYSTAL, "constancy", "no counts at all", 5),
        (BenchFault.STUCK_VALUE, "chi-square", "stuck, or smoothed", 5),
        (BenchFault.WRONG_SOURCE, "constancy", "of the expected rate: another source", 0),
        (BenchFault.CONTAMINATED_BENCH, "background", "contaminated", 0),
        (BenchFault.DRIFTED_PEAK, "peak", r"keV, -(9|10)[.]\d% of 140.5 keV: its gain has drifted", 2),
        (BenchFault.BROAD_PEAK, "peak", "% wide: the crystal", 0),
        (BenchFault.LIGHT_LEAK, "light", "light leaks in", 0),
        (BenchFault.FLAT_BATTERY, "battery", "bias 340 V, less than 450 V: the battery or the supply", 0),
    ],
)
async def test_a_fault_fails_for_its_reason(
    tmp_path: Path, fault: BenchFault, step: str, words: str, others: int
) -> None:
    """Each fault fails the step that is there to find it, in words, and nothing is written."""
    async with room(tmp_path, fault=fault) as found:
        found.calibration.write_text("yesterday's")
        outcome = await found.morning()
    reasons = failed(outcome)
    assert re.search(words, reasons.pop(step))
    assert len(reasons) - 1 == others
    assert not outcome.passed
    assert found.calibration.read_text() == "yesterday's"
    assert "do not use it" in found.shown.getvalue()


class Clumsy(Unattended):
    """Pulls the cable in one step, and mends it when that failed; or ends the morning before a step."""

    def __init__(self, found: Room, *, pulls_before: str = "", ends_before: str = "") -> None:
        super().__init__(found.bench)
        self._port = found.port
        self._pulls_before = pulls_before
        self._ends_before = ends_before
        self.judged: list[StepResult] = []

    async def place(self, placement: Placement) -> None:
        """Do the mischief, then as asked."""
        if self._ends_before and self._ends_before in placement.instruction:
            raise MorningAborted("ended by the technologist")
        if self._pulls_before and self._pulls_before in placement.instruction:
            self._pulls_before = ""
            self._port.pull()
        await super().place(placement)

    async def judge(self, result: StepResult) -> Decision:
        """Plug in again and repeat."""
        self.judged.append(result)
        if "check" in result.reason or "gone" in result.reason or "lost" in result.reason:
            self._port.plug()
            return Decision(choice=Choice.REPEAT, reason="plugged in again")
        return await super().judge(result)


class Weary(Unattended):
    """Ends the morning at the first failure."""

    async def judge(self, result: StepResult) -> Decision:
        """Give up."""
        raise MorningAborted(f"{result.name} failed")


async def test_a_pulled_cable_fails_its_step_and_the_repeat_passes(tmp_path: Path) -> None:
    """The step says that the probe is gone; plugged in again and repeated, the morning passes."""
    async with room(tmp_path) as found:
        technologist = Clumsy(found, pulls_before="50 mm")
        outcome = await found.morning(technologist)
    assert technologist.judged[-1].name == "sensitivity"
    assert outcome.passed
    assert {result.name: result.attempts for result in outcome.results}["sensitivity"] == 2


async def test_another_probe_on_its_port_fails_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot say who it is must stay on its adapter from step to step; back there, the repeat passes."""
    adapter = ["USB 1a86:7523 at 1-1.2"]
    monkeypatch.setattr(links, "find_adapter", lambda _: adapter[0])

    class Confused(Unattended):
        async def place(self, placement: Placement) -> None:
            await super().place(placement)
            if "lamp" in placement.instruction:
                adapter[0] = "USB 1a86:7523 at 1-1.3"

        async def judge(self, result: StepResult) -> Decision:
            adapter[0] = "USB 1a86:7523 at 1-1.2"
            assert "another adapter has its port: USB 1a86:7523 at 1-1.3 instead of" in result.reason
            raise MorningAborted(f"{result.name} failed")

    async with room(tmp_path, is_mightyohm=True) as found:
        outcome = await found.morning(Confused(found.bench))
    assert outcome.aborted == "constancy failed"


async def test_a_morning_that_is_ended_early_writes_nothing(tmp_path: Path) -> None:
    """What was judged so far is told, and the probe has not passed."""
    async with room(tmp_path) as found:
        outcome = await found.morning(Clumsy(found, ends_before="check source"))
    assert [result.name for result in outcome.results] == ["battery", "background", "trend of background", "light"]
    assert outcome.aborted == "ended by the technologist"
    assert not outcome.passed
    assert not found.calibration.exists()
    assert "Ended early" in found.shown.getvalue()


async def test_ctrl_c_ends_a_morning_as_the_technologist_may(tmp_path: Path) -> None:
    """What was measured until then is told and recorded, and nothing of it is left running."""

    class Impatient(Unattended):
        async def place(self, placement: Placement) -> None:
            await super().place(placement)
            if "check source" in placement.instruction:
                signal.raise_signal(signal.SIGINT)

    former = signal.getsignal(signal.SIGINT)
    async with room(tmp_path) as found:
        before = asyncio.all_tasks()
        outcome = await found.morning(Impatient(found.bench))
        assert asyncio.all_tasks() == before
    assert (outcome.aborted, outcome.passed, outcome.number) == ("interrupted by Ctrl-C", False, 1)
    assert [result.name for result in outcome.results] == ["battery", "background", "trend of background", "light"]
    assert signal.getsignal(signal.SIGINT) is former


async def test_a_failed_step_is_told_when_its_repeat_is_ended(tmp_path: Path) -> None:
    """Ending the morning while a failed step is repeated does not hide that it had failed."""
    async with room(tmp_path, fault=BenchFault.DEAD_CRYSTAL) as found:
        outcome = await found.morning(Weary(found.bench))
    assert [(result.name, result.passed) for result in outcome.results] == [
        ("battery", True),
        ("background", True),
        ("trend of background", True),
        ("light", True),
        ("constancy", False),
    ]


async def test_every_morning_stands_in_the_logbook(tmp_path: Path) -> None:
    """One that passed, one that failed and one that was ended early: whole, signed, with number and sources."""
    async with room(tmp_path) as found:
        first = await found.morning()
        second = await found.morning(Clumsy(found, ends_before="check source"))
    with open_logbook(found.logbook) as logbook:
        kept = logbook.read()
    assert kept.faults == ()
    assert [(each.number, each.record.passed, each.record.person) for each in kept.records] == [
        (1, True, PERSON),
        (2, False, PERSON),
    ]
    assert (first.number, second.number) == (1, 2)
    record = kept.records[0].record
    assert record.is_simulated
    assert record.identity == first.ran.measured.identity
    assert record.told["calibration"] == str(found.calibration)
    assert record.told["sources"]["point"]["activity_mbq"] == 1.0
    assert [step["name"] for step in record.told["steps"]] == [result.name for result in first.results]
    assert kept.records[1].record.told["aborted"] == "ended by the technologist"


async def test_what_cannot_be_recorded_has_not_passed(tmp_path: Path) -> None:
    """A logbook that refuses in the end costs the calibration: nobody could show what it rests on."""

    class Meddling(Unattended):
        async def place(self, placement: Placement) -> None:
            found.logbook.key.chmod(0o644)
            await super().place(placement)

    async with room(tmp_path) as found:
        outcome = await found.morning(Meddling(found.bench))
        assert all(result.passed for result in outcome.results)
        assert (outcome.passed, outcome.number) == (False, None)
        assert not found.calibration.exists()
        assert "Not recorded" in found.shown.getvalue()
        with pytest.raises(LogbookUnusable, match="chmod 600"):
            await found.morning()


def former_mornings(found: Room, identity: str, rate_cps: float, *, days: int = 20) -> None:
    """Write mornings with a background of a rate, each a day after the other, the last one yesterday."""
    rng = np.random.default_rng(11)
    with open_logbook(found.logbook) as logbook:
        for day in range(days, 0, -1):
            figure = Figure(name="rate", value=rate_cps + rng.normal(0, 0.3), unit="cps", sigma=0.3)
            step = StepResult(name="background", passed=True, figures=(figure,), limit="", reason="")
            record = Record(
                kind=Kind.MORNING,
                at=STARTED - timedelta(days=day),
                probe="gamma",
                identity=identity,
                person=PERSON,
                is_simulated=True,
                passed=True,
                told={"steps": [step.to_dict()]},
            )
            logbook.add(record)


async def test_a_trend_out_of_its_lines_fails_by_its_name(tmp_path: Path) -> None:
    """A background of 5 cps passes its limit of 10, but not after twenty mornings of 1 cps; repeated once."""
    async with room(tmp_path) as found:
        identity = (await found.morning(Clumsy(found, ends_before="check source"))).ran.measured.identity
        former_mornings(found, identity, 1.0)
        outcome = await found.morning(Clumsy(found, ends_before="check source"))
    by_name = {result.name: result for result in outcome.results}
    assert by_name["background"].passed
    trend = by_name["trend of background"]
    assert not trend.passed
    assert trend.attempts == 2
    assert trend.remarks == (f"repeat: {BY_CHANCE}",)
    assert "beyond an action line" in trend.reason


async def test_mornings_of_another_instrument_or_that_were_changed_make_no_trend(tmp_path: Path) -> None:
    """What another serial number counted, and what somebody wrote into the database, is left out and said."""
    async with room(tmp_path) as found:
        former_mornings(found, "another instrument", 1.0)
        with contextlib.closing(sqlite3.connect(found.logbook.database)) as database, database:
            database.execute("DROP TRIGGER quality_records_update")
            database.execute("UPDATE quality_records SET identity = 'Amptek DP5, serial number 12345'")
        outcome = await found.morning(Clumsy(found, ends_before="check source"))
    by_name = {result.name: result for result in outcome.results}
    assert by_name["trend of background"].reason == "1 of 16 mornings that it takes: no lines yet"
    assert "record 20 of" in found.shown.getvalue()
    assert "The logbook was changed" in found.shown.getvalue()


class Interrupting(Unattended):
    """Repeats or leaves out a step while it counts, once for each, and says why when asked."""

    def __init__(self, found: Room, decisions: dict[str, Decision]) -> None:
        super().__init__(found.bench)
        self._decisions = decisions
        self._reasons = {decision.choice: decision.reason for decision in decisions.values()}
        self._placed = ""

    async def place(self, placement: Placement) -> None:
        """Note what stands."""
        self._placed = placement.instruction
        await super().place(placement)

    async def watch(self) -> NoReturn:
        """Interrupt as soon as it counts."""
        for words in list(self._decisions):
            if words in self._placed:
                raise StepInterrupted(replace(self._decisions.pop(words), reason=""))
        await super().watch()

    async def explain(self, decision: Decision) -> Decision:
        """Say why, while nothing counts: its end would take the question away, and the answer for another's."""
        assert not any(task.get_name() == "gamma count" for task in asyncio.all_tasks())
        return replace(decision, reason=self._reasons[decision.choice])


async def test_a_step_is_repeated_or_left_out_with_a_reason(tmp_path: Path) -> None:
    """While it counts: the reasons are in the record, the repeat counts anew, what was left out did not pass."""
    decisions = {
        "empty bench": Decision(choice=Choice.REPEAT, reason="door was open"),
        "strong": Decision(choice=Choice.LEAVE_OUT, reason="no second source today"),
    }
    async with room(tmp_path) as found:
        outcome = await found.morning(Interrupting(found, decisions))
    by_name = {result.name: result for result in outcome.results}
    battery, dead_time = by_name["battery"], by_name["dead time"]
    assert (battery.passed, battery.attempts) == (True, 2)
    assert battery.remarks == ("repeat: door was open",)
    assert (dead_time.passed, dead_time.remarks) == (False, ("leave out: no second source today",))
    assert "no second source today" in dead_time.reason
    assert not outcome.passed
    assert [name for name, result in by_name.items() if not result.passed] == ["dead time", "response"]


async def test_a_probe_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    """Without the probe nothing is asked of the technologist."""
    async with room(tmp_path) as found:
        found.port.pull()
        with pytest.raises(DeviceUnavailable, match="gamma"):
            await found.morning()
        found.port.plug()


async def test_an_unknown_nuclide_is_said_at_once(tmp_path: Path) -> None:
    """A nuclide that no table has is named before the first step."""
    async with room(tmp_path) as found:
        settings = found.settings.model_copy(update={"point_source": PointSource(nuclide="Tc-99")})
        with pytest.raises(NavigationError, match=r"'Tc-99' is unknown; known are Ac-225, .*Co-57"):
            await run_morning(replace(found.guided(), settings=settings))


async def test_the_bench_knows_every_source(tmp_path: Path) -> None:
    """A source that no bench holds is refused, so that a misspelt one cannot pass as an empty bench."""
    async with room(tmp_path) as found:
        with pytest.raises(ValueError, match="no source"):
            await found.bench.stand({"chekc": (0.0, 0.0, 10.0)})
    activity_mbq, measured_at = found.bench.assay()
    assert Assay(activity_mbq=activity_mbq, measured_at=measured_at).measured_at == STARTED
