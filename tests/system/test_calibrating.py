"""A full calibration: shipped driver, real pty, a simulated bench that runs fast, a night that passes at once."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from pypdf import PdfReader
from rich.console import Console
from typer.testing import CliRunner

from acquisition.calibrating.command import CalibrationOutcome, run_calibration
from acquisition.calibrating.settings import CalibrationSettings, CountRateLimits
from acquisition.calibration import load_calibration, read_calibration
from acquisition.commands.logbook import add_logbook
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.bench import Bench
from acquisition.quality.desk import Desk
from acquisition.quality.guided import Guided
from acquisition.quality.settings import MorningSettings
from acquisition.quality.technologist import Unattended
from composition import named
from composition.simulated import simulated_site
from config.nuclides import load_nuclides
from devices.clock import monotonic
from devices.probes.amptek import Settings as AmptekSettings
from navigation.probe.response import COUNTED, FITTED
from navigation.tissue import NoTissue
from service import acquire
from simulators.bench import BenchFault
from simulators.bench_room import POLL_INTERVAL_S, SETTLE_S, open_bench
from simulators.probe_physics import ProbePhysics
from tests.system.running import looking, running

pytestmark = pytest.mark.timeout(600)
"""A busy host takes minutes to a calibration."""

SHORT = CalibrationSettings.model_validate(
    {
        "background_s": 60.0,
        "distances_mm": (5.0, 10.0, 30.0, 50.0, 100.0),
        "angles_deg": (0.0, 10.0, 20.0, 30.0, 40.0, 60.0, 90.0),
        "longest_s": 20.0,
        "counts": 5000,
        "dead_time_s": 20.0,
        "scatter": {"depths_mm": (10.0, 20.0, 50.0)},
        # a limit that so short a count behind can tell
        "shield": {"count_s": 30.0, "back_s": 30.0, "greatest_leak": 0.005},
        "count_rate": {"counts": 6, "count_s": 20.0},
        "held_back": {"parts": 2},
    }
)
HASTY = SHORT.model_copy(
    update={
        "background_s": 30.0,
        "angles_deg": (0.0, 20.0, 40.0, 90.0),
        "longest_s": 10.0,
        "count_rate": CountRateLimits(counts=4, count_s=20.0),
    }
)
"""For a fault that needs no more counts to show; a good probe passes it too."""

MORNING = {
    "battery": {"bias_v": (450.0, 550.0)},
    # wide limits: the host's timing decides which counts are drawn
    "chi_square": {"count_s": 4.0, "tail": 0.0001, "greatest_drift": 0.2},
    "sensitivity": {"reference_cps_per_mbq": 2000.0},
    "settle_s": SETTLE_S,
}

BRIEF = {
    "background": {"count_s": 40.0},
    "constancy": {"counts": 2500, "longest_s": 15.0},
    "sensitivity": {"reference_cps_per_mbq": 2000.0, "longest_s": 20.0},
    "angular": {"longest_s": 20.0},
    "dead_time": {"count_s": 15.0},
}
"""Shorter counts of a morning."""


async def calibrate(
    folder: Path, fault: BenchFault | None = None, *, limits: CalibrationSettings = SHORT
) -> tuple[CalibrationOutcome, str]:
    """Run it, and give what was shown too."""
    shown = io.StringIO()
    rng = np.random.default_rng(2026)
    async with open_bench(folder, rng=rng, clock=monotonic, fault=fault) as room:
        bench = Bench(
            probe="gamma",
            device=AmptekSettings(
                driver="amptek",
                port=room.port,
                interval_s=POLL_INTERVAL_S,
                answer_s=0.2,
                window_kev=(126, 154),
                energy_kev_per_channel=1.0,
            ),
            technologist=Unattended(room.bench),
            logbook=LogbookSettings().beside(folder),
            person="A. Physicist",
            console=Console(file=shown, width=160),
            clock=room.clock,
            wall_time=room.clock.wall_time,
            is_simulated=True,
        )
        guided = Guided(
            bench=bench,
            settings=MorningSettings.model_validate(MORNING | {"check_source": room.bench.label()}),
            nuclides=load_nuclides(),
            calibration=folder / "gamma.json",
            place="Hospital, OR 1",
        )
        outcome = await run_calibration(guided, limits=limits)
    return outcome, shown.getvalue()


async def test_a_good_probe_is_calibrated_with_errors_and_a_plot(tmp_path: Path) -> None:
    """Every test passes; file and plot are written; the response foretells the bench's own physics."""
    outcome, shown = await calibrate(tmp_path)
    assert [result.reason for result in outcome.results if not result.passed] == []
    assert outcome.passed
    assert outcome.aborted == ""
    assert "SIMULATED" in shown
    plain = json.loads(json.dumps(outcome.to_dict()))
    assert [step["name"] for step in plain["steps"]][-3:] == ["count rate", "response", "held-back counts"]
    (least,) = (each for each in plain["steps"][-2]["figures"] if each["unit"] == "MBq")
    assert (least["name"], least["value"]) == ("detects at 30 mm in 10 s", pytest.approx(0.0020, rel=0.3))
    assert outcome.plot is not None
    assert "SIMULATED: gamma, Tc-99m" in outcome.plot.read_text()
    response = load_calibration(tmp_path / "gamma.json", is_simulated=True).response
    physics = ProbePhysics()
    points_mm = np.array([[0.0, 0.0, 20.0], [5.0, 0.0, 40.0], [0.0, 12.0, 35.0]])
    expected = response.expected_rate_cps(points_mm, np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]), NoTissue())[0]
    seen = 1e6 * physics.photons_per_decay * physics.efficiency * physics.acceptance(points_mm)
    assert expected == pytest.approx(seen, rel=0.05)
    assert response.counting_covariance is not None
    assert response.counting_covariance.shape == (len(COUNTED), len(FITTED) + len(COUNTED))
    provenance = read_calibration(tmp_path / "gamma.json").provenance
    assert len(provenance.counts) == 5 + 7 + 4 + 7 + 7
    found = run(tmp_path, "history", "--json")
    peak = next(trend for trend in found["trends"]["gamma"] if trend["name"] == "peak")
    assert [value["value"] for value in peak["values"]] == [pytest.approx(140.5, rel=0.03)]
    words, images = reported(tmp_path)
    for drawn in ("Rate on the axis against distance", "Rate against angle", "What the response leaves"):
        assert drawn.replace(" ", "") in words, drawn
    assert "deepinwater" in words
    assert images == 8


def run(folder: Path, *arguments: str) -> Any:
    """Run an acquire command on the logbook of a folder, and read what it prints."""
    desk = Desk(
        logbook=LogbookSettings().beside(folder),
        settings=MorningSettings.model_validate(
            MORNING | {"check_source": {"reference_at": "2026-11-22T12:00:00Z", "reference_cps": 1000.0}}
        ),
        place="Hospital, OR 1",
    )
    app = typer.Typer()
    add_logbook(app, lambda _context, _config, _simulate: desk)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def reported(folder: Path) -> tuple[str, int]:
    """Write the report of the newest calibration: the words of its PDF without blanks, and the page's drawings."""
    told = run(folder, "report", "--kind", "calibration", "--to", str(folder / "signed"), "--json")
    words = "".join(page.extract_text() for page in PdfReader(told["pdf"], strict=True).pages)
    return "".join(words.split()), Path(told["html"]).read_text().count("data:image/svg+xml")


def test_the_morning_keeps_the_shape_and_the_room_goes_by_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``acquire calibrate``, ``acquire``, ``radionav``: today's sensitivity, the full calibration's shape."""
    site = simulated_site()
    assert site.acquire is not None
    brief = MorningSettings.model_validate(MORNING | BRIEF | {"check_source": site.acquire.check_source})
    monkeypatch.setattr(
        named, "simulated_site", lambda: site.model_copy(update={"acquire": brief, "calibrate": SHORT})
    )
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "var" / "simulated-gamma.json"
    done("calibrate", "--simulate", "--yes", "--no-decay")
    full = read_calibration(file)
    done("--simulate", "--yes")
    today = read_calibration(file)
    assert today.provenance.counts == full.provenance.counts != []
    assert [result["name"] for result in today.provenance.results][-2:] == ["response", "shape"]
    kept = ("aperture_radius_mm", "attenuation_per_mm", "recess_mm", "crystal_thickness_mm", "leak")
    assert {name: getattr(today.response, name) for name in kept} == {
        name: getattr(full.response, name) for name in kept
    }
    assert today.response.calibrated_at != full.response.calibrated_at
    assert today.response.background_cps != full.response.background_cps
    with running("--simulate", "--port", 0, "--dicom-port", 0, folder=tmp_path) as service:
        with looking(service.display) as display:
            rate = display.until(lambda state: state.rate).rate
        assert rate is not None
        assert rate.background_cps == today.response.background_cps
        service.said(r"SIMULATED calibration: var/simulated-gamma\.json, written by acquire")
        service.terminate()
        assert service.ended() == 0


def done(*arguments: str) -> None:
    """Run an acquire command in this process, and insist that it passed."""
    result = CliRunner().invoke(acquire, arguments)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("fault", "step", "words"),
    [
        (BenchFault.LEAKING_SHIELD, "shield", "the shield leaks"),
        (BenchFault.WIDE_COLLIMATOR, "spatial resolution", "mm wide: the collimator"),
        (BenchFault.EMPTY_TANK, "sensitivity in scatter", "tank is not full"),
        (BenchFault.SLOW_ELECTRONICS, "count rate", "too slow"),
        (BenchFault.DRIFTED_PEAK, "peak", "gain has drifted"),
        (BenchFault.FLAT_BATTERY, "battery", "bias 340 V, less than 450 V"),
    ],
)
async def test_a_fault_fails_the_test_that_is_there_to_find_it(
    tmp_path: Path, fault: BenchFault, step: str, words: str
) -> None:
    """Leak, collimator, water, electronics, gain, supply: each is named, nothing is fitted or written."""
    outcome, shown = await calibrate(tmp_path, fault, limits=HASTY)
    reasons = {result.name: result.reason for result in outcome.results if not result.passed}
    assert re.search(words, reasons[step])
    assert "not fitted" in reasons["response"]
    assert not outcome.passed
    assert not (tmp_path / "gamma.json").exists()
    assert "is not calibrated" in shown
